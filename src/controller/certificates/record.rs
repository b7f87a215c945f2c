//! What is remembered between steps: annotations of the CA Secret, readable for people.

use super::snapshot::{Request, RotationRecord};
use crate::controller::ROTATE;
use crate::pki::Id;
use crate::time::{Seconds, rfc3339};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TRUSTED: &str = "argocd-auth-webhook/trusted-since";
const SERVED: &str = "argocd-auth-webhook/served-since";
const RENEW: &str = "argocd-auth-webhook/renew-leaf";

/// Reads the record. An annotation that can't be parsed or is about a certificate that isn't `known` is
/// dropped, which only costs time.
pub(super) fn read(annotations: &BTreeMap<String, String>, known: &[Id]) -> RotationRecord {
    let find = |text: &str| known.iter().find(|id| id.to_string() == text).copied();
    let since = |name: &str| -> Option<(Id, Seconds)> {
        let (id, time) = annotations.get(name)?.split_once(' ')?;
        Some((find(id)?, time.parse::<Timestamp>().ok()?.as_second()))
    };
    RotationRecord {
        trusted: since(TRUSTED),
        served: since(SERVED),
        renew: annotations.get(RENEW).and_then(|text| find(text)),
    }
}

/// Whether there are annotations of the record that could not be used.
pub(super) fn has_stale_annotations(annotations: &BTreeMap<String, String>, read: &RotationRecord) -> bool {
    let understood =
        [(TRUSTED, read.trusted.is_some()), (SERVED, read.served.is_some()), (RENEW, read.renew.is_some())];
    understood.into_iter().any(|(name, understood)| !understood && annotations.contains_key(name))
}

/// The rotation that a person requests; `None` without the annotation.
pub(super) fn request(annotations: &BTreeMap<String, String>) -> Option<Request> {
    annotations.get(ROTATE).map(|what| match what.as_str() {
        "ca" => Request::Ca,
        "leaf" => Request::Leaf,
        _ => Request::Unknown,
    })
}

/// The record's annotations as a merge patch. `answered` removes the annotation with the request.
pub(super) fn write(record: &RotationRecord, answered: bool) -> Value {
    let since = |mark: Option<(Id, Seconds)>| mark.map(|(id, since)| format!("{id} {}", rfc3339(since)));
    let mut annotations = json!({
        TRUSTED: since(record.trusted),
        SERVED: since(record.served),
        RENEW: record.renew.map(|id| id.to_string()),
    });
    if answered {
        annotations[ROTATE] = Value::Null;
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_what_was_written() {
        let (a, b) = (Id([7; 32]), Id([9; 32]));
        let record =
            RotationRecord { trusted: Some((a, 1_800_000_000)), served: Some((b, 1_800_000_060)), renew: Some(b) };
        let written = write(&record, false);
        let annotations: BTreeMap<String, String> = serde_json::from_value(written).unwrap();
        assert_eq!(annotations[TRUSTED], "sha256:0707070707070707 2027-01-15T08:00:00Z");
        assert_eq!(read(&annotations, &[a, b]), record);
        assert_eq!(read(&annotations, &[a]), RotationRecord { served: None, renew: None, ..record });
        assert_eq!(write(&RotationRecord::default(), true)[ROTATE], Value::Null);
    }

    #[test]
    fn nonsense_is_not_remembered() {
        let id = Id([7; 32]);
        for text in ["", " ", "sha256:0707070707070707", "sha256:0707070707070707 yesterday", "x 2027-01-15T08:00:00Z"]
        {
            let annotations = BTreeMap::from([(TRUSTED.to_owned(), text.to_owned())]);
            assert_eq!(read(&annotations, &[id]), RotationRecord::default(), "{text:?}");
        }
    }
}
