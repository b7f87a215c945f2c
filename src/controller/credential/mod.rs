//! The credential: minted and kept valid in password mode, observed in token mode.
//!
//! `plan` decides what to do about a `Snapshot`; the reconciler observes, executes that one change, and
//! observes again.

mod action;
mod argocd_probe;
mod execute;
mod health;
mod id;
mod logins;
mod metrics;
mod mirror;
mod mirror_policy;
mod observe;
mod plan;
mod publish;
mod reach;
mod reconcile;
mod record;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod simulation;
mod snapshot;
mod source;
mod status;
#[cfg(test)]
mod table;
mod watch;

pub use metrics::CredentialMetrics;

use super::Context;

/// Runs the credential's reconciler forever.
pub(super) async fn run(context: Context) {
    reconcile::CredentialReconciler::new(context).run().await;
}
