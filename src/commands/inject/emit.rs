//! Writes objects as text. YAML is read again before it is printed: a manifest that says something else than
//! before would be worse than none.

use super::{InjectError, Input};
use crate::yaml;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_json::ser::PrettyFormatter;
use serde_saphyr::{DoubleQuoted, SerializerOptions};

/// The indentation that kubectl uses in JSON.
pub(super) const INDENT: &str = "    ";

/// An object as a YAML document. `place` puts the text where it belongs and reads it there; the result must
/// equal the object.
pub(super) fn yaml(
    value: &Value,
    input: &Input,
    document: usize,
    place: impl Fn(&str) -> (String, Option<Value>),
) -> Result<String, InjectError> {
    // A long line is unambiguous; a folded one depends on its reader.
    let readable = serde_saphyr::ser_options! { folded_wrap_chars: usize::MAX };
    let plainest = serde_saphyr::ser_options! { quote_all: true, prefer_block_scalars: false };
    let exactly = |options: SerializerOptions| {
        let (placed, read) = place(&serde_saphyr::to_string_with_options(&Styled(value), options).ok()?);
        read.is_some_and(|read| same(&read, value)).then_some(placed)
    };
    [readable, plainest]
        .into_iter()
        .find_map(exactly)
        .ok_or_else(|| fault(input, document, "the object can't be written as YAML (-o json may do)"))
}

/// Whether two objects are equal, with their keys in the same order. As for YAML and the API server, `1`
/// equals `1.0`.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) if one.is_f64() || other.is_f64() => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let fields = one.iter().zip(other);
            one.len() == other.len() && fields.into_iter().all(|((a, one), (b, other))| a == b && same(one, other))
        }
        _ => one == other,
    }
}

/// An object as a separate JSON document.
pub(super) fn json(value: &Value, input: &Input, document: usize) -> Result<String, InjectError> {
    let mut text = json_with(value, Some(INDENT), input, document)?;
    text.push('\n');
    Ok(text)
}

/// An object as JSON with this indentation, or on one line.
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
    InjectError::Fault { place: format!("{}: document {document}", input.shown_name()), reason: reason.to_owned() }
}

/// A value whose strings are quoted if YAML readers could disagree about the plain form.
struct Styled<'a>(&'a Value);

impl Serialize for Styled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) => Text(text).serialize(serializer),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Styled)),
            Value::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(key, value)| (Text(key), Styled(value))))
            }
            other => other.serialize(serializer),
        }
    }
}

struct Text<'a>(&'a str);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0;
        let as_it_looks = if text.contains('\n') { is_fit_for_a_block(text) } else { yaml::is_text(text) };
        if as_it_looks { text.serialize(serializer) } else { DoubleQuoted(text).serialize(serializer) }
    }
}

/// Whether a text of several lines is the same as a block scalar, for every reader and whatever follows it.
/// Kubernetes' reader takes a tab at the beginning for bad indentation, leading blanks need an indentation
/// indicator, and a block that ends in empty lines absorbs those behind the document.
fn is_fit_for_a_block(text: &str) -> bool {
    let last = text.strip_suffix('\n').unwrap_or(text).rsplit('\n').next().unwrap_or_default();
    let printable = |c: char| c == '\n' || (!c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}'));
    !text.starts_with([' ', '\t', '\n']) && !last.trim().is_empty() && text.chars().all(printable)
}
