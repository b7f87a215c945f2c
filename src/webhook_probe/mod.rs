//! Whether the webhook would inject a pod, shown before anything relies on it.
//!
//! What is registered is read, what endpoints serve is verified as an API server does it, and a
//! review is posted to each. Knows no client of the cluster: objects and addresses are given.

mod answer;
mod post;
mod registered;
pub mod sample;
mod trust;

pub use answer::{patched, review, shows};
pub use post::{CallError, post};
pub use registered::{NotCalled, entry_for};
pub use trust::Trust;
