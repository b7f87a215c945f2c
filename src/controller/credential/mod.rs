//! The credential: made and kept in password mode, watched in token mode.

use super::Context;

/// Keeps at it; never ends.
pub(super) async fn run(_context: Context) {
    std::future::pending::<()>().await;
}
