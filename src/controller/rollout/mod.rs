//! Pods in step: none missed, none left with a credential that has changed.
//!
//! [`plan`](plan::plan) decides, from a [`Snapshot`](snapshot::Snapshot); the loop looks, does the one
//! thing that it says, and looks again. `docs/pods.md` says what people may expect.

mod action;
mod bounds;
mod execute;
mod id;
mod metrics;
mod observe;
mod persisted;
mod plan;
mod probe;
mod reconcile;
mod record;
mod required;
mod restart;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod simulation;
mod snapshot;
mod status;
mod store;
#[cfg(test)]
mod table;
mod tracked;
mod verified;
mod view;
mod workloads;

pub use metrics::PodMetrics;
pub(crate) use observe::verdicts;
pub(super) use reconcile::run;

/// The annotation on a pod template by which a workload is restarted; a time.
pub const RESTARTED_AT: &str = "argocd-auth-webhook/restartedAt";
/// The annotation on a workload that keeps its pods from being replaced, when it is `"false"`.
pub const ROLLOUT: &str = "argocd-auth-webhook/rollout";
