//! An RFC 6902 patch, written as text while it is decided.

use std::fmt::{Arguments, Write};

/// A JSON Patch in the making. Paths hold field names of our own and indices only, so that nothing
/// in them needs escaping; values are JSON that is ready.
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

    /// The patch as a JSON array, or `None` where nothing is to change.
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
        // Writing to a String can't fail.
        let _ = write!(self.text, r#"{{"op":"{name}","path":"{path}""#);
        if let Some(value) = value {
            self.text.push_str(r#","value":"#);
            self.text.push_str(value);
        }
        self.text.push('}');
    }
}
