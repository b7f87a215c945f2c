//! YAML as Kubernetes reads it: version 1.1, where a plain `yes` is a boolean and `0644` is octal.

use serde_saphyr::Options;

/// What is said of a mapping that has a key twice; which one isn't shown.
pub(crate) const DUPLICATE: &str = "a key stands twice in one mapping";

/// The reader's options. Its limits are made for files from strangers; here a person reads files of
/// their own, which may be large (a whole cluster's export) and use one anchor a thousand times.
/// Depth stays bounded, because it costs stack, and so does what aliases expand to.
pub(crate) fn options() -> Options {
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
pub(crate) fn explain(error: &serde_saphyr::Error) -> String {
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
