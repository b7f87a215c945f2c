//! A reference to one value in a Secret.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A key of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Name of the Secret, in the Runtime's namespace.
    pub secret: String,
    /// Key in the Secret's data.
    pub key: String,
}

impl Key {
    /// The key `key` of Secret `secret`.
    #[must_use]
    pub fn new(secret: &str, key: &str) -> Self {
        Self { secret: secret.to_owned(), key: key.to_owned() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.secret, self.key)
    }
}
