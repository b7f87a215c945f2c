//! What comes out of a plan.

use super::snapshot::RotationRecord;
use crate::pki::{Flaw, Id};
use crate::time::Seconds;
use std::fmt;

/// Where a rotation is. The discriminants are the metric's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is being rotated.
    Idle = 0,
    /// The new CA is made and added to the bundle.
    Trusting = 1,
    /// The bundle with both travels to every API server.
    Propagating = 2,
    /// The new CA signs the new leaf.
    Signing = 3,
    /// Every endpoint has to show it.
    Proving = 4,
    /// The time again, before anything is taken away.
    Settling = 5,
    /// The old CA is dropped.
    Dropping = 6,
}

/// Which CA of the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `ca.crt`.
    Current,
    /// `next-ca.crt`.
    Next,
}

/// Why something is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// There was none.
    Absent,
    /// What was there is of no use.
    Flawed(Flaw),
    /// Its time is nearly over.
    Due,
    /// A person asked.
    Requested,
    /// The CA rotates.
    Rotation,
    /// The bundle has to hold another set of CAs.
    Bundle,
}

impl Why {
    /// Whether something had to be mended that nobody planned.
    #[must_use]
    pub const fn is_repair(self) -> bool {
        matches!(self, Self::Flawed(_))
    }
}

impl fmt::Display for Why {
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

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a CA and store it in this place; in `Current`, `Next` is emptied. Answers a request.
    MakeCa(Place, Why),
    /// Make a leaf, signed by the CA in this place.
    MakeLeaf(Place, Why),
    /// Let `caBundle` of every entry hold these CAs. `true` where something had removed or damaged
    /// what was there.
    WriteBundle(Vec<Id>, bool),
    /// Let the CA in this place be the only one in the Secret.
    Settle(Place, Why),
    /// Remember this; drop the request if `true`.
    Remember(RotationRecord, bool),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Write, and observe again.
    Do(Action),
    /// Look at the endpoints and plan again.
    Look,
    /// Nothing until then, unless something changes. `true` where endpoints have to be looked at
    /// every now and then.
    Wait(Seconds, bool),
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For the metric and the logs.
    pub step: Step,
    /// What to do.
    pub next: Next,
}
