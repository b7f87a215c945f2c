//! A name that the server sent.

use std::fmt;

/// Compared as it was sent, and shown only after cleaning: on one line, cut, and hidden if it quotes a secret
/// that was sent to the server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    came: String,
    shown: String,
}

impl Foreign {
    pub(super) fn new(came: String, shown: String) -> Self {
        Self { came, shown }
    }

    /// Whether the name, as it was sent, equals `name`.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.came == name
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shown, f)
    }
}
