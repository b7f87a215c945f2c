//! YAML as Kubernetes reads it: version 1.1, where a plain `yes` is a boolean and `0644` is octal.

use super::object::Treater;
use super::split::{Chunk, is_marker, lines, split};
use super::tree::{DUPLICATE, Tree, type_name};
use super::write::Writer;
use super::{Format, InjectError, Input, Position, emit};
use serde_json::Value;
use serde_saphyr::Options;

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

/// The reader's options. Its limits are made for files from strangers; here a person reads files of
/// their own, which may be large (a whole cluster's export) and use one anchor a thousand times.
/// Depth stays bounded, because it costs stack, and so does what aliases expand to.
fn options() -> Options {
    serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_reader_input_bytes: None,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_aliases: usize::MAX,
            max_anchors: usize::MAX,
            max_merge_keys: usize::MAX,
            enforce_alias_anchor_ratio: false,
            // Each level costs stack. The deepest objects known, definitions of custom resources,
            // stay below half of it.
            max_depth: 64,
        },
    }
}

/// What is wrong, in words that never hold the document's text.
fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error as E;
    match error.without_snippet() {
        E::ExternalMessage { msg, .. } | E::Message { msg, .. } => msg.clone(),
        E::DuplicateMappingKey { .. } => DUPLICATE.to_owned(),
        E::UnknownAnchor { .. } => "an alias whose anchor isn't there".to_owned(),
        E::RecursiveReferencesRequireWeakTypes { .. } => "an alias inside of what it stands for".to_owned(),
        E::NonFiniteFloat { .. } => "a number that JSON can't hold (infinite, or not a number)".to_owned(),
        E::InvalidBinaryBase64 { .. } | E::BinaryNotUtf8 { .. } => "!!binary that is not text in base64".to_owned(),
        E::InvalidScalar { ty, .. } => format!("a value that is not of its tag's type ({ty})"),
        E::MergeValueNotMapOrSeqOfMaps { .. } => "<< merges something that is not a mapping".to_owned(),
        E::AliasError { error, .. } => explain(error),
        E::Budget { .. } | E::AliasReplayLimitExceeded { .. } | E::AliasReplayStackDepthExceeded { .. } => {
            "nested too deeply, or aliases that expand to too much".to_owned()
        }
        E::Unexpected { expected, .. } => format!("expected {expected}"),
        E::Eof { .. } => "it ends too early".to_owned(),
        E::MultipleDocuments { .. } => "something stands behind the document's end".to_owned(),
        _ => "it can't be understood".to_owned(),
    }
}

/// The document with new content, in the surroundings and with the line breaks that it had.
fn rewrite(chunk: &Chunk<'_>, content: &str) -> String {
    let marker = if is_marker(chunk.body, "---") { "---\n" } else { "" };
    let content = [marker, content].concat();
    // No reader sees a difference: what matters within scalars is escaped or normalized.
    let content = if chunk.raw.contains("\r\n") { content.replace('\n', "\r\n") } else { content };
    [chunk.head, &content, chunk.tail].concat()
}
