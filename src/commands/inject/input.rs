//! The inputs of the command: named bytes, which must be UTF-8 text.

use super::{InjectError, Position};
use crate::core::text::shown;
use std::io::Read;
use std::path::Path;

/// How many characters of an input's name are shown.
const MAX_NAME: usize = 4096;

/// A file or standard input, read completely.
#[derive(Clone)]
pub struct Input {
    /// Its name in reports and errors.
    pub name: String,
    /// Its content.
    pub content: Vec<u8>,
}

impl std::fmt::Debug for Input {
    /// Shows the name only: the content may hold Secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Input {
    /// An input with this content.
    #[must_use]
    pub fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into() }
    }

    /// Reads a file; `-` is standard input, as for kubectl.
    ///
    /// # Errors
    /// [`InjectError::Unreadable`].
    pub fn from_path(path: &Path) -> Result<Self, InjectError> {
        if path == Path::new("-") {
            return Self::from_stdin();
        }
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(content) => Ok(Self { name, content }),
            Err(error) => {
                let input = Self::new(name, Vec::new()).shown_name();
                Err(InjectError::Unreadable { input, error })
            }
        }
    }

    /// Reads standard input to its end.
    ///
    /// # Errors
    /// [`InjectError::Unreadable`].
    pub fn from_stdin() -> Result<Self, InjectError> {
        let (name, mut content) = ("<stdin>".to_owned(), Vec::new());
        match std::io::stdin().lock().read_to_end(&mut content) {
            Ok(_) => Ok(Self { name, content }),
            Err(error) => Err(InjectError::Unreadable { input: name, error }),
        }
    }

    /// The text without its byte order mark, which would be a stray character in the middle of an output, and
    /// isn't needed at its beginning.
    pub(super) fn text(&self) -> Result<&str, InjectError> {
        let input = || self.shown_name();
        // UTF-16 has a NUL in the first character of any manifest, with or without a byte order mark.
        if matches!(self.content.as_slice(), [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, _, ..] | [_, 0, ..]) {
            return Err(InjectError::Utf16 { input: input() });
        }
        match std::str::from_utf8(&self.content) {
            Ok(text) => Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text)),
            Err(error) => {
                let good = self.content.get(..error.valid_up_to()).unwrap_or_default();
                let before = String::from_utf8_lossy(good);
                let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
                let at = Position { line: before.matches('\n').count() + 1, column };
                Err(InjectError::NotUtf8 { input: input(), at })
            }
        }
    }

    /// The input's name, made safe to show.
    pub(super) fn shown_name(&self) -> String {
        shown(&self.name, MAX_NAME)
    }
}
