//! YAML as Kubernetes reads it: version 1.1, where a plain `yes` is a boolean and `0644` is octal.

use super::object::Treater;
use super::split::{Chunk, is_marker, lines, split};
use super::tree::{Tree, type_name};
use super::write::Writer;
use super::{Format, InjectError, Input, Position, emit};
use crate::yaml::{explain, options};
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
        let Some(mut value) = read(input, &chunk)? else {
            if format == Format::Yaml {
                writer.yaml(chunk.raw, chunk.marked || chunk.number.is_none(), chunk.directives);
            }
            continue;
        };
        let document = chunk.number.unwrap_or_default();
        let changed = treater.object(&mut value, input, document)?;
        match format {
            Format::Json => writer.document(&emit::json(&value, input, document)?),
            Format::Yaml if changed => {
                let written = rewrite(&chunk, &emit::yaml(&value, input, document)?);
                writer.yaml(&written, chunk.marked, chunk.directives);
            }
            Format::Yaml => writer.yaml(chunk.raw, chunk.marked, chunk.directives),
        }
    }
    Ok(())
}

/// Whether all of a text can be read as a YAML stream.
pub(super) fn is_readable(text: &str) -> bool {
    split(text).iter().all(|chunk| value_of(chunk).is_ok())
}

/// The object of a chunk; `None` where there is none to be seen.
fn read(input: &Input, chunk: &Chunk<'_>) -> Result<Option<Value>, InjectError> {
    let Some(document) = chunk.number else { return Ok(None) };
    let value = value_of(chunk).map_err(|error| {
        let at = error.location().filter(|location| location.line() > 0).map(|location| {
            let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
            Position { line: chunk.lines_before + number(location.line()), column: number(location.column()) }
        });
        let reason = format!("not valid YAML: {}", explain(&error));
        InjectError::Broken { input: input.name.clone(), document, at, reason }
    })?;
    match value {
        Value::Object(_) => Ok(Some(value)),
        Value::Null => Ok(None),
        other => {
            let at = Position { line: chunk.lines_before + lines(chunk.head).count() + 1, column: 1 };
            Err(InjectError::NotAnObject { input: input.name.clone(), document, at, found: type_name(&other) })
        }
    }
}

fn value_of(chunk: &Chunk<'_>) -> Result<Value, serde_saphyr::Error> {
    if chunk.body.is_empty() {
        return Ok(Value::Null);
    }
    // JSON is YAML but for a few characters: where both can read it, they read the same.
    let content = if is_marker(chunk.body, "---") { chunk.body.trim_start_matches('-') } else { chunk.body };
    if content.trim_start().starts_with('{')
        && let Ok(tree) = serde_json::from_str::<Tree>(content)
    {
        return Ok(tree.0);
    }
    parse(chunk.raw)
}

/// Reads one document.
pub(super) fn parse(text: &str) -> Result<Value, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options::<Tree>(text, options()).map(|tree| tree.0)
}

/// The document with new content, in the surroundings and with the line breaks that it had.
fn rewrite(chunk: &Chunk<'_>, content: &str) -> String {
    let marker = if is_marker(chunk.body, "---") { "---\n" } else { "" };
    let content = [marker, content].concat();
    // No reader sees a difference: what matters within scalars is escaped or normalized.
    let content = if chunk.raw.contains("\r\n") { content.replace('\n', "\r\n") } else { content };
    [chunk.head, &content, chunk.tail].concat()
}
