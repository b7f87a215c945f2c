//! Pods in step on a real node: the chart is installed, and what it finds out of step is replaced
//! without a person. What is asserted is who was replaced, how often, and who wasn't.
//!
//! Needs root and a cluster with a node on this machine, so `make pods-test` runs it.

pub mod afterwards;
mod argo_rollouts;
mod away;
mod hundred;
mod killed;
mod others;
mod reapplied;
mod refused;
mod rotations;
mod stateful;
mod umbrella;
mod upgrade;
