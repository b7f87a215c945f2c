//! Decides which pod to replace or workload to restart next.
//!
//! Pure: no I/O and no clock. A plan has at most one change, with the record that has to be written before. A
//! pod is replaced only if the credential of its successor is known to be good and the webhook was shown to
//! inject a pod like it. Each bound is counted in the record, so a process that is killed anywhere leaves
//! nothing that its successor would do twice. `docs/pods.md` explains it for users.

use super::action::{Action, NextStep, Plan, RemovalMethod, Waiting, WorkloadStep};
use super::restart;
use super::snapshot::{Found, PodView, Snapshot};
use super::view::View;
use crate::drift::Drift;
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

/// Plans the next change for what was observed, at `now` (seconds since 1970).
#[must_use]
pub fn plan(seen: &Snapshot, now: Seconds) -> Plan {
    let mut waiting = BTreeMap::new();
    let mut until = Seconds::MAX;
    let mut act = seen.noted(now).map(|record| (Action::Remember, record));
    let mut unproven = BTreeSet::new();
    let mut wants_credential = false;
    for (id, found) in &seen.workloads {
        let pods: Vec<&PodView> = seen.pods.iter().filter(|pod| pod.workload.as_ref() == Some(id)).collect();
        let step = match found {
            Found::Unknown(why) if pods.iter().any(|pod| pod.verdict.drift().is_some()) => {
                WorkloadStep::Wait(Waiting::trouble("WorkloadUnknown", why.clone()), None)
            }
            Found::Unknown(_) => WorkloadStep::Nothing,
            Found::There(workload) => View { id, workload, pods, seen, now }.step(),
        };
        match step {
            WorkloadStep::Nothing => {}
            WorkloadStep::Wait(why, at) => {
                until = until.min(at.unwrap_or(Seconds::MAX));
                waiting.insert(id.clone(), why);
            }
            WorkloadStep::Act(candidate) => {
                // The change was refused before; until it succeeds, report that.
                if let Some((_, why)) = seen.held_back.get(id) {
                    waiting.insert(id.clone(), Waiting::trouble("Refused", why.clone()));
                }
                let doubt = candidate.services.iter().find_map(|service| seen.doubts.get(service));
                if let Some(doubt) = doubt {
                    wants_credential = true;
                    let reason = if doubt.bad { "CredentialNotGood" } else { "CredentialNotKnown" };
                    let text = format!("no pod is moved: the credential that a new one would get is {}", doubt.text);
                    waiting.insert(id.clone(), Waiting::trouble(reason, text));
                    continue;
                }
                if let Some(need) = candidate.needs.intersection(&seen.absent).next() {
                    let text = format!("no pod is moved: a new one would not start, because there is no {need}");
                    waiting.insert(id.clone(), Waiting::trouble("NeedMissing", text));
                    continue;
                }
                let unknown = candidate.services.iter().filter(|service| !seen.proofs.contains_key(*service));
                let unknown: Vec<String> = unknown.cloned().collect();
                let refuted = candidate.services.iter().find_map(|service| seen.proofs.get(service)?.as_ref().err());
                if let Some(why) = refuted {
                    let text = format!("the webhook isn't shown to inject such a pod: {why}");
                    waiting.insert(id.clone(), Waiting::trouble("WebhookNotProven", text));
                } else if unknown.is_empty() {
                    // A pod that isn't ready goes first: removing it costs nothing.
                    let free = |action: &Action| {
                        matches!(action, Action::Remember | Action::Replace { how: RemovalMethod::Delete, .. })
                    };
                    if act.as_ref().is_none_or(|(before, _)| free(&candidate.action) && !free(before)) {
                        act = Some((candidate.action, candidate.record));
                    }
                } else {
                    unproven.extend(unknown);
                }
            }
        }
    }
    let next = match act {
        Some((action, record)) => NextStep::Execute(action, record),
        None if !unproven.is_empty() => NextStep::ProbeWebhook(unproven),
        None => NextStep::WaitUntil(until),
    };
    Plan { next, waiting, wants_credential }
}

impl View<'_> {
    fn step(&self) -> WorkloadStep {
        let lacks = |pod: &&&PodView| matches!(pod.verdict.drift(), Some(Drift::Missed | Drift::Outdated));
        let missed: Vec<&PodView> = self.pods.iter().filter(lacks).copied().collect();
        let stale: Vec<&PodView> =
            self.pods.iter().filter(|pod| pod.verdict.drift() == Some(Drift::Stale)).copied().collect();
        let replacing = if missed.is_empty() { WorkloadStep::Nothing } else { self.replace(&missed) };
        let step = match replacing {
            WorkloadStep::Nothing => restart::step(self, &stale),
            // The pod that is waited for may never become ready with the value it holds.
            WorkloadStep::Wait(why, _)
                if matches!(why.reason, "OneAtATime" | "NotReady")
                    && stale.iter().any(|pod| !pod.facts.readiness.ready) =>
            {
                restart::step(self, &stale)
            }
            step => step,
        };
        let step = match (step, self.incomplete()) {
            (WorkloadStep::Nothing, Some(why)) => WorkloadStep::Wait(why, None),
            (step, _) => step,
        };
        match (step, self.seen.held_back.get(self.id)) {
            (WorkloadStep::Act(_), Some((until, why))) if self.now < *until => {
                WorkloadStep::Wait(Waiting::trouble("Refused", why.clone()), Some(*until))
            }
            (step, _) => step,
        }
    }

    /// Replaces missed and outdated pods.
    fn replace(&self, drifted: &[&PodView]) -> WorkloadStep {
        // Removing a pod that isn't ready costs nothing, even if new pods are refused: a controller whose
        // pods were refused tries again when one of them goes.
        if let Some(unready) = drifted.iter().find(|pod| !pod.facts.readiness.ready) {
            return self.remove_pod(unready, RemovalMethod::Delete, drifted);
        }
        if let Some(why) = &self.workload.refused {
            let text = format!("new pods are refused, so none is taken away: {why}");
            return WorkloadStep::Wait(Waiting::trouble("PodsRefused", text), None);
        }
        match (self.not_settled_reason(), drifted.first()) {
            (Some((why, until)), _) => WorkloadStep::Wait(why, until),
            (None, Some(pod)) => self.remove_pod(pod, RemovalMethod::Evict, drifted),
            (None, None) => WorkloadStep::Nothing,
        }
    }
}
