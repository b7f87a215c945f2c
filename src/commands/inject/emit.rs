//! Objects as text. What is written as YAML is read again before it goes out: a manifest that says
//! something else than it said is worse than none.

use super::{InjectError, Input, yaml};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::PrettyFormatter;
use serde_saphyr::{DoubleQuoted, SerializerOptions};

/// As kubectl indents JSON.
pub(super) const INDENT: &str = "    ";

/// An object as a YAML document.
pub(super) fn yaml(value: &Value, input: &Input, document: usize) -> Result<String, InjectError> {
    // A long line says exactly what it says; a folded one depends on its reader.
    let readable = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let plainest = serde_saphyr::ser_options! { quote_all: true, prefer_block_scalars: false };
    [readable, plainest]
        .into_iter()
        .find_map(|options| exactly(value, options))
        .ok_or_else(|| fault(input, document, "the object can't be written as YAML (-o json may do)"))
}

fn exactly(value: &Value, options: SerializerOptions) -> Option<String> {
    let text = serde_saphyr::to_string_with_options(&Styled(value), options).ok()?;
    // Compared as text, because two objects are equal whatever the order of their keys.
    let same = serde_json::to_vec(&yaml::parse(&text).ok()?).ok()? == serde_json::to_vec(value).ok()?;
    same.then_some(text)
}

/// An object as a JSON document of its own.
pub(super) fn json(value: &Value, input: &Input, document: usize) -> Result<String, InjectError> {
    let mut text = json_with(value, Some(INDENT), input, document)?;
    text.push('\n');
    Ok(text)
}

/// An object as JSON with an indentation, or without one on a single line.
pub(super) fn json_with(
    value: &Value,
    indent: Option<&str>,
    input: &Input,
    document: usize,
) -> Result<String, InjectError> {
    let Some(indent) = indent else { return Ok(value.to_string()) };
    let mut written = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    let done = value.serialize(&mut serde_json::Serializer::with_formatter(&mut written, formatter));
    let text = done.ok().and_then(|()| String::from_utf8(written).ok());
    text.ok_or_else(|| fault(input, document, "the object can't be written as JSON"))
}

fn fault(input: &Input, document: usize, reason: &str) -> InjectError {
    InjectError::Fault { place: format!("{}: document {document}", input.name), reason: reason.to_owned() }
}

/// A value whose strings are quoted where YAML readers disagree about the better looking style.
struct Styled<'a>(&'a Value);

impl Serialize for Styled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // The reader in Kubernetes takes a tab at the beginning of a block scalar for bad
            // indentation, and leading blanks call for an indentation indicator.
            Value::String(text) if text.contains('\n') && text.starts_with([' ', '\t', '\n']) => {
                DoubleQuoted(text).serialize(serializer)
            }
            Value::Array(items) => serializer.collect_seq(items.iter().map(Styled)),
            Value::Object(fields) => serializer.collect_map(fields.iter().map(|(key, value)| (key, Styled(value)))),
            other => other.serialize(serializer),
        }
    }
}
