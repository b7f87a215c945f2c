//! Certificates of the webhook: made, renewed and rotated without a gap.
//!
//! [`plan`] decides, from a [`Snapshot`]; the loop looks, does the one thing that it says, and looks
//! again.

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
#[cfg(test)]
mod table;

pub use action::{Action, Next, Place, Plan, Step, Why};
pub use external::ExternalReconciler;
pub use lifetimes::{Lifetimes, LifetimesError};
pub use plan::plan;
pub use reconcile::CertificateReconciler;
pub use snapshot::{Bundle, Ca, Endpoint, Leaf, Request, RotationRecord, Slot, Snapshot};
