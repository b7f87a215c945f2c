//! What ends the command: each error names the input and the place in it, and none shows what stands
//! there. Secrets may pass through this command.

pub use crate::yaml::Position;

use std::io;

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

/// What makes a document unreadable, before it is known whether that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is not YAML or not JSON.
    Broken { at: Option<Position>, reason: String },
    /// It is not an object.
    NotAnObject { at: Position, found: &'static str },
}

impl Unread {
    /// As the error of an input that is shown under this name.
    pub fn into_error(self, input: String, document: usize) -> InjectError {
        match self {
            Self::Broken { at, reason } => InjectError::Broken { input, document, at, reason },
            Self::NotAnObject { at, found } => InjectError::NotAnObject { input, document, at, found },
        }
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Broken { at, reason } => write!(f, "{}{reason}", prefix(*at)),
            Self::NotAnObject { at, found } => write!(f, "{at}: {found}, not a Kubernetes object"),
        }
    }
}

fn prefix(at: Option<Position>) -> String {
    at.map(|at| format!("{at}: ")).unwrap_or_default()
}
