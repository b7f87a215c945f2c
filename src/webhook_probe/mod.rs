//! Shows that the webhook would inject a pod now, before anything relies on it.
//!
//! Reads what is registered, verifies what the endpoints serve as an API server does, and posts a review to
//! each. Has no client of the cluster: callers pass objects and addresses.

mod answer;
mod post;
mod registered;
pub mod sample;
mod trust;

pub use answer::{patched, review, shows};
pub use post::{CallError, post};
pub use registered::{NotCalled, entry_for};
pub use trust::Trust;
