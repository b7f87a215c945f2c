//! The credential: made and kept in password mode, watched in token mode.
//!
//! [`plan`] decides, from a [`Snapshot`]; the loop looks, does the one thing that it says, and looks
//! again.

mod action;
mod argocd_probe;
mod care;
mod execute;
mod health;
mod id;
mod logins;
mod metrics;
mod mirror;
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

/// Keeps at it; never ends.
pub(super) async fn run(context: Context) {
    reconcile::CredentialReconciler::new(context).run().await;
}
