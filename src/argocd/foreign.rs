//! A name that the server gave.

use std::fmt;

/// It is compared as it came, and can only be shown cleaned: on one line, cut, and hidden where it quotes
/// a secret that was sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    came: String,
    shown: String,
}

impl Foreign {
    pub(super) fn new(came: String, shown: String) -> Self {
        Self { came, shown }
    }

    /// Whether it is this, to the letter.
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
