//! The errors that end the command. Each names the input and the position, and none quotes the content:
//! Secrets may pass through this command.

pub use crate::yaml::Position;

use std::io;

/// Why manifests can't be processed. All of these are wrong input (exit code 2).
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// A file or standard input can't be read.
    #[error("{input}: can't be read: {error}")]
    Unreadable {
        /// The input's name.
        input: String,
        /// The system's error.
        error: io::Error,
    },
    /// The input isn't UTF-8.
    #[error("{input}: {at}: not UTF-8 text; manifests must be UTF-8")]
    NotUtf8 {
        /// The input's name.
        input: String,
        /// The first byte that isn't UTF-8.
        at: Position,
    },
    /// The input is UTF-16, as Windows PowerShell's `>` writes it.
    #[error(
        "{input}: UTF-16 text; manifests must be UTF-8 (in Windows PowerShell write them with \
         `| Out-File -Encoding utf8` instead of `>`)"
    )]
    Utf16 {
        /// The input's name.
        input: String,
    },
    /// A document isn't valid YAML or JSON.
    #[error("{input}: document {document}: {}{reason}", prefix(*.at))]
    Broken {
        /// The input's name.
        input: String,
        /// The document's number, from 1.
        document: usize,
        /// The position in the input, if the parser knows it.
        at: Option<Position>,
        /// What is wrong, without quoting the text.
        reason: String,
    },
    /// A document isn't an object.
    #[error("{input}: document {document}: {at}: {found}, not a Kubernetes object")]
    NotAnObject {
        /// The input's name.
        input: String,
        /// The document's number, from 1.
        document: usize,
        /// Where the document begins.
        at: Position,
        /// What it is instead.
        found: &'static str,
    },
    /// The changed object can't be built or written, which is a bug.
    #[error("{place}: {reason}; this is a fault of argocd-auth-webhook")]
    Fault {
        /// The object's place in the input.
        place: String,
        /// What failed.
        reason: String,
    },
}

/// Why a document can't be read; whether that is an error depends on what it may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It isn't valid YAML or JSON.
    Broken { at: Option<Position>, reason: String },
    /// It isn't an object.
    NotAnObject { at: Position, found: &'static str },
}

impl Unread {
    /// Makes it an error about document `document` of this input.
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
