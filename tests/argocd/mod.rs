//! The controller's credential loop and the commands, at a real Argo CD and a real API server.
//!
//! Needs both, so `make argocd-test` runs it; `README.md` beside this file says how else.

mod account;
mod controller;
mod runtime;
mod server;

mod clock;
mod commands;
mod counts;
mod faults;
mod first_key;
mod kills;
mod reaching;
mod roles;
mod status;
mod token_mode;
mod writes;
