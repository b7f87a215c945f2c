//! Pods in step on a real node: the chart is installed, and what it finds out of step is replaced
//! without a person. What is asserted is who was replaced, how often, and who wasn't.
//!
//! Needs root and a cluster with a node on this machine, so `make pods-test` runs it.

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../cluster/cluster.rs"]
mod cluster;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../cluster/fixtures.rs"]
mod fixtures;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../node/helm.rs"]
mod helm;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../node/machine.rs"]
mod machine;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../node/release.rs"]
mod release;
#[expect(dead_code, reason = "other tests use the rest")]
#[path = "../node/runtime.rs"]
mod runtime;

mod scene;
mod timeline;
mod workloads;

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
