//! Injects into JSON: one object, or several one after another.

use super::error::Unread;
use super::object::Treater;
use super::tree::{Tree, type_name};
use super::write::Writer;
use super::{Format, InjectError, Input, Position, emit, yaml};
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// One object of an input, as text.
pub(super) struct Document<'a> {
    /// The white space before the object.
    before: &'a str,
    text: &'a str,
    /// The white space after the object; only the last one has any.
    after: &'a str,
    /// Where the object begins.
    at: Position,
}

/// Splits an input into objects, without reading them.
pub(super) fn documents<'a>(input: &Input, text: &'a str) -> Result<Vec<Document<'a>>, InjectError> {
    let mut documents: Vec<Document<'a>> = Vec::new();
    let mut stream = Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut done = 0;
    while let Some(next) = stream.next() {
        let document = documents.len() + 1;
        let rest = text.get(done..).unwrap_or_default();
        let start = done + (rest.len() - rest.trim_start().len());
        let at = position(text, start);
        if let Err(error) = next {
            let start_of_stream = Position { line: 1, column: 1 };
            return Err(broken(&error, start_of_stream).into_error(input.shown_name(), document));
        }
        let end = stream.byte_offset();
        let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        documents.push(Document { before: slice(done, start), text: slice(start, end), after: "", at });
        done = end;
    }
    if let Some(last) = documents.last_mut() {
        last.after = text.get(done..).unwrap_or_default();
    }
    Ok(documents)
}

/// Injects into the objects and writes them.
pub(super) fn treat(
    input: &Input,
    documents: Vec<Document<'_>>,
    format: Format,
    treater: &mut Treater<'_>,
    writer: &mut Writer,
) -> Result<(), InjectError> {
    for (index, document) in documents.into_iter().enumerate() {
        let number = index + 1;
        let Document { before, text, after, at } = document;
        let read = match serde_json::from_str::<Tree>(text) {
            Ok(Tree(value)) if value.is_object() => Ok(value),
            Ok(Tree(value)) => Err(Unread::NotAnObject { at, found: type_name(&value) }),
            Err(error) => Err(broken(&error, at)),
        };
        let mut value = match read {
            Ok(value) => value,
            Err(error) => {
                // JSON is YAML, so it can be passed through in either format.
                treater.unread(input, number, text, error)?;
                writer.json(&[before, text, after].concat());
                continue;
            }
        };
        let changed = treater.object(&mut value, input, number)?;
        match format {
            Format::Yaml => {
                let alone = |content: &str| (content.to_owned(), yaml::parse(content));
                writer.document(&emit::yaml(&value, input, number, alone)?);
            }
            Format::Json if changed => {
                // Keep its layout.
                let indent = text.contains('\n').then(|| indent_of(text));
                let written = emit::json_with(&value, indent, input, number)?;
                writer.json(&[before, &written, after].concat());
            }
            Format::Json => writer.json(&[before, text, after].concat()),
        }
    }
    Ok(())
}

/// The indentation of the line after an object's opening brace.
fn indent_of(text: &str) -> &str {
    let inside = text.trim_start_matches('{').trim_start_matches(['\r', '\n']);
    let width = inside.len() - inside.trim_start_matches([' ', '\t']).len();
    inside.get(..width).filter(|indent| !indent.is_empty()).unwrap_or(emit::INDENT)
}

/// `from` is where the parsed text begins in the input.
fn broken(error: &serde_json::Error, from: Position) -> Unread {
    let (line, column) = (error.line(), error.column().max(1));
    let at = match line {
        0 => None,
        1 => Some(Position { line: from.line, column: from.column + column - 1 }),
        _ => Some(Position { line: from.line + line - 1, column }),
    };
    let mut reason = error.to_string();
    // serde_json's message ends with the position, which is reported separately.
    if let Some(end) = reason.rfind(" at line ") {
        reason.truncate(end);
    }
    Unread::Broken { at, reason: format!("not valid JSON: {reason}") }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: offset - line_start + 1 }
}
