//! How long certificates are valid, and when they are renewed.

use super::snapshot::{Ca, Leaf};
use crate::pki::{BACKDATED, Id};
use crate::time::Seconds;

/// Lifetimes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// The validity of a CA.
    pub ca: Seconds,
    /// The validity of a serving certificate.
    pub leaf: Seconds,
    /// How long until every API server knows a change of `caBundle`, and every endpoint a change of its Secret.
    pub propagation: Seconds,
}

/// Why lifetimes can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifetimesError {
    /// A CA lives less than twice as long as a serving certificate, so every new one would have to be
    /// replaced at once.
    #[error("--certificate-lifetime must be at most half of --ca-lifetime")]
    CaTooShort,
    /// A certificate would expire before its successor may be used.
    #[error("--propagation-time must be at most a sixth of --certificate-lifetime")]
    PropagationTooLong,
    /// A lifetime is out of range. RFC 5280 ends in 9999, and some clients in 2049.
    #[error("--ca-lifetime must be between 10s and 175200h (20 years)")]
    OutOfRange,
}

impl Lifetimes {
    /// Checks that rotations have enough time: a certificate is renewed with a third of its life left, and a
    /// rotation takes twice the propagation time.
    ///
    /// # Errors
    /// [`LifetimesError`]: which of the lifetimes leaves too little time, or is out of range.
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

/// A number of seconds up to `most`, always the same for one certificate. So Runtimes installed together
/// don't renew together, and a restarted process keeps to its plan.
fn jitter(id: Id, most: Seconds) -> Seconds {
    // 24 bits are more than any jitter resolves, and can't overflow below.
    let part = (id.short() >> 40).cast_signed();
    most / (1 << 24) * part + most % (1 << 24) * part / (1 << 24)
}

/// When a leaf is renewed: after two thirds of its life, less up to a twelfth.
pub(super) fn leaf_due(leaf: &Leaf, terms: &Lifetimes) -> Seconds {
    // A leaf whose CA expires early lives less than the lifetimes say.
    let span = (leaf.validity.to - leaf.validity.from - BACKDATED).clamp(0, terms.leaf);
    leaf.validity.to - span / 3 - jitter(leaf.id, span / 12)
}

/// When a CA is replaced: after two thirds of its life, less up to a twelfth, and always before it would
/// shorten the life of a leaf.
pub(super) fn ca_due(ca: &Ca, terms: &Lifetimes) -> Seconds {
    let span = (ca.validity.to - ca.validity.from - BACKDATED).clamp(0, terms.ca);
    ca.validity.to - (span / 3).max(terms.leaf) - jitter(ca.id, span / 12)
}
