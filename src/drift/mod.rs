//! Whether a pod is in step: carries what the settings say, and holds no credential that has changed
//! since.
//!
//! Pure: pods and what is remembered go in, verdicts come out. Knows no client, so that the
//! controller and `doctor` say the same.

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
pub use verdict::{Drift, NotOurs, Verdict, is_stale, judge};

/// How long a kubelet may hand out the value before: its cache of Secrets.
pub const KUBELET_CACHE: i64 = 60;
