//! Builds an RFC 6902 patch as text.

use std::fmt::{Arguments, Write};

/// A JSON Patch under construction. Paths are made of our own field names and of indices, so nothing in them
/// needs escaping; values are finished JSON.
#[derive(Debug, Default)]
pub(crate) struct Patch {
    text: String,
}

impl Patch {
    pub(crate) fn add(&mut self, path: Arguments<'_>, value: &str) {
        self.operation("add", path, Some(value));
    }

    pub(crate) fn replace(&mut self, path: Arguments<'_>, value: &str) {
        self.operation("replace", path, Some(value));
    }

    pub(crate) fn remove(&mut self, path: Arguments<'_>) {
        self.operation("remove", path, None);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The patch as a JSON array, or `None` if no operation was added.
    pub(crate) fn finish(mut self) -> Option<String> {
        if self.text.is_empty() {
            return None;
        }
        self.text.push(']');
        Some(self.text)
    }

    fn operation(&mut self, name: &str, path: Arguments<'_>, value: Option<&str>) {
        if self.text.is_empty() {
            self.text.reserve(512);
            self.text.push('[');
        } else {
            self.text.push(',');
        }
        // Writing to a `String` can't fail.
        let _ = write!(self.text, r#"{{"op":"{name}","path":"{path}""#);
        if let Some(value) = value {
            self.text.push_str(r#","value":"#);
            self.text.push_str(value);
        }
        self.text.push('}');
    }
}
