//! How long certificates last, and when they are due.

use super::snapshot::{Ca, Leaf};
use crate::pki::{BACKDATED, Id};
use crate::time::Seconds;

/// How long things last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of a CA.
    pub ca: Seconds,
    /// Of a serving certificate.
    pub leaf: Seconds,
    /// Until every API server has learnt of a change, and every endpoint's own API server too.
    pub propagation: Seconds,
}

/// Why lifetimes can't be kept to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifetimesError {
    /// Every new CA would be near its end.
    #[error("--certificate-lifetime must be at most half of --ca-lifetime")]
    CaTooShort,
    /// A certificate would be over before its successor may be used.
    #[error("--propagation-time must be at most a sixth of --certificate-lifetime")]
    PropagationTooLong,
    /// RFC 5280 ends in 9999, and some clients in 2049.
    #[error("--ca-lifetime must be between 10s and 175200h (20 years)")]
    OutOfRange,
}

impl Lifetimes {
    /// Checks that rotations have the time they need: a certificate is replaced with a third of its
    /// life left, and a rotation takes twice the propagation time.
    ///
    /// # Errors
    /// They haven't.
    pub const fn check(self) -> Result<Self, LifetimesError> {
        if self.ca < 10 || self.ca > 20 * 365 * 24 * 3600 || self.leaf < 1 || self.propagation < 0 {
            Err(LifetimesError::OutOfRange)
        } else if self.ca / 2 < self.leaf {
            Err(LifetimesError::CaTooShort)
        } else if self.propagation > self.leaf / 6 {
            Err(LifetimesError::PropagationTooLong)
        } else {
            Ok(self)
        }
    }
}

/// A whole number of seconds up to `most`, the same for the same certificate: several Runtimes that
/// were installed together don't renew together, and a restarted process sticks to what it planned.
fn jitter(id: Id, most: Seconds) -> Seconds {
    // 24 bits: more than the resolution of any jitter, and no overflow below.
    let part = (id.short() >> 40).cast_signed();
    most / (1 << 24) * part + most % (1 << 24) * part / (1 << 24)
}

/// When a leaf is to be replaced: at two thirds of its time, less up to a twelfth.
pub(super) fn leaf_due(leaf: &Leaf, terms: &Lifetimes) -> Seconds {
    // What one signed by a CA near its end lasts is less than what the terms say.
    let span = (leaf.validity.to - leaf.validity.from - BACKDATED).clamp(0, terms.leaf);
    leaf.validity.to - span / 3 - jitter(leaf.id, span / 12)
}

/// When a CA is to be replaced: at two thirds of its time, less up to a twelfth, and always before
/// it cuts a leaf short.
pub(super) fn ca_due(ca: &Ca, terms: &Lifetimes) -> Seconds {
    let span = (ca.validity.to - ca.validity.from - BACKDATED).clamp(0, terms.ca);
    ca.validity.to - (span / 3).max(terms.leaf) - jitter(ca.id, span / 12)
}
