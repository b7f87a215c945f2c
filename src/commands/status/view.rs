//! What is shown of it.

use super::events::Line;
use crate::core::text::line;
use crate::settings::freshness;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many pods that are out of step are named.
const PODS: usize = 10;
/// How many workloads are named that wait for the same.
const WORKLOADS: usize = 3;
/// For how many seconds a good word counts, where the controller doesn't say it, and how old a look may be
/// before it is told of.
const FRESH: i64 = freshness(Duration::ZERO).as_secs().cast_signed();

/// Characters of a text that are shown.
const MAX_TEXT: usize = 1000;

/// Whoever may write the ConfigMap or Events wrote these texts: each is shown on one line.
fn cleaned(value: &Value) -> Value {
    match value {
        Value::String(text) => line(text, MAX_TEXT, &[]).into(),
        Value::Array(items) => items.iter().map(cleaned).collect(),
        Value::Object(fields) => Value::Object(cleaned_fields(fields)),
        other => other.clone(),
    }
}

fn cleaned_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().map(|(name, value)| (line(name, MAX_TEXT, &[]), cleaned(value))).collect()
}

/// What the controller says. What is missing or of another shape is left out: it may be older or
/// newer than this program.
#[derive(Clone, Debug)]
pub struct Status {
    place: String,
    there: bool,
    credential: Option<Map<String, Value>>,
    pods: Option<Map<String, Value>>,
    events: Result<Vec<Line>, String>,
    now: i64,
    colour: bool,
}

