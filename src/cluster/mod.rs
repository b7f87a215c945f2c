//! The Kubernetes calls that several rooms share. Knows nothing of Argo CD.
//!
//! Every call has a time limit. Errors say what was tried, why it failed and what to do, and never quote an
//! object's content.

mod client;
mod endpoints;
mod error;
mod event;
mod eviction;
mod forward_proxy;
pub mod leader_election;
mod login;
mod objects;
mod owner;
mod proxy;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
mod watch;
mod write;

pub use client::{Choice, Reach, client};
pub use endpoints::{ServiceEndpoint, endpoints};
pub use error::{Cause, ClusterError, call, call_patiently, call_within};
pub use event::{Event, emit};
pub use eviction::{Removal, delete, evict};
pub use objects::{ensure_with_owner, filled, find, find_owner, find_patiently, last_written, object_reference};
pub use owner::{has_owner, owner_reference};
pub use watch::{watch_named, watch_selected};
pub use write::{FIELD_MANAGER, apply, disown, ensure, merge_if};

use std::fmt;
use std::str::FromStr;

/// A namespaced object's name, as `NAMESPACE/NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The object's namespace.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(['/', ' ', ',', '=']);
        match text.split_once('/') {
            Some((namespace, name)) if is_name(namespace) && is_name(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err(format!("{text:?} is not NAMESPACE/NAME")),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}
