//! Injects into a stream of YAML documents; unchanged ones are passed through.

use super::error::Unread;
use super::object::Treater;
use super::split::{BOM, Chunk, is_marker, lines, split};
use super::tree::{Tree, type_name};
use super::write::Writer;
use super::{Format, InjectError, Input, Position, emit};
use crate::yaml;
use serde_json::Value;

/// Injects into the documents of a stream and writes them.
pub(super) fn treat(
    input: &Input,
    text: &str,
    format: Format,
    treater: &mut Treater<'_>,
    writer: &mut Writer,
) -> Result<(), InjectError> {
    for chunk in split(text) {
        let document = chunk.number.unwrap_or_default();
        let read = match read(&chunk) {
            Ok(read) => read,
            Err(error) if format == Format::Yaml => {
                treater.unread(input, document, chunk.raw, error)?;
                None
            }
            Err(error) => return Err(error.into_error(input.shown_name(), document)),
        };
        let Some((mut value, repeated)) = read else {
            if format == Format::Yaml {
                writer.yaml(as_it_came(&chunk), chunk.marked || chunk.number.is_none(), chunk.directives);
            }
            continue;
        };
        let changed = treater.object(&mut value, input, document)?;
        if changed && let Some(at) = repeated {
            treater.warn(format!("{at}: {}; Kubernetes reads the last one, and so it is written", yaml::DUPLICATE));
        }
        match format {
            Format::Json => writer.document(&emit::json(&value, input, document)?),
            Format::Yaml if changed => {
                let written = emit::yaml(&value, input, document, |content| rewrite(&chunk, content))?;
                writer.yaml(&written, chunk.marked, chunk.directives);
            }
            Format::Yaml => writer.yaml(as_it_came(&chunk), chunk.marked, chunk.directives),
        }
    }
    Ok(())
}

/// Whether a text is a YAML stream rather than JSON, where its beginning allows both.
pub(super) fn is_stream(text: &str) -> bool {
    match split(text).as_slice() {
        [only] => only.marked || value_of(only).is_ok(),
        _ => true,
    }
}

/// The object of a chunk, with the position of a duplicate key in it; `None` if the chunk has no object.
fn read(chunk: &Chunk<'_>) -> Result<Option<(Value, Option<Position>)>, Unread> {
    if chunk.number.is_none() {
        return Ok(None);
    }
    let (value, repeated) = value_of(chunk)?;
    match value {
        Value::Object(_) => Ok(Some((value, repeated))),
        Value::Null => Ok(None),
        other => {
            let at = Position { line: chunk.lines_before + lines(chunk.head).count() + 1, column: 1 };
            Err(Unread::NotAnObject { at, found: type_name(&other) })
        }
    }
}

fn value_of(chunk: &Chunk<'_>) -> Result<(Value, Option<Position>), Unread> {
    if chunk.body.is_empty() {
        return Ok((Value::Null, None));
    }
    // JSON is YAML except for a few characters, and a text that is both reads the same.
    let content = if is_marker(chunk.body, "---") { chunk.body.trim_start_matches('-') } else { chunk.body };
    if content.trim_start().starts_with('{')
        && let Ok(Tree(value)) = serde_json::from_str(content)
    {
        return Ok((value, None));
    }
    // As kubectl does, remove what precedes the content, so that a byte order mark is at the beginning of the
    // text. Directives and anything that isn't plain ASCII stay.
    let whole = chunk.directives || !chunk.head.trim_start_matches(BOM).is_ascii();
    let (text, lines_before) = if whole {
        (chunk.raw, chunk.lines_before)
    } else {
        (chunk.raw.get(chunk.head.len()..).unwrap_or_default(), chunk.lines_before + lines(chunk.head).count())
    };
    let placed = |at: Position| Position { line: lines_before + at.line, ..at };
    match yaml::read(text.strip_prefix(BOM).unwrap_or(text)) {
        Ok(document) => Ok((document.value, document.repeated.map(placed))),
        Err(error) => {
            Err(Unread::Broken { at: Some(placed(error.at)), reason: format!("not valid YAML: {}", error.reason) })
        }
    }
}

/// Reads one document; `None` if it can't be read.
pub(super) fn parse(text: &str) -> Option<Value> {
    yaml::read(text).ok().map(|document| document.value)
}

/// The text of an unchanged chunk, without a byte order mark before its marker, which hides the marker from
/// kubectl.
fn as_it_came<'a>(chunk: &Chunk<'a>) -> &'a str {
    chunk.raw.strip_prefix(BOM).filter(|rest| is_marker(rest, "---")).unwrap_or(chunk.raw)
}

/// Removes tabs from blank lines. Behind a scalar they were part of it or meant nothing; behind a mapping
/// kubectl refuses them.
fn without_tabs(tail: &str) -> String {
    let is_plain = |line: &str| !(line.trim().is_empty() && line.contains('\t'));
    let kept = lines(tail).map(|(_, line)| if is_plain(line) { line } else { line.trim_start_matches([' ', '\t']) });
    kept.collect()
}

/// The document with new content in its former surroundings and with its line breaks, and the value that it
/// reads as there.
fn rewrite(chunk: &Chunk<'_>, content: &str) -> (String, Option<Value>) {
    let marker = if is_marker(chunk.body, "---") { "---\n" } else { "" };
    let content = [marker, content].concat();
    // No reader sees a difference: line breaks within scalars are escaped or normalized.
    let content = if chunk.raw.contains("\r\n") { content.replace('\n', "\r\n") } else { content };
    let head = chunk.head.strip_prefix(BOM).unwrap_or(chunk.head);
    let written = [head, &content, &without_tabs(chunk.tail)].concat();
    let says = match split(&written).as_slice() {
        [only] => value_of(only).ok().map(|(value, _)| value),
        _ => None,
    };
    (written, says)
}
