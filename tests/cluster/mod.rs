//! The webhook at a real API server: pods are created through their controllers or by `kubectl`, and
//! what is asserted is what the cluster then holds.
//!
//! Needs a cluster, so `make cluster-test` runs it; `README.md` beside this file says how else.

mod expected;
mod other_webhook;
mod registration;
mod served;
mod webhook;

mod audit;
mod beside_others;
mod conflicts;
mod controller;
mod credentials;
mod outages;
mod rotation;
mod untouched;