impl Status {
    pub(super) fn new(
        place: String,
        there: bool,
        credential: Option<&str>,
        pods: Option<&str>,
        events: Result<Vec<Line>, String>,
        now: i64,
    ) -> Self {
        let object = |text: &str| match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        };
        let (credential, pods) = (credential.and_then(object), pods.and_then(object));
        Self { place, there, credential, pods, events, now, colour: false }
    }

    /// Written with colours, or without.
    #[must_use]
    pub fn coloured(self, colour: bool) -> Self {
        Self { colour, ..self }
    }

    /// Whether nothing needs a person: the credential was just seen to work, and no pod lacks anything or
    /// waits.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.state() == Some("valid") && !self.is_stale() && self.pods_are_good()
    }

    /// Whether the last good look is too old to be believed.
    fn is_stale(&self) -> bool {
        let Some(part) = &self.credential else { return false };
        let text = |name: &str| part.get(name).and_then(Value::as_str);
        let fresh_for = part.get("freshFor").and_then(Value::as_i64).unwrap_or(FRESH);
        let seen = text("seenAt").or_else(|| text("checkedAt"));
        // A time that can't be read is no time at which anything was seen.
        // One in the future is a clock's mistake, or somebody's.
        seen.and_then(|at| self.seconds_since(at)).is_none_or(|age| age >= fresh_for || age <= -fresh_for)
    }

    fn pods_are_good(&self) -> bool {
        let Some(part) = &self.pods else { return true };
        let count = |name: &str| part.get("counts").and_then(|counts| counts.get(name)).and_then(Value::as_u64);
        let out =
            ["missed", "outdated", "stale", "not_ready"].iter().any(|name| count(name).is_some_and(|count| count > 0));
        let waits = part.get("waiting").and_then(Value::as_object).is_some_and(|waiting| !waiting.is_empty());
        !out && !waits
    }

    fn state(&self) -> Option<&str> {
        self.credential.as_ref()?.get("state")?.as_str()
    }

    /// For machines: what the controller wrote, as it wrote it.
    #[must_use]
    pub fn json(&self) -> Value {
        let events = self.events.as_ref().map(|lines| {
            let lines = lines.iter().map(|line| {
                json!({ "at": crate::time::rfc3339(line.at), "type": if line.warning { "Warning" } else { "Normal" },
                    "reason": line.reason, "about": line.about, "note": line.note })
            });
            lines.collect::<Vec<_>>()
        });
        json!({
            "good": self.is_good(),
            "credential": self.credential,
            "pods": self.pods,
            "events": events.unwrap_or_default(),
        })
    }

    fn credential(&self, f: &mut fmt::Formatter<'_>, part: &Map<String, Value>) -> fmt::Result {
        let text = |name: &str| part.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let state = text("state").unwrap_or("unknown");
        let seen = text("seenAt").or_else(|| text("checkedAt"));
        let is_old = matches!(state, "valid" | "expires") && self.is_stale();
        let unverified = format!("unverified since {}", seen.unwrap_or("ever"));
        let state = if is_old { unverified.as_str() } else { state };
        let paint = if state == "valid" { "32" } else { "31" };
        writeln!(f, "Credential: {}", self.painted(state, paint))?;
        let mut row = |name: &str, value: String| writeln!(f, "  {name:<9} {value}");
        if is_old {
            row("says", "it worked then, and nobody has looked since: look whether the controller runs".to_owned())?;
        } else if let Some(message) = text("message") {
            row("says", message.to_owned())?;
        }
        if let Some(advice) = text("advice") {
            row("to do", advice.to_owned())?;
        }
        let account = text("account").map(|account| format!(", account {account}")).unwrap_or_default();
        row("mode", format!("{}{account}", text("mode").unwrap_or("?")))?;
        row("Secret", format!("{}, key {}", text("secret").unwrap_or("?"), text("key").unwrap_or("?")))?;
        if let Some(server) = text("server") {
            row("Argo CD", server.to_owned())?;
        }
        if let Some(settings) = text("settings") {
            row("settings", settings.to_owned())?;
        }
        if let Some(id) = text("keyId") {
            row("key", id.to_owned())?;
        }
        match (text("validSince"), text("expiresAt")) {
            (since, Some(until)) => row(
                "valid",
                format!("{}until {until}", since.map(|since| format!("from {since} ")).unwrap_or_default()),
            )?,
            (Some(since), None) => row("valid", format!("since {since}, never expires"))?,
            (None, None) => {}
        }
        if let Some(seen) = text("seenAt") {
            row("seen", format!("to work {}", self.since(seen)))?;
        }
        if let Some(checked) = text("checkedAt") {
            let late = self.seconds_since(checked).is_some_and(|age| age > FRESH);
            let late = if late { ": look whether the controller runs" } else { "" };
            row("checked", format!("{}{late}", self.since(checked)))?;
        }
        let keys = part.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if !keys.is_empty() {
            writeln!(f, "Keys of ours:")?;
        }
        for key in keys {
            let id = key.get("id").and_then(Value::as_str).unwrap_or("?");
            let current = key.get("current").and_then(Value::as_bool).unwrap_or_default();
            let made = key.get("issuedAt").and_then(Value::as_str).map(|at| self.since(at)).unwrap_or_default();
            writeln!(f, "  {id}  {}  made {made}", if current { "in use    " } else { "superseded" })?;
        }
        Ok(())
    }

    fn pods(f: &mut fmt::Formatter<'_>, part: &Map<String, Value>) -> fmt::Result {
        let counts = part.get("counts").and_then(Value::as_object);
        let counts: Vec<String> = counts
            .into_iter()
            .flatten()
            .filter(|(_, count)| count.as_u64() != Some(0))
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        writeln!(f, "Pods: {}", if counts.is_empty() { "none".to_owned() } else { counts.join(", ") })?;
        let pods = part.get("pods").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let text = |pod: &Value, name: &str| pod.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let out: Vec<&Value> = pods.iter().filter(|pod| text(pod, "verdict") != "in_step").collect();
        for pod in out.iter().take(PODS) {
            let reason =
                Some(text(pod, "reason")).filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
            writeln!(f, "  {}  {}{}", text(pod, "name"), text(pod, "verdict"), reason.unwrap_or_default())?;
        }
        if out.len() > PODS {
            writeln!(f, "  and {} more", out.len() - PODS)?;
        }
        // A reason that many share is said once.
        let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (workload, why) in part.get("waiting").and_then(Value::as_object).into_iter().flatten() {
            waiting.entry(why.as_str().unwrap_or_default()).or_default().push(workload);
        }
        for (why, workloads) in waiting {
            let verb = if workloads.len() == 1 { "waits" } else { "wait" };
            let more = workloads.len().saturating_sub(WORKLOADS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let named: Vec<&str> = workloads.into_iter().take(WORKLOADS).collect();
            writeln!(f, "  {}{more} {verb}: {why}", named.join(", "))?;
        }
        Ok(())
    }

    fn painted(&self, text: &str, colour: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn seconds_since(&self, time: &str) -> Option<i64> {
        Some(self.now - time.parse::<Timestamp>().ok()?.as_second())
    }

    fn since(&self, time: &str) -> String {
        self.seconds_since(time).map_or_else(|| time.to_owned(), |age| format!("{} ago ({time})", long(age)))
    }
}

fn long(seconds: i64) -> String {
    match seconds {
        172_800.. => format!("{} days", seconds / 86_400),
        7_200.. => format!("{} h", seconds / 3_600),
        120.. => format!("{} min", seconds / 60),
        _ => format!("{} s", seconds.max(0)),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.credential {
            Some(part) => self.credential(f, &cleaned_fields(part))?,
            None if self.there => writeln!(f, "Credential: ConfigMap {} says nothing of it yet", self.place)?,
            None => writeln!(
                f,
                "Credential: there is no ConfigMap {}; look whether the controller runs, and at --namespace and --release",
                self.place
            )?,
        }
        if let Some(part) = &self.pods {
            Self::pods(f, &cleaned_fields(part))?;
        }
        match &self.events {
            Ok(lines) if lines.is_empty() => {}
            Ok(lines) => {
                writeln!(f, "Last Events:")?;
                for event in lines {
                    let kind = if event.warning { self.painted("Warning", "33") } else { "Normal ".to_owned() };
                    let age = format!("{} ago", long(self.now - event.at));
                    let [reason, about, note] =
                        [&event.reason, &event.about, &event.note].map(|text| line(text, MAX_TEXT, &[]));
                    writeln!(f, "  {age:<12} {kind} {reason} {about}: {note}")?;
                }
            }
            Err(error) => writeln!(f, "Last Events: not known: {error}")?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    fn status(credential: Option<&Value>, pods: Option<&Value>) -> Status {
        let (credential, pods) = (credential.map(Value::to_string), pods.map(Value::to_string));
        let event = Line {
            at: NOW - 200,
            warning: true,
            reason: "CredentialRefused".to_owned(),
            about: "Secret argocd-token".to_owned(),
            note: "a new key is made".to_owned(),
        };
        let place = "codefresh/argocd-auth-webhook-status".to_owned();
        let there = credential.is_some() || pods.is_some();
        Status::new(place, there, credential.as_deref(), pods.as_deref(), Ok(vec![event]), NOW)
    }

    #[test]
    fn all_of_it_is_one_screen() {
        let time = |ago: i64| crate::time::rfc3339(NOW - ago);
        let credential = json!({
            "mode": "password", "secret": "argocd-token", "key": "token", "account": "admin", "state": "valid",
            "message": "the key works and never expires", "server": "http://argocd-server.codefresh.svc",
            "settings": "auth: password mode, user admin, Secret argocd-initial-admin-secret, key password; by default: Argo CD at Service argocd-server, port 80",
            "checkedAt": time(90), "validSince": time(90_000), "keyId": "argocd-auth-webhook-codefresh-2",
            "keys": [{"id": "argocd-auth-webhook-codefresh-2", "issuedAt": time(90_000), "current": true},
                {"id": "argocd-auth-webhook-codefresh-1", "issuedAt": time(900_000), "current": false}],
        });
        let pod = |number: usize, verdict: &str| json!({"name": format!("pod-{number}"), "service": "app-proxy", "verdict": verdict, "reason": "it was missed"});
        let pods: Vec<Value> = (0..12).map(|number| pod(number, "lacks")).chain([pod(13, "in_step")]).collect();
        let pods = json!({"pods": pods, "counts": {"in_step": 1, "lacks": 12, "odd": 0}, "waiting": {"Deployment a": "it is paused"}});
        let whole = status(Some(&credential), Some(&pods));
        assert!(!whole.is_good(), "pods wait");
        insta::assert_snapshot!(whole.to_string());

        let refused = json!({
            "mode": "token", "secret": "mine", "key": "token", "account": null, "state": "refused", "message": "no",
            "advice": "make a new key", "checkedAt": time(9000), "expiresAt": time(-9000), "keys": [],
        });
        let refused = status(Some(&refused), None);
        assert!(!refused.is_good());
        insta::assert_snapshot!("refused", refused.to_string());
        insta::assert_snapshot!("nothing", status(None, None).to_string());
        assert!(Status { colour: true, ..refused }.to_string().contains("\x1b[31mrefused\x1b[0m"));
        assert_eq!(whole.json()["credential"], credential);
    }

    #[test]
    fn a_reason_that_many_workloads_share_is_said_once() {
        let mut waiting: Map<String, Value> =
            (0..12).map(|n| (format!("Deployment/{n:02}"), json!("not allowed"))).collect();
        waiting.insert("StatefulSet/a".to_owned(), json!("it is paused"));
        let said = status(None, Some(&json!({ "waiting": waiting }))).to_string();
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("wait")).collect();
        let wanted = [
            "  StatefulSet/a waits: it is paused",
            "  Deployment/00, Deployment/01, Deployment/02 and 9 more wait: not allowed",
        ];
        assert_eq!(lines, wanted);
    }

    #[test]
    fn only_what_was_just_seen_to_work_is_good() {
        let time = |ago: i64| crate::time::rfc3339(NOW - ago);
        let seen =
            |state: &str, ago: i64| json!({"state": state, "checkedAt": time(0), "seenAt": time(ago), "freshFor": 900});
        let good = |credential: &Value, pods: Option<&Value>| {
            let status = status(Some(credential), pods);
            assert_eq!(status.json()["good"], json!(status.is_good()));
            status.is_good()
        };
        assert!(good(&seen("valid", 899), None));
        assert!(!good(&seen("valid", 900), None));
        assert!(good(&seen("valid", -30), None), "a clock that is a little ahead");
        assert!(!good(&seen("valid", -900), None), "a time that hasn't come");
        assert!(status(Some(&seen("valid", 900)), None).to_string().starts_with("Credential: unverified since 20"));
        assert!(!good(&seen("key_lost", 1), None));
        assert!(!good(&json!({"state": "valid", "checkedAt": time(300)}), None), "of an older controller");
        assert!(!good(&json!({"state": "valid"}), None), "nobody knows when");
        for name in ["missed", "outdated", "stale", "not_ready"] {
            assert!(!good(&seen("valid", 1), Some(&json!({"counts": {name: 1}}))), "{name}");
        }
        assert!(!good(&seen("valid", 1), Some(&json!({"counts": {}, "waiting": {"Deployment a": "it is paused"}}))));
        assert!(good(&seen("valid", 1), Some(&json!({"counts": {"in_step": 3, "stale": 0}, "waiting": {}}))));
        assert!(!status(None, None).is_good());
    }

    #[test]
    fn nobody_who_writes_the_status_steers_the_terminal_or_forges_a_line() {
        let evil = "x\u{1b}]52;c;x\u{7}\u{202e}\nCredential: valid";
        let text = |names: &[&str]| {
            Value::Object(
                names
                    .iter()
                    .map(|name| ((*name).to_owned(), evil.into()))
                    .chain([("keys".to_owned(), json!([{"id": evil, "issuedAt": evil}]))])
                    .collect(),
            )
        };
        let credential = text(&[
            "state",
            "message",
            "advice",
            "mode",
            "account",
            "secret",
            "key",
            "server",
            "settings",
            "keyId",
            "validSince",
            "expiresAt",
            "seenAt",
            "checkedAt",
        ]);
        let pods = json!({"counts": {evil: 1}, "pods": [{"name": evil, "verdict": evil, "reason": evil}], "waiting": {evil: evil}});
        let mut status = status(Some(&credential), Some(&pods));
        if let Ok(events) = &mut status.events {
            events[0] =
                Line { reason: evil.to_owned(), about: evil.to_owned(), note: evil.to_owned(), ..events[0].clone() };
        }
        let said = status.to_string();
        assert!(!said.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{said}");
        assert!(!said.lines().any(|line| line.starts_with("Credential: valid")), "{said}");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 20, 5, |inner| {
            let names = "(state|keys|id|issuedAt|checkedAt|pods|counts|waiting|name|verdict|expiresAt)";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::hash_map(names, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_shape_is_too_strange(credential in any_json(), pods in any_json()) {
            let status = status(Some(&credential), Some(&pods));
            let _ = (status.to_string(), status.json());
        }
    }
}
