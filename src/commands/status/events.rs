//! The latest Events of the controller.

use crate::cluster::{ClusterError, FIELD_MANAGER, call_patiently};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};

/// How many Events are shown.
const MAX_EVENTS: usize = 5;

/// An Event, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// When it was emitted, in seconds since 1970.
    pub(super) at: i64,
    pub(super) warning: bool,
    pub(super) reason: String,
    pub(super) about: String,
    pub(super) note: String,
}

/// The latest Events, newest first.
pub(super) async fn last(client: &Client, namespace: &str) -> Result<Vec<Line>, ClusterError> {
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let ours = ListParams::default().fields(&format!("reportingController={FIELD_MANAGER}"));
    let found = call_patiently(&format!("listing the Events of namespace {namespace}"), || events.list(&ours)).await?;
    Ok(newest(found.items))
}

fn newest(events: Vec<Event>) -> Vec<Line> {
    let mut lines: Vec<Line> = events.into_iter().map(line).collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.at));
    lines.truncate(MAX_EVENTS);
    lines
}

fn line(event: Event) -> Line {
    let series = event.series.map(|series| series.last_observed_time.0);
    let at: Option<Timestamp> = series.or(event.event_time.map(|time| time.0));
    let about = event.regarding.unwrap_or_default();
    Line {
        at: at.map(Timestamp::as_second).unwrap_or_default(),
        warning: event.type_.as_deref() == Some("Warning"),
        reason: event.reason.unwrap_or_default(),
        about: format!("{} {}", about.kind.unwrap_or_default(), about.name.unwrap_or_default()),
        note: event.note.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_come_first_and_few_are_shown() {
        let event = |second: u32| {
            serde_json::from_value(json!({
                "metadata": {}, "eventTime": format!("2026-01-01T00:00:{second:02}.000000Z"), "type": "Warning",
                "reason": "R", "note": second.to_string(), "regarding": {"kind": "Secret", "name": "argocd-token"},
            }))
            .unwrap()
        };
        let lines = newest((0..9).map(event).collect());
        assert_eq!(lines.iter().map(|line| line.note.as_str()).collect::<Vec<_>>(), ["8", "7", "6", "5", "4"]);
        assert!(lines[0].warning && lines[0].about == "Secret argocd-token");
    }
}
