//! Which keys the settings come from: shown at start, by `inject` and by `status`.

use super::{Address, Settings};
use crate::core::{Mode, Username};
use std::fmt;

/// The keys that give the credential and Argo CD's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// The path of the auth block, as keys joined by dots.
    pub auth: String,
    /// The path of the key that gives Argo CD's address; `None` for the default, the Argo CD that the
    /// Runtime's chart bundles.
    pub argocd: Option<String>,
}

impl Default for Sources {
    fn default() -> Self {
        Self { auth: super::auth::AUTH.to_owned(), argocd: None }
    }
}

/// Displays in one line what pods get and where that was written. Holds no credential.
pub struct Taken<'s>(pub(super) &'s Settings);

impl fmt::Display for Taken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { auth, argocd, sources, .. } = self.0;
        let credential = &auth.credential;
        write!(f, "{}: {} mode, ", sources.auth, auth.mode.as_str())?;
        if auth.mode == Mode::Password {
            match &auth.username {
                Username::Plain(name) => write!(f, "user {name}, ")?,
                Username::ConfigMapKey(from) => write!(f, "user in ConfigMap {}, key {}, ", from.name, from.key)?,
                Username::SecretKey(from) => write!(f, "user in Secret {}, key {}, ", from.name, from.key)?,
            }
        }
        write!(f, "Secret {}, key {}; ", credential.name, credential.key)?;
        match &sources.argocd {
            Some(path) => write!(f, "{path}: Argo CD at ")?,
            None => write!(f, "by default: Argo CD at ")?,
        }
        match &argocd.address {
            Address::Url(url) => write!(f, "{url}"),
            Address::Service { svc, port, rootpath } => {
                write!(f, "Service {svc}, port {port}")?;
                if rootpath.is_empty() { Ok(()) } else { write!(f, ", path /{rootpath}") }
            }
        }
    }
}
