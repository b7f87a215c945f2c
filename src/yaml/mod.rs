//! YAML as Kubernetes reads it. kubectl, Helm and API servers read it with `sigs.k8s.io/yaml`, which
//! is go-yaml version 2 and then JSON; `tests/inject` compares with it.
//!
//! No library in Rust reads by those rules: what there is resolves scalars as YAML 1.2 does, or as
//! 1.1 would, and refuses or merges what Kubernetes doesn't. So the text is taken apart by one
//! (`granit-parser`, the one beneath `serde-saphyr`), and what its nodes mean is decided here:
//! [`nodes`] → [`scalar`] → [`value`]. What the parser is known to take apart in another way than
//! go-yaml is an error ([`guard`]), so that a document is either read the same or not at all.

mod guard;
mod nodes;
mod scalar;
mod value;

use nodes::Nodes;
use serde_json::Value;
use std::fmt;
use value::Decoder;

pub(crate) use scalar::is_text;

/// A place in a text; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column in that line, in characters.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text can't be read, in words that never hold the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {reason}")]
pub(crate) struct Error {
    /// Where.
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

/// One document, read.
#[derive(Debug)]
pub(crate) struct Document {
    /// What it says; null where it says nothing.
    pub value: Value,
    /// Where a key stands that was given before in its mapping. The last one counts.
    pub repeated: Option<Position>,
}

/// Reads one document.
///
/// # Errors
/// It isn't YAML, says what JSON can't, or something that not every reader takes for the same.
pub(crate) fn read(text: &str) -> Result<Document, Error> {
    guard::check(text)?;
    let nodes = Nodes::read(text)?;
    let mut decoder = Decoder::new(&nodes);
    let value = decoder.document()?;
    Ok(Document { value, repeated: decoder.repeated })
}

/// What is said of a text that is more than one document.
pub(crate) const ANOTHER_DOCUMENT: &str = "something stands behind the document's end";

/// What is said of a mapping that has a key twice; which one isn't shown.
pub(crate) const DUPLICATE: &str = "a key stands twice in one mapping";
