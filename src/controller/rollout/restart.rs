//! Restarts workloads with stale pods: once for each change of a value, one workload at a time.

use super::action::{Action, Candidate, RemovalMethod, Waiting, WorkloadStep};
use super::record::HOUR;
use super::snapshot::{Kind, PodView, RolloutProgress};
use super::view::View;
use crate::time::{Seconds, rfc3339};
use std::collections::{BTreeMap, BTreeSet};

/// How often a workload is restarted for one change: a second time if the first restart was undone.
const MAX_RESTARTS: u32 = 2;
/// How often a workload with ready pods is restarted within an hour.
const MAX_HOURLY_RESTARTS: usize = 6;
/// For how many seconds after its restart a workload is observed in any case.
pub(super) const RESTART_OBSERVATION: Seconds = 600;

/// What to do about the stale pods of a workload.
pub(super) fn step(view: &View<'_>, stale: &[&PodView]) -> WorkloadStep {
    let ours =
        view.seen.record.restart_of(view.id).filter(|roll| Some(&roll.value) == view.workload.restarted.as_ref());
    if ours.is_some()
        && view.workload.progress == RolloutProgress::Going
        && let Some(step) = stuck(view, &view.pods)
    {
        return step;
    }
    if stale.is_empty() {
        return WorkloadStep::Nothing;
    }
    let Some(changed) = changed(view, stale) else { return WorkloadStep::Nothing };
    let ready_at = changed.values().max().map_or(view.now, |since| since.saturating_add(view.seen.cache));
    if view.now < ready_at {
        let why = format!("a value changed; it is certain at {} that every kubelet knows it", rfc3339(ready_at));
        return WorkloadStep::Wait(Waiting::patience("KubeletCache", why), Some(ready_at));
    }
    let unready = stale.iter().find(|pod| !pod.facts.readiness.ready);
    if !view.workload.rolls
        && let Some(pod) = unready
    {
        // It serves nobody, with a credential that Argo CD may refuse, and waiting won't make it ready.
        return view.remove_pod(pod, RemovalMethod::Delete, stale);
    }
    if !view.workload.whole
        && let Some(step) = stuck(view, stale)
    {
        return step;
    }
    if let Some(why) = &view.workload.refused {
        let why = format!("new pods are refused, so none is taken away: {why}");
        return WorkloadStep::Wait(Waiting::trouble("PodsRefused", why), None);
    }
    if !view.workload.rolls {
        return match (view.not_settled_reason(), stale.first()) {
            (Some((why, until)), _) => WorkloadStep::Wait(why, until),
            (None, Some(pod)) => view.remove_pod(pod, RemovalMethod::Evict, stale),
            (None, None) => WorkloadStep::Nothing,
        };
    }
    restart(view, stale, &cause(&changed))
}

/// The keys whose changes made these pods stale, and when they changed.
fn changed(view: &View<'_>, stale: &[&PodView]) -> Option<BTreeMap<String, Seconds>> {
    let (history, cache) = (&view.seen.history, view.seen.cache);
    let held = stale.iter().flat_map(|pod| &pod.facts.held);
    let held = held.filter(|held| history.is_stale(held, cache));
    let changed: BTreeMap<String, Seconds> =
        held.filter_map(|held| Some((held.key.to_string(), history.changed(&held.key)?))).collect();
    (!changed.is_empty()).then_some(changed)
}

fn cause(changed: &BTreeMap<String, Seconds>) -> String {
    let each: Vec<String> = changed.iter().map(|(key, since)| format!("{key} of {}", rfc3339(*since))).collect();
    each.join(", ")
}

