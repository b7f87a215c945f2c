//! What ends the command: each error names the input and the place in it, and none shows what stands
//! there. Secrets may pass through this command.

use std::fmt;
use std::io;

/// A place in an input; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line in the input.
    pub line: usize,
    /// The column in that line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why manifests can't be processed. All of it is wrong input (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// A file or standard input can't be read.
    #[error("{input}: can't be read: {error}")]
    Unreadable {
        /// The input's name.
        input: String,
        /// Why.
        error: io::Error,
    },
    /// The bytes are not UTF-8.
    #[error("{input}: {at}: not UTF-8 text; manifests must be UTF-8")]
    NotUtf8 {
        /// The input's name.
        input: String,
        /// The first byte that is not UTF-8.
        at: Position,
    },
    /// The bytes are UTF-16, as Windows PowerShell's `>` writes them.
    #[error(
        "{input}: UTF-16 text; manifests must be UTF-8 (in Windows PowerShell write them with \
         `| Out-File -Encoding utf8` instead of `>`)"
    )]
    Utf16 {
        /// The input's name.
        input: String,
    },
    /// A document is not YAML or not JSON.
    #[error("{input}: document {document}: {}{reason}", prefix(*.at))]
    Broken {
        /// The input's name.
        input: String,
        /// Which document, from 1.
        document: usize,
        /// Where in the input, if the reader knows.
        at: Option<Position>,
        /// What is wrong, without the text that is.
        reason: String,
    },
    /// A document is not an object.
    #[error("{input}: document {document}: {at}: {found}, not a Kubernetes object")]
    NotAnObject {
        /// The input's name.
        input: String,
        /// Which document, from 1.
        document: usize,
        /// Where it begins.
        at: Position,
        /// What it is.
        found: &'static str,
    },
    /// The changed object could not be made or written: a fault of this program.
    #[error("{place}: {reason}; this is a fault of argocd-auth-webhook")]
    Fault {
        /// The object's place.
        place: String,
        /// What failed.
        reason: String,
    },
}

fn prefix(at: Option<Position>) -> String {
    at.map(|at| format!("{at}: ")).unwrap_or_default()
}
