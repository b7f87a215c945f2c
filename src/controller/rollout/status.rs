//! Publishes the rollout's state: status, metrics and Events.

use super::action::{Action, RemovalMethod, Waiting};
use super::execute::about;
use super::observe::WorkloadCache;
use super::snapshot::{Snapshot, WorkloadId};
use crate::cluster::{ClusterError, Event};
use crate::controller::{Consumers, Context, status};
use crate::drift::{Drift, is_stale};
use crate::time::{now, rfc3339};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many pods the status lists.
const MAX_PODS: usize = 500;
/// The shortest time between two writes of the status.
const MIN_INTERVAL: Duration = Duration::from_secs(2);
/// How long a workload has to wait for an Event to be emitted.
const TELL_DELAY: Duration = Duration::from_secs(10);
/// The same for reasons that usually pass by themselves, such as a pod that isn't ready yet.
const PASSING_DELAY: Duration = Duration::from_mins(10);
/// The time between two Events about the same reason.
const REPEAT_DELAY: Duration = Duration::from_hours(1);

/// Publishes the status and Events. Remembers what was published last, and since when workloads wait.
#[derive(Default)]
pub(super) struct StatusPublisher {
    status: Option<Value>,
    published: Option<Instant>,
    /// Since when a workload has drifted pods.
    drifted: BTreeMap<WorkloadId, Instant>,
    /// Why a workload waits, since when, and when the last Event was emitted.
    waiting: BTreeMap<WorkloadId, (&'static str, Instant, Option<Instant>)>,
    /// How many changes were made to each workload since it began to be replaced.
    begun: BTreeMap<WorkloadId, usize>,
}

impl StatusPublisher {
    /// Passes on what was observed: to the credential's reconciler and to the metrics.
    pub(super) fn count(context: &Context, seen: &Snapshot, waiting: &BTreeMap<WorkloadId, Waiting>) {
        let mut counts = BTreeMap::new();
        for pod in &seen.pods {
            *counts.entry(pod.shown()).or_insert(0) += 1;
        }
        context.metrics.pods.pods(&counts);
        context.metrics.pods.waiting(waiting.values().filter(|waiting| waiting.trouble).count());
        // Counted even if the pod may not be replaced: it holds the former value all the same.
        let stale = seen.pods.iter().filter(|pod| is_stale(&pod.facts, &seen.history, seen.cache)).count();
        let consumers = if stale == 0 { Consumers::InStep } else { Consumers::Stale(stale) };
        context.consumers.send_if_modified(|before| std::mem::replace(before, consumers) != consumers);
    }

    /// Resets the metrics: only the process that leads counts pods.
    pub(super) fn nothing_seen(context: &Context) {
        context.metrics.pods.pods(&BTreeMap::new());
        context.metrics.pods.waiting(0);
    }

    /// Writes the status, if it has changed. Returns whether it was too soon and has to be tried again.
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

    /// Reports a change that was made.
    pub(super) async fn acted(&mut self, context: &Context, known: &WorkloadCache, action: &Action) {
        let (workload, reason, note, drift) = match action {
            Action::Remember => return,
            Action::Replace { workload, pod, how, drift, .. } => {
                let how = if *how == RemovalMethod::Evict { "evicted" } else { "deleted" };
                let why = match drift {
                    Some(Drift::Missed) => "it was created without what the settings say",
                    Some(Drift::Outdated) => "it carries something else than the settings say",
                    Some(Drift::Stale) => "it holds a value that has changed since it started",
                    None => "it isn't ready and keeps the restart from going on",
                };
                let note = format!("{how} pod {pod}: {why}. Its workload makes another one");
                (workload, "PodReplaced", note, *drift)
            }
            Action::Restart { workload, .. } => {
                let note = "restarted, because its pods hold a value that has changed since they started";
                (workload, "Restarted", note.to_owned(), Some(Drift::Stale))
            }
        };
        context.metrics.pods.restarted(drift);
        tracing::info!(%workload, reason, "{note}");
        let begun = self.begun.entry(workload.clone()).or_default();
        *begun += 1;
        // Replacing a hundred pods is one story, of which the beginning and the end are reported.
        if *begun <= 3 {
            let event = Event { reason, action: "KeepInStep", note, warning: false };
            context.emit_event(about(context, workload, known.uid(workload).map(String::as_str)), event).await;
        }
    }

    /// Reports workloads that wait, and those whose pods are all in step again.
    pub(super) async fn report(
        &mut self,
        context: &Context,
        known: &WorkloadCache,
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
                context.emit_event(about(context, id, known.uid(id).map(String::as_str)), event).await;
            }
        }
        let drifted = |id: &WorkloadId| {
            seen.pods.iter().any(|pod| pod.workload.as_ref() == Some(id) && pod.verdict.drift().is_some())
        };
        let out = seen.pods.iter().filter(|pod| pod.verdict.drift().is_some()).filter_map(|pod| pod.workload.as_ref());
        for id in out {
            self.drifted.entry(id.clone()).or_insert_with(Instant::now);
        }
        let again = self.drifted.keys().filter(|id| !drifted(id) && seen.is_complete(id, now()));
        let again: Vec<WorkloadId> = again.cloned().collect();
        for id in again {
            let after = self.drifted.remove(&id).map(|since| since.elapsed()).unwrap_or_default();
            context.metrics.pods.in_step(after);
            if let Some(acts) = self.begun.remove(&id) {
                let note = format!(
                    "its pods are in step again, after {:.1} s; replaced or restarted: {acts}",
                    after.as_secs_f64()
                );
                let event = Event { reason: "InStep", action: "KeepInStep", note, warning: false };
                context.emit_event(about(context, &id, known.uid(&id).map(String::as_str)), event).await;
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
    // Pods that a person may look for come first.
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
