//! JSON: one object, or several one after another.

use super::object::Treater;
use super::tree::{Tree, type_name};
use super::write::Writer;
use super::{Format, InjectError, Input, Position, emit};
use serde_json::{Deserializer, Value};

/// One object of an input.
pub(super) struct Document<'a> {
    /// White space before it.
    before: &'a str,
    text: &'a str,
    /// White space after it, in the last one only.
    after: &'a str,
    value: Value,
}

/// Reads all objects of an input.
pub(super) fn documents<'a>(input: &Input, text: &'a str) -> Result<Vec<Document<'a>>, InjectError> {
    let mut documents: Vec<Document<'a>> = Vec::new();
    let mut stream = Deserializer::from_str(text).into_iter::<Tree>();
    let mut done = 0;
    while let Some(next) = stream.next() {
        let document = documents.len() + 1;
        let rest = text.get(done..).unwrap_or_default();
        let start = done + (rest.len() - rest.trim_start().len());
        let Tree(value) = next.map_err(|error| broken(input, document, &error))?;
        if !value.is_object() {
            let at = position(text, start);
            let found = type_name(&value);
            return Err(InjectError::NotAnObject { input: input.name.clone(), document, at, found });
        }
        let end = stream.byte_offset();
        let slice = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        documents.push(Document { before: slice(done, start), text: slice(start, end), after: "", value });
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
        let Document { before, text, after, mut value } = document;
        let changed = treater.object(&mut value, input, index + 1)?;
        match format {
            Format::Yaml => writer.document(&emit::yaml(&value, input, index + 1)?),
            Format::Json if changed => {
                // In the layout that it had.
                let indent = text.contains('\n').then(|| indent_of(text));
                let written = emit::json_with(&value, indent, input, index + 1)?;
                writer.json(&[before, &written, after].concat());
            }
            Format::Json => writer.json(&[before, text, after].concat()),
        }
    }
    Ok(())
}

/// The indentation that an object's first line shows.
fn indent_of(text: &str) -> &str {
    let inside = text.trim_start_matches('{').trim_start_matches(['\r', '\n']);
    let width = inside.len() - inside.trim_start_matches([' ', '\t']).len();
    inside.get(..width).filter(|indent| !indent.is_empty()).unwrap_or(emit::INDENT)
}

fn broken(input: &Input, document: usize, error: &serde_json::Error) -> InjectError {
    let at = (error.line() > 0).then(|| Position { line: error.line(), column: error.column().max(1) });
    let mut reason = error.to_string();
    // The message ends with the place, which is told already.
    if let Some(end) = reason.rfind(" at line ") {
        reason.truncate(end);
    }
    InjectError::Broken { input: input.name.clone(), document, at, reason: format!("not valid JSON: {reason}") }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position { line: before.matches('\n').count() + 1, column: offset - line_start + 1 }
}
