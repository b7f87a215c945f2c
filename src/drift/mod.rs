//! Whether a pod has drifted: lacks what the settings say, or holds a credential that has changed since.
//!
//! Pure: facts about pods and remembered values go in, verdicts come out. Has no client, so the controller
//! and `doctor` reach the same verdicts.

mod facts;
mod history;
mod key;
mod needs;
mod readiness;
mod subjects;
mod verdict;

pub use facts::{Held, Owner, PodFacts};
pub use history::History;
pub use key::Key;
pub use needs::{Holder, Need};
pub use readiness::Readiness;
pub use subjects::TrackedKeys;
pub use verdict::{Drift, NotOurs, PodVerdict, is_stale, judge};

/// How many seconds after a change the kubelet may still hand out a Secret's former value from its cache.
pub const KUBELET_CACHE: i64 = 60;
