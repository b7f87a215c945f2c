//! The webhook's certificates: created, renewed and rotated without interruption.
//!
//! [`plan`] decides what to do about a [`Snapshot`]; the reconciler observes, executes that one change, and
//! observes again.

mod action;
mod execute;
mod external;
mod lifetimes;
mod objects;
mod observe;
mod plan;
mod reconcile;
mod record;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod simulation;
mod snapshot;
mod status;
#[cfg(test)]
mod table;

pub use action::{Action, NextStep, Place, Plan, Reason, RotationStep};
pub use external::ExternalReconciler;
pub use lifetimes::{Lifetimes, LifetimesError};
pub use plan::plan;
pub use reconcile::CertificateReconciler;
pub use snapshot::{Bundle, Ca, Endpoint, Leaf, Request, RotationRecord, Slot, Snapshot};
