//! What is said of it: the status, the metrics, the Events.

use super::action::{Action, RemovalMethod, Waiting};
use super::execute::about;
use super::observe::Known;
use super::snapshot::{Snapshot, WorkloadId};
use crate::cluster::{ClusterError, Event};
use crate::controller::{Consumers, Context, status};
use crate::drift::{Drift, is_stale};
use crate::time::{now, rfc3339};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many pods the status names.
const MAX_PODS: usize = 500;
/// The shortest time between two writes of the status.
const MIN_INTERVAL: Duration = Duration::from_secs(2);
/// How long a workload waits before somebody is told.
const TELL_DELAY: Duration = Duration::from_secs(10);
/// How long before somebody is told of what usually passes by itself: a pod that doesn't become ready.
const PASSING_DELAY: Duration = Duration::from_mins(10);
/// How long it is before somebody is told the same again.
const REPEAT_DELAY: Duration = Duration::from_hours(1);

/// What was said last.
#[derive(Default)]
pub(super) struct StatusPublisher {
    status: Option<Value>,
    published: Option<Instant>,
    /// Since when a workload has pods out of step.
    lacking: BTreeMap<WorkloadId, Instant>,
    /// Why a workload waits, since when, and when somebody was told.
    waiting: BTreeMap<WorkloadId, (&'static str, Instant, Option<Instant>)>,
    /// The workloads whose replacement has begun, with how many acts there were.
    begun: BTreeMap<WorkloadId, usize>,
}

impl StatusPublisher {
    /// Tells the other parts and the metrics what was seen.
    pub(super) fn count(context: &Context, seen: &Snapshot, waiting: &BTreeMap<WorkloadId, Waiting>) {
        let mut counts = BTreeMap::new();
        for pod in &seen.pods {
            *counts.entry(pod.shown()).or_insert(0) += 1;
        }
        context.metrics.pods.pods(&counts);
        context.metrics.pods.waiting(waiting.values().filter(|waiting| waiting.trouble).count());
        // Whatever is or isn't ours to touch: who holds an earlier value holds it.
        let stale = seen.pods.iter().filter(|pod| is_stale(&pod.facts, &seen.history, seen.cache)).count();
        let consumers = if stale == 0 { Consumers::InStep } else { Consumers::Stale(stale) };
        context.consumers.send_if_modified(|before| std::mem::replace(before, consumers) != consumers);
    }

    /// Whoever doesn't look counts nothing: the pods are counted by the one who does.
    pub(super) fn nothing_seen(context: &Context) {
        context.metrics.pods.pods(&BTreeMap::new());
        context.metrics.pods.waiting(0);
    }

    /// Writes the status if it says something new. Says whether it has to be asked again soon.
    pub(super) async fn publish(
        &mut self,
        context: &Context,
        seen: &Snapshot,
        waiting: &BTreeMap<WorkloadId, Waiting>,
    ) -> Result<bool, ClusterError> {
        let said = says(seen, waiting);
        if self.status.as_ref() == Some(&said) {
            return Ok(false);
        }
        if self.published.is_some_and(|at| at.elapsed() < MIN_INTERVAL) {
            return Ok(true);
        }
        let mut value = said.clone();
        value["updatedAt"] = rfc3339(now()).into();
        status::publish(context, "pods", &value).await?;
        self.status = Some(said);
        self.published = Some(Instant::now());
        Ok(false)
    }

    /// Tells people what was done.
    pub(super) async fn acted(&mut self, context: &Context, known: &Known, action: &Action) {
        let (workload, reason, note, lack) = match action {
            Action::Remember => return,
            Action::Replace { workload, pod, how, lack, .. } => {
                let how = if *how == RemovalMethod::Evict { "evicted" } else { "deleted" };
                let why = match lack {
                    Some(Drift::Missed) => "it was created without what the settings say",
                    Some(Drift::Outdated) => "it carries something else than the settings say",
                    Some(Drift::Stale) => "it holds a value that has changed since it started",
                    None => "it isn't ready and keeps the restart from going on",
                };
                let note = format!("{how} pod {pod}: {why}. Its workload makes another one");
                (workload, "PodReplaced", note, *lack)
            }
            Action::Restart { workload, .. } => {
                let note = "restarted, because its pods hold a value that has changed since they started";
                (workload, "Restarted", note.to_owned(), Some(Drift::Stale))
            }
        };
        context.metrics.pods.restarted(lack);
        tracing::info!(%workload, reason, "{note}");
        let begun = self.begun.entry(workload.clone()).or_default();
        *begun += 1;
        // A hundred pods are one story: its beginning and its end are told.
        if *begun <= 3 {
            let event = Event { reason, action: "KeepInStep", note, warning: false };
            context.tell(about(context, workload, known.uid(workload).map(String::as_str)), event).await;
        }
    }

