//! Workloads with stale pods: restarted once for each change, one workload at a time.

use super::plan::{Action, Candidate, RemovalMethod, Step, View, Waiting};
use super::snapshot::{Found, Kind, PodView, Progress};
use crate::time::{Seconds, rfc3339};
use std::collections::{BTreeMap, BTreeSet};

/// How often a workload is restarted for one change: once more where the first was undone.
const TIMES: u32 = 2;
/// Restarts of a workload within an hour.
const HOURLY: usize = 6;
/// How long a workload that doesn't become available keeps others waiting.
pub(super) const PATIENCE: Seconds = 600;

/// What to do about stale pods.
pub(super) fn step(view: &View<'_>, stale: &[&PodView]) -> Step {
    let ours = view.seen.ledger.roll(view.id).filter(|roll| Some(&roll.value) == view.workload.restarted.as_ref());
    if ours.is_some()
        && view.workload.progress == Progress::Going
        && let Some(step) = stuck(view, &view.pods)
    {
        return step;
    }
    if stale.is_empty() {
        return Step::Nothing;
    }
    let Some(changed) = changed(view, stale) else { return Step::Nothing };
    let ready_at = changed.values().max().map_or(view.now, |since| since.saturating_add(view.seen.cache));
    if view.now < ready_at {
        let why = format!("a value changed; it is certain at {} that every kubelet knows it", rfc3339(ready_at));
        return Step::Wait(Waiting::patience("KubeletCache", why), Some(ready_at));
    }
    let unready = stale.iter().find(|pod| !pod.facts.ready);
    if !view.workload.rolls
        && let Some(pod) = unready
    {
        // It serves nobody, with a credential that Argo CD may refuse. It won't become ready by waiting.
        return view.take_away(pod, RemovalMethod::Delete, stale);
    }
    if !view.workload.whole
        && let Some(step) = stuck(view, stale)
    {
        return step;
    }
    if let Some(why) = &view.workload.refused {
        let why = format!("new pods are refused, so none is taken away: {why}");
        return Step::Wait(Waiting::trouble("PodsRefused", why), None);
    }
    if !view.workload.rolls {
        return match (view.unsettled(), stale.first()) {
            (Some(why), _) => Step::Wait(Waiting::patience("OneAtATime", why), None),
            (None, Some(pod)) => view.take_away(pod, RemovalMethod::Evict, stale),
            (None, None) => Step::Nothing,
        };
    }
    restart(view, stale, &cause(&changed))
}

/// The changes that make these pods stale, with their times.
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

fn restart(view: &View<'_>, stale: &[&PodView], cause: &str) -> Step {
    let View { id, workload, seen, now, .. } = view;
    let roll = seen.ledger.roll(id);
    let value = rfc3339(*now);
    let again = roll.filter(|roll| roll.cause == cause);
    if let Some(roll) = again {
        if workload.restarted.as_ref() == Some(&roll.value) {
            return match &workload.progress {
                Progress::Going => Step::Wait(Waiting::patience("Restarting", format!("restarted for {cause}")), None),
                Progress::Failed(why) => Step::Wait(
                    Waiting::trouble("RestartFailed", format!("restarted for {cause}, but it doesn't get on: {why}")),
                    None,
                ),
                Progress::Done => {
                    let why = format!(
                        "restarted for {cause}, and a pod still holds an earlier value; not again before the next change"
                    );
                    Step::Wait(Waiting::trouble("StillStale", why), None)
                }
            };
        }
        if roll.times >= TIMES {
            if roll.contested_since.is_none() {
                let mut ledger = seen.ledger.clone();
                ledger.contested_since(id, *now);
                return Step::Act(Box::new(Candidate { action: Action::Remember, ledger, services: BTreeSet::new() }));
            }
            return undone();
        }
    } else if roll.is_some_and(|roll| roll.is_fought(*now)) {
        return undone();
    }
    if workload.paused {
        let why = "it is paused: a restart would wait until it is resumed, and is left to whoever resumes it";
        return Step::Wait(Waiting::trouble("Paused", why), None);
    }
    // Where all pods are of one revision nothing goes on: those that aren't available may well be
    // the ones whose credential is no longer right.
    if let (Progress::Failed(why), false) = (&workload.progress, workload.whole) {
        let why = format!("its last rollout didn't succeed, so that a restart would not either: {why}");
        return Step::Wait(Waiting::trouble("RolloutFailed", why), None);
    }
    if workload.progress == Progress::Going && !workload.whole {
        return Step::Wait(Waiting::patience("RolloutGoesOn", "waits for a rollout that goes on"), None);
    }
    let recent = roll.map_or(0, |roll| roll.acts.iter().filter(|at| *now < **at + 3600).count());
    if recent >= HOURLY {
        let why = format!("it was restarted {recent} times within an hour; not again for now");
        return Step::Wait(Waiting::trouble("HourlyBound", why), Some(now + 60));
    }
    if let Some(other) = another(view) {
        return Step::Wait(Waiting::patience("OneAtATime", format!("waits for {other} to be available")), None);
    }
    // The same again where it may be there already: then it changes nothing.
    let value = again.map_or(value, |roll| roll.value.clone());
    let mut ledger = seen.ledger.clone();
    ledger.restart(id, cause, &value, *now);
    let services = stale.iter().map(|pod| pod.facts.service.clone()).collect();
    let action = Action::Restart { workload: (*id).clone(), value };
    Step::Act(Box::new(Candidate { action, ledger, services }))
}

fn undone() -> Step {
    let why = "something takes the annotation argocd-auth-webhook/restartedAt away again (a GitOps tool?); \
               restart it through that, or let it ignore the annotation";
    Step::Wait(Waiting::trouble("RestartUndone", why), None)
}

/// Another workload that was restarted and isn't available yet.
fn another<'s>(view: &View<'s>) -> Option<&'s super::snapshot::WorkloadId> {
    let seen = view.seen;
    let others = seen.workloads.iter().filter(|(id, _)| *id != view.id);
    others
        .filter_map(|(id, found)| if let Found::There(workload) = found { Some((id, workload)) } else { None })
        .find_map(|(id, workload)| {
            let roll = seen.ledger.roll(id)?;
            let ours = workload.restarted.as_ref() == Some(&roll.value);
            let recent = roll.last().is_some_and(|last| view.now < last + PATIENCE);
            (ours && recent && workload.progress == Progress::Going).then_some(id)
        })
}

/// One of these pods that is of an earlier revision and keeps a `StatefulSet`'s rollout from going on:
/// it waits for each pod to become ready, and this one doesn't.
fn stuck(view: &View<'_>, among: &[&PodView]) -> Option<Step> {
    let revision = view.workload.revision.as_ref().filter(|_| view.id.kind == Kind::StatefulSet)?;
    let old = |pod: &&&PodView| {
        let facts = &pod.facts;
        !facts.ready && !facts.terminating && facts.revision.as_ref().is_some_and(|found| found != revision)
    };
    let pod = among.iter().find(old)?;
    Some(view.take_away(pod, RemovalMethod::Delete, &[pod]))
}
