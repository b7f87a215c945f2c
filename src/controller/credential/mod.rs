//! The credential: made and kept in password mode, watched in token mode.
//!
//! [`plan`] decides, from a [`Snapshot`]; the loop looks, does the one thing that it says, and looks
//! again.

#[allow(dead_code)]
mod action;
mod id;
mod marks;
mod plan;
#[cfg(test)]
mod simulation;
mod snapshot;
#[cfg(test)]
mod table;

use super::Context;

/// Keeps at it; never ends.
pub(super) async fn run(_context: Context) {
    std::future::pending::<()>().await;
}
