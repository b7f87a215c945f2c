//! Shows the status.

use super::events::Line;
use super::leader::Leader;
use crate::core::text::line;
use crate::settings::freshness;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// How many drifted pods are listed.
const MAX_PODS: usize = 10;
/// How many workloads are listed that wait for the same reason.
const MAX_WORKLOADS: usize = 3;
/// For how many seconds a good state counts if the controller doesn't say it, and how old a check has to be
/// to be mentioned.
const MAX_STATUS_AGE: i64 = freshness(Duration::ZERO).as_secs().cast_signed();

/// How many characters of a text are shown.
const MAX_TEXT: usize = 1000;

/// Anybody who may write the ConfigMap or Events can have written these texts, so each is shown on one line.
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

/// The status that the controller published. Parts that are missing or of another type are left out: the
/// controller may be older or newer than this program.
#[derive(Clone, Debug)]
pub struct Status {
    place: String,
    there: bool,
    credential: Option<Map<String, Value>>,
    pods: Option<Map<String, Value>>,
    webhook: Option<Map<String, Value>>,
    events: Result<Vec<Line>, String>,
    leader: Leader,
    now: i64,
    colour: bool,
}

impl Status {
    pub(super) fn new(
        place: String,
        there: bool,
        parts: [Option<&str>; 3],
        events: Result<Vec<Line>, String>,
        now: i64,
    ) -> Self {
        let object = |text: &str| match serde_json::from_str(text) {
            Ok(Value::Object(object)) => Some(object),
            _ => None,
        };
        let [credential, pods, webhook] = parts.map(|part| part.and_then(object));
        let leader = Leader::Unknown("nobody has looked".to_owned());
        Self { place, there, credential, pods, webhook, events, leader, now, colour: false }
    }

    /// Adds what the Lease says about the controller.
    pub(super) fn led_by(self, leader: Leader) -> Self {
        Self { leader, ..self }
    }

    /// Whether `Display` uses colours.
    #[must_use]
    pub fn coloured(self, colour: bool) -> Self {
        Self { colour, ..self }
    }

    /// Whether nothing needs a person: the credential was seen to work recently, no pod has drifted or waits,
    /// and a controller is running.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let is_led = !matches!(self.leader, Leader::Gone(_) | Leader::Never);
        self.state() == Some("valid") && !self.is_stale() && self.pods_are_good() && self.is_registered() && is_led
    }

    /// Whether the last check of the credential is too old to count.
    fn is_stale(&self) -> bool {
        let Some(part) = &self.credential else { return false };
        let text = |name: &str| part.get(name).and_then(Value::as_str);
        let fresh_for = part.get("freshFor").and_then(Value::as_i64).unwrap_or(MAX_STATUS_AGE);
        let seen = text("seenAt").or_else(|| text("checkedAt"));
        // A time that can't be parsed counts as too old.
        // A time in the future comes from a wrong clock, or from somebody else.
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

    /// Whether the webhook is registered for all services, as far as the controller says.
    fn is_registered(&self) -> bool {
        self.webhook.as_ref().is_none_or(|part| part.get("registered") != Some(&Value::Bool(false)))
    }

    fn state(&self) -> Option<&str> {
        self.credential.as_ref()?.get("state")?.as_str()
    }

    /// The status as JSON, as the controller published it.
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
            "controller": match &self.leader {
                Leader::There(holder) => json!({ "there": true, "holder": line(holder, MAX_TEXT, &[]) }),
                Leader::Gone(since) => json!({ "there": false, "renewedAt": crate::time::rfc3339(*since) }),
                Leader::Never => json!({ "there": false }),
                Leader::Unknown(_) => Value::Null,
            },
            "credential": self.credential,
            "pods": self.pods,
            "webhook": self.webhook,
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
            let late = self.seconds_since(checked).is_some_and(|age| age > MAX_STATUS_AGE);
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
        for pod in out.iter().take(MAX_PODS) {
            let reason =
                Some(text(pod, "reason")).filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
            writeln!(f, "  {}  {}{}", text(pod, "name"), text(pod, "verdict"), reason.unwrap_or_default())?;
        }
        if out.len() > MAX_PODS {
            writeln!(f, "  and {} more", out.len() - MAX_PODS)?;
        }
        // A reason that many workloads share is shown once.
        let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (workload, why) in part.get("waiting").and_then(Value::as_object).into_iter().flatten() {
            waiting.entry(why.as_str().unwrap_or_default()).or_default().push(workload);
        }
        for (why, workloads) in waiting {
            let verb = if workloads.len() == 1 { "waits" } else { "wait" };
            let more = workloads.len().saturating_sub(MAX_WORKLOADS);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let named: Vec<&str> = workloads.into_iter().take(MAX_WORKLOADS).collect();
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

    fn ago(&self, at: i64) -> String {
        let time = crate::time::rfc3339(at);
        if at > self.now { format!("at {time}") } else { format!("{} ago ({time})", long(self.now - at)) }
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
        if let Some(part) = self.webhook.as_ref().filter(|_| !self.is_registered()).map(cleaned_fields) {
            let text = |name: &str| part.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            writeln!(f, "Webhook: {}: {}", self.painted("not registered", "31"), text("message"))?;
            writeln!(f, "  {:<9} {}", "to do", text("advice"))?;
        }
        let advice = "look at the pods of its Deployment (kubectl get pods -l app.kubernetes.io/component=controller)";
        match &self.leader {
            Leader::There(holder) => writeln!(f, "Controller: {}", line(holder, MAX_TEXT, &[]))?,
            Leader::Gone(since) => {
                let gone = self.painted("not there", "31");
                writeln!(f, "Controller: {gone}: its Lease was renewed {}; {advice}", self.ago(*since))?;
            }
            Leader::Never => {
                writeln!(f, "Controller: {}: it has no Lease here; {advice}", self.painted("not there", "31"))?;
            }
            Leader::Unknown(error) => writeln!(f, "Controller: not known: {}", line(error, MAX_TEXT, &[]))?,
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
mod tests;