    /// Tells people who waits for what, and who is in step again.
    pub(super) async fn tell(
        &mut self,
        context: &Context,
        known: &Known,
        seen: &Snapshot,
        waiting: &BTreeMap<WorkloadId, Waiting>,
    ) {
        self.waiting.retain(|id, _| waiting.contains_key(id));
        for (id, why) in waiting {
            let entry = self.waiting.entry(id.clone()).or_insert((why.reason, Instant::now(), None));
            if entry.0 != why.reason {
                *entry = (why.reason, Instant::now(), None);
            }
            let worth_telling = if why.trouble { TELL_DELAY } else { PASSING_DELAY };
            let due = entry.1.elapsed() >= worth_telling && entry.2.is_none_or(|told| told.elapsed() >= REPEAT_DELAY);
            if due {
                entry.2 = Some(Instant::now());
                let note = format!("pods are out of step: {}", why.text);
                let event = Event { reason: why.reason, action: "KeepInStep", note, warning: true };
                context.tell(about(context, id, known.uid(id).map(String::as_str)), event).await;
            }
        }
        let lacking = |id: &WorkloadId| {
            seen.pods.iter().any(|pod| pod.workload.as_ref() == Some(id) && pod.verdict.lack().is_some())
        };
        let out = seen.pods.iter().filter(|pod| pod.verdict.lack().is_some()).filter_map(|pod| pod.workload.as_ref());
        for id in out {
            self.lacking.entry(id.clone()).or_insert_with(Instant::now);
        }
        let again = self.lacking.keys().filter(|id| !lacking(id) && seen.is_complete(id, now()));
        let again: Vec<WorkloadId> = again.cloned().collect();
        for id in again {
            let after = self.lacking.remove(&id).map(|since| since.elapsed()).unwrap_or_default();
            context.metrics.pods.in_step(after);
            if let Some(acts) = self.begun.remove(&id) {
                let note = format!(
                    "its pods are in step again, after {:.1} s; replaced or restarted: {acts}",
                    after.as_secs_f64()
                );
                let event = Event { reason: "InStep", action: "KeepInStep", note, warning: false };
                context.tell(about(context, &id, known.uid(&id).map(String::as_str)), event).await;
            }
        }
    }
}

pub(super) fn says(seen: &Snapshot, waiting: &BTreeMap<WorkloadId, Waiting>) -> Value {
    let mut counts = BTreeMap::new();
    for pod in &seen.pods {
        *counts.entry(pod.shown()).or_insert(0_usize) += 1;
    }
    let mut pods: Vec<_> = seen.pods.iter().collect();
    // Those that somebody may look for come first.
    pods.sort_by_key(|pod| (pod.shown() == "in_step", pod.facts.name.clone()));
    let pods = pods.into_iter().take(MAX_PODS).map(|pod| {
        let mut entry = json!({ "name": pod.facts.name, "service": pod.facts.service, "verdict": pod.shown() });
        if let Some(workload) = &pod.workload {
            entry["workload"] = workload.to_string().into();
        }
        if let Some(reason) = pod.verdict.reason() {
            entry["reason"] = reason.into();
        } else if !pod.facts.readiness.ready {
            let absent: Vec<String> = pod.facts.needs.intersection(&seen.absent).map(ToString::to_string).collect();
            let absent =
                if absent.is_empty() { String::new() } else { format!("; there is no {}", absent.join(", no ")) };
            entry["reason"] = format!("{}{absent}", pod.facts.readiness.why()).into();
        }
        entry
    });
    let waiting: BTreeMap<String, &str> = waiting.iter().map(|(id, why)| (id.to_string(), why.text.as_str())).collect();
    json!({ "pods": pods.collect::<Vec<_>>(), "counts": counts, "waiting": waiting })
}

#[cfg(test)]
mod tests;
