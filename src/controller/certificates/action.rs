//! The result of a plan.

use super::snapshot::RotationRecord;
use crate::pki::{Flaw, Id};
use crate::time::Seconds;
use std::fmt;

/// The step of a rotation. The discriminants are the values of the metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStep {
    /// Nothing is in progress; a request is answered, or annotations are tidied.
    Idle = 0,
    /// A CA is created or, if due, promoted; or `caBundle` is written so that it holds the CAs in use.
    Trusting = 1,
    /// Wait for the propagation time, until every API server knows the bundle with both CAs; a leaf that
    /// can't wait is signed by the former CA.
    Propagating = 2,
    /// The CA that takes over signs a serving certificate; also a plain renewal, without a rotation.
    Signing = 3,
    /// Wait until every endpoint serves a certificate of the new CA.
    Proving = 4,
    /// Wait for the propagation time again, before anything is removed.
    Settling = 5,
    /// The old CA is removed, from the Secret and then from `caBundle`.
    Dropping = 6,
}

/// The place of a CA in the CA Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `ca.crt`.
    Current,
    /// `next-ca.crt`.
    Next,
}

/// Why something is created or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There was none yet.
    Absent,
    /// The one that was there is unusable.
    Flawed(Flaw),
    /// Its renewal is due.
    Due,
    /// A person requested it with an annotation.
    Requested,
    /// It is part of a rotation of the CA.
    Rotation,
    /// The bundle has to hold another set of CAs.
    Bundle,
}

impl Reason {
    /// Whether something had been lost or damaged.
    #[must_use]
    pub const fn is_repair(self) -> bool {
        matches!(self, Self::Flawed(_))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there was none"),
            Self::Flawed(flaw) => write!(f, "repaired: {flaw}"),
            Self::Due => f.write_str("the one before is near its end"),
            Self::Requested => f.write_str("it was asked for"),
            Self::Rotation => f.write_str("the CA rotates"),
            Self::Bundle => f.write_str("the CAs in use changed"),
        }
    }
}

/// One action: a write, before which an empty object may be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create a CA in this place, and drop the annotation that requests one. In `Current`, the next CA is
    /// removed.
    MakeCa(Place, Reason),
    /// Create a serving certificate that is signed by the CA in this place.
    MakeLeaf(Place, Reason),
    /// Write these CAs into `caBundle` of every entry. `true` if somebody had removed or damaged what was
    /// there.
    WriteBundle(Vec<Id>, bool),
    /// Keep only the CA in this place of the Secret, as the current one.
    Promote(Place, Reason),
    /// Write this record; drop the annotation with a request if `true`.
    Remember(RotationRecord, bool),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Execute this action, and observe again.
    Execute(Action),
    /// Connect to the endpoints, and plan again.
    ProbeEndpoints,
    /// Nothing until this time, unless something changes. `true` if endpoints have to be polled meanwhile.
    WaitUntil(Seconds, bool),
}

/// The result of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The step of the rotation, for metrics and logs.
    pub step: RotationStep,
    /// What to do next.
    pub next: NextStep,
    /// The CA that is to sign: a valid next one, else the current one; `None` if there is none.
    pub target: Option<Id>,
}
