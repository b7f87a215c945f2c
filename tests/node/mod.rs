//! The chart on a real node: what Helm installs runs, and pods of the Runtime's services run with
//! what they were given. What is asserted is what their processes hold, what the API server answers
//! and what stands in the cluster.
//!
//! Needs root and a cluster with a node on this machine, so `make node-test` runs it; `README.md`
//! beside this file says how else.

mod afterwards;
mod certificates;
mod stream;

mod bundled;
mod credential;
mod elsewhere;
mod entries;
mod faults;
mod life;
mod own;
mod owners;
mod permissions;
mod planned;
mod port_forward;
mod rotation;
mod umbrella;
mod values;
