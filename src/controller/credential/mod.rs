//! The credential: made and kept in password mode, watched in token mode.
//!
//! [`plan`] decides, from a [`Snapshot`]; the loop looks, does the one thing that it says, and looks
//! again.

mod act;
mod action;
mod id;
mod keep;
mod look;
mod marks;
mod metrics;
mod plan;
mod reach;
mod report;
mod see;
#[cfg(test)]
mod simulation;
mod snapshot;
mod source;
#[cfg(test)]
mod table;
mod tell;
mod watch;

pub use metrics::CredentialMetrics;

use super::Context;

/// Keeps at it; never ends.
pub(super) async fn run(context: Context) {
    keep::Keep::new(context).run().await;
}
