//! X.509: made, read, verified, and looked at over the network.
//!
//! Knows no Kubernetes. Whoever needs a certificate or has to judge one comes here.

mod authority;
mod certificate;
mod handshake;
mod verify;

pub use authority::{Authority, AuthorityError, BACKDATED, Pair};
pub use certificate::{Certificate, Flaw, Id, Validity, key_fits};
pub(crate) use handshake::unchecked;
pub use handshake::{Unreached, chain, connect, shown_by};
pub use verify::verifies;

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970.
pub type Seconds = i64;

/// The time now.
#[must_use]
pub fn now() -> Seconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Seconds::try_from(since.as_secs()).unwrap_or(Seconds::MAX)
}

/// A time for people and annotations, as in `2026-03-21T08:05:00Z`.
#[must_use]
pub fn text(time: Seconds) -> String {
    certificate::text(time)
}
