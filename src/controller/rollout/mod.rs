//! The rollout of pods: replaces those that lack an injection or hold a credential that has changed.
//!
//! `plan` decides what to do about a `Snapshot`; the reconciler observes, executes that one change, and
//! observes again. `docs/pods.md` says what people may expect.

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

/// The annotation on a pod template by which a workload is restarted. Its value is a time.
pub const RESTARTED_AT: &str = "argocd-auth-webhook/restartedAt";
/// The annotation on a workload whose value `"false"` keeps its pods from being replaced.
pub const ROLLOUT: &str = "argocd-auth-webhook/rollout";