fn restart(view: &View<'_>, stale: &[&PodView], cause: &str) -> WorkloadStep {
    let View { id, workload, seen, now, .. } = view;
    let roll = seen.record.restart_of(id);
    let value = rfc3339(*now);
    let again = roll.filter(|roll| roll.cause == cause);
    if let Some(roll) = again {
        if workload.restarted.as_ref() == Some(&roll.value) {
            return match &workload.progress {
                RolloutProgress::Going => {
                    WorkloadStep::Wait(Waiting::patience("Restarting", format!("restarted for {cause}")), None)
                }
                RolloutProgress::Failed(why) => WorkloadStep::Wait(
                    Waiting::trouble("RestartFailed", format!("restarted for {cause}, but it doesn't get on: {why}")),
                    None,
                ),
                RolloutProgress::Done => {
                    let why = format!(
                        "restarted for {cause}, and a pod still holds an earlier value; not again before the next change"
                    );
                    WorkloadStep::Wait(Waiting::trouble("StillStale", why), None)
                }
            };
        }
        if roll.times >= MAX_RESTARTS {
            if roll.contested_since.is_none() {
                let mut record = seen.record.clone();
                record.mark_contested(id, *now);
                let (services, needs) = (BTreeSet::new(), BTreeSet::new());
                return WorkloadStep::Act(Box::new(Candidate { action: Action::Remember, record, services, needs }));
            }
            return undone(id.kind);
        }
    } else if roll.is_some_and(|roll| roll.is_contested(*now)) {
        return undone(id.kind);
    }
    if workload.paused {
        let why = "it is paused: a restart would wait until it is resumed, and is left to whoever resumes it";
        return WorkloadStep::Wait(Waiting::trouble("Paused", why), None);
    }
    // If all pods are of one revision, no rollout is in progress: those that aren't available may be the ones
    // whose credential is outdated.
    if let (RolloutProgress::Failed(why), false) = (&workload.progress, workload.whole) {
        let why = format!("its last rollout didn't succeed, so that a restart would not either: {why}");
        return WorkloadStep::Wait(Waiting::trouble("RolloutFailed", why), None);
    }
    if workload.progress == RolloutProgress::Going && !workload.whole {
        return WorkloadStep::Wait(Waiting::patience("RolloutGoesOn", "waits for a rollout that goes on"), None);
    }
    // A workload that serves nobody isn't subject to the hourly bound.
    if view.pods.iter().any(|pod| pod.facts.readiness.ready) {
        let recent: Vec<Seconds> =
            roll.iter().flat_map(|roll| &roll.acts).copied().filter(|at| *now < at + HOUR).collect();
        if let Some(oldest) = recent.len().checked_sub(MAX_HOURLY_RESTARTS).and_then(|place| recent.get(place)) {
            let until = oldest.saturating_add(HOUR);
            let why = format!(
                "it was restarted {} times within an hour, and not again before {}; kubectl rollout restart does it now",
                recent.len(),
                rfc3339(until)
            );
            return WorkloadStep::Wait(Waiting::trouble("HourlyBound", why), Some(until));
        }
        if let Some(why) = view.other_workload_pending() {
            return WorkloadStep::Wait(why, None);
        }
    }
    // Reuse the value, which may have been written already: then nothing changes.
    let value = again.map_or(value, |roll| roll.value.clone());
    let mut record = seen.record.clone();
    record.restart(id, cause, &value, *now);
    let services = stale.iter().map(|pod| pod.facts.service.clone()).collect();
    let needs = stale.iter().flat_map(|pod| pod.facts.needs.iter().cloned()).collect();
    let action = Action::Restart { workload: (*id).clone(), value };
    WorkloadStep::Act(Box::new(Candidate { action, record, services, needs }))
}

fn undone(kind: Kind) -> WorkloadStep {
    let mark = match kind {
        Kind::Rollout => "the field spec.restartAt",
        Kind::Deployment | Kind::StatefulSet | Kind::ReplicaSet => "the annotation argocd-auth-webhook/restartedAt",
    };
    let why = format!(
        "something takes {mark} away again (a GitOps tool?); restart it through that, or let it ignore what is written there"
    );
    WorkloadStep::Wait(Waiting::trouble("RestartUndone", why), None)
}

/// A pod of an earlier revision that blocks a `StatefulSet`'s rollout, which waits for each pod to become
/// ready.
fn stuck(view: &View<'_>, among: &[&PodView]) -> Option<WorkloadStep> {
    let revision = view.workload.revision.as_ref().filter(|_| view.id.kind == Kind::StatefulSet)?;
    let old = |pod: &&&PodView| {
        let facts = &pod.facts;
        !facts.readiness.ready && !facts.terminating && facts.revision.as_ref().is_some_and(|found| found != revision)
    };
    let pod = among.iter().find(old)?;
    Some(view.remove_pod(pod, RemovalMethod::Delete, &[pod]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_that_is_undone_is_told_by_the_field_of_its_kind() {
        let told = |kind| match undone(kind) {
            WorkloadStep::Wait(waiting, None) => waiting.text,
            _ => panic!("{kind:?}"),
        };
        for kind in [Kind::Deployment, Kind::StatefulSet] {
            assert!(told(kind).contains("the annotation argocd-auth-webhook/restartedAt"), "{kind:?}");
        }
        let rollout = told(Kind::Rollout);
        assert!(rollout.contains("the field spec.restartAt") && !rollout.contains("annotation arg"), "{rollout}");
    }
}
