//! Certificates of the webhook: made, renewed and rotated without a gap.
//!
//! [`plan`] decides, from a [`Snapshot`]; the loop looks, does the one thing that it says, and looks
//! again.

mod act;
mod action;
mod external;
mod keep;
mod marks;
mod observe;
mod plan;
#[cfg(test)]
mod simulation;
mod snapshot;
#[cfg(test)]
mod table;
mod terms;

pub use action::{Action, Next, Place, Plan, Step, Why};
pub use external::External;
pub use keep::SelfManaged;
pub use plan::plan;
pub use snapshot::{Bundle, Ca, Endpoint, Leaf, Marks, Request, Slot, Snapshot};
pub use terms::{Terms, TermsError};
