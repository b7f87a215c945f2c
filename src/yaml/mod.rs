//! Reads YAML as Kubernetes does. kubectl, Helm and API servers use `sigs.k8s.io/yaml`, which is go-yaml
//! version 2 and then JSON; `tests/inject` compares with it.
//!
//! No Rust library follows those rules: the existing ones resolve scalars as in YAML 1.2, or in 1.1, and
//! refuse or merge what Kubernetes doesn't. So `granit-parser` (the parser of `serde-saphyr`) splits the text
//! into nodes, and their meaning is decided here: [`nodes`] → [`scalar`] → [`value`]. Text that the parser is
//! known to split differently from go-yaml is an error ([`guard`]), so that a document is read the same or
//! not at all.

mod guard;
mod nodes;
mod scalar;
mod value;

use nodes::Nodes;
use serde_json::Value;
use std::fmt;
use value::Decoder;

pub(crate) use scalar::is_text;

/// A position in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text can't be read. Never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub(crate) struct Error {
    /// Where the problem is.
    pub at: Position,
    /// What is wrong.
    pub reason: String,
}

impl Error {
    fn new(at: Position, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }

    fn of_parser(error: &granit_parser::ScanError) -> Self {
        use granit_parser::ErrorKind as E;
        let at = error.marker();
        let reason = match error.kind() {
            E::UnknownAnchor => "an alias whose anchor isn't there",
            E::RecursionLimitExceeded => nodes::TOO_DEEP,
            E::UnclosedQuotedScalar => "a quote that isn't closed",
            E::UnclosedFlowCollection { .. }
            | E::UnexpectedEofFlowSequence
            | E::UnexpectedEofFlowMapping
            | E::UnexpectedEofImplicitFlowMapping => "a bracket that isn't closed",
            E::TabNotAllowed | E::TabInBlockIndentation | E::TabInIndentation | E::TabAtBlockScalarStart => {
                "a tab where YAML wants spaces"
            }
            E::SimpleKeyExpected | E::InvalidSimpleKey => "a key without its colon, or one that is too long",
            E::InvalidIndentation | E::ExpectedBlockMappingKey | E::ExpectedBlockSequenceEntry => {
                "a line that is indented otherwise than those beside it"
            }
            E::InvalidBlockScalarIndent => "a block of text that begins with blanks beyond its indentation",
            E::DocumentIndicatorInQuotedScalar => "a document marker inside of quotes",
            E::UndeclaredTagHandle => "a tag that isn't declared",
            E::UnknownQuotedScalarEscape => "an escape that YAML doesn't have",
            E::MappingValueNotAllowed | E::MappingKeyNotAllowed => "a colon where no mapping can begin",
            _ => "it can't be understood",
        };
        Self::new(Position { line: at.line().max(1), column: at.col() + 1 }, reason)
    }
}

/// One document.
#[derive(Debug)]
pub(crate) struct Document {
    /// The document's value; null if it is empty.
    pub value: Value,
    /// The position of the first duplicate key in a mapping, of which the last counts.
    pub repeated: Option<Position>,
}

/// Reads a text with at most one document.
///
/// # Errors
/// The text isn't YAML, can't be expressed in JSON, or isn't read the same by every reader.
pub(crate) fn read(text: &str) -> Result<Document, Error> {
    guard::check(text)?;
    let nodes = Nodes::read(text)?;
    let mut decoder = Decoder::new(&nodes);
    let value = decoder.document()?;
    Ok(Document { value, repeated: decoder.repeated })
}

/// The error for a text with more than one document.
pub(crate) const ANOTHER_DOCUMENT: &str = "something stands behind the document's end";

/// The error for a duplicate key, whose name isn't shown.
pub(crate) const DUPLICATE: &str = "a key stands twice in one mapping";
