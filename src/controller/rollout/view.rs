//! One workload with its pods: what keeps a pod from being removed.

use super::action::{Action, Candidate, RemovalMethod, Waiting, WorkloadStep};
use super::record::HOUR;
use super::snapshot::{Found, PodView, RolloutProgress, Snapshot, Workload, WorkloadId};
use crate::drift::PodVerdict;
use crate::time::{Seconds, rfc3339};
use std::collections::BTreeSet;

/// For how many seconds a workload is left alone after a new pod drifted again; doubled each time.
const FIRST_BACKOFF: Seconds = 60;
/// The longest of these times, in seconds.
const MAX_BACKOFF: Seconds = HOUR;
/// For how many seconds it is normal that a removed pod has no successor.
const MAX_ABSENCE: Seconds = 60;

/// A workload with its pods, at a certain time.
pub(super) struct View<'s> {
    pub id: &'s WorkloadId,
    pub workload: &'s Workload,
    pub pods: Vec<&'s PodView>,
    pub seen: &'s Snapshot,
    pub now: Seconds,
}

impl View<'_> {
    /// Why no ready pod of this workload may be removed now, because another isn't back yet; and until when,
    /// if that is known.
    pub(super) fn not_settled_reason(&self) -> Option<(Waiting, Option<Seconds>)> {
        let Self { seen, workload, now, .. } = *self;
        if let Some(why) = self.incomplete() {
            return Some((why, None));
        }
        let patience = |text: String| Waiting::patience("OneAtATime", text);
        let going = self.pods.iter().find(|pod| pod.facts.terminating);
        if let Some(going) = going {
            return Some((patience(format!("waits for pod {} to end", going.facts.name)), None));
        }
        let there: Vec<_> = self.pods.iter().filter(|pod| !pod.facts.completed).collect();
        if there.len() < workload.desired {
            let text = format!("waits for its pods: {} of {} are there", there.len(), workload.desired);
            return Some((patience(text), None));
        }
        let late = there.iter().find_map(|pod| Some((pod, seen.late(pod, workload, now)?)))?;
        let (pod, why) = late;
        Some((patience(format!("waits for {why}")), pod.facts.readiness.available_at(workload.min_ready)))
    }

    /// Why this workload waits for the successor of a removed pod; `None` if it doesn't.
    pub(super) fn incomplete(&self) -> Option<Waiting> {
        let round = self.seen.record.round(self.id)?;
        let last = if round.awaited { round.last } else { round.lately(self.now)? };
        let usual = self.now < last + MAX_ABSENCE;
        let (there, desired) = (self.seen.there(self.id), self.workload.desired);
        if there >= desired {
            let why = self.seen.behind(self.id, self.workload, self.now)?;
            let text = format!("a pod was replaced; waits for {why}");
            return Some(if usual {
                Waiting::patience("OneAtATime", text)
            } else {
                Waiting::trouble("NotReady", text)
            });
        }
        if let Some(why) = &self.workload.refused {
            return Some(Waiting::trouble(
                "PodsRefused",
                format!("a pod was replaced, and new pods are refused: {why}"),
            ));
        }
        let text = format!("a pod was replaced; {there} of {desired} are there");
        Some(if usual { Waiting::patience("OneAtATime", text) } else { Waiting::trouble("NotBack", text) })
    }

    /// Why another workload keeps ready pods from being removed. Each change has to be shown to work, by a
    /// new pod that is available, before the next one; and if a pod that carries what the settings say
    /// doesn't start, no other would.
    pub(super) fn other_workload_pending(&self) -> Option<Waiting> {
        let Self { seen, now, .. } = *self;
        for (id, found) in seen.workloads.iter().filter(|(id, _)| *id != self.id) {
            let Found::There(workload) = found else { continue };
            let round = seen.record.round(id).filter(|round| round.settings == seen.settings);
            let missing = || {
                let there = seen.there(id);
                let lately = round.is_some_and(|round| now < round.last + MAX_ABSENCE);
                (lately && there < workload.desired).then(|| format!("{there} of {} are there", workload.desired))
            };
            if let Some(why) = round.and_then(|_| seen.behind(id, workload, now)).or_else(missing) {
                let text = format!("waits for a new pod of {id}, which shows that new ones start: {why}");
                return Some(Waiting::patience("FirstOfAll", text));
            }
            // The restart is in progress, even if somebody removed the annotation since.
            let begun = seen.record.restart_of(id).is_some_and(|roll| roll.awaited);
            if begun && workload.progress != RolloutProgress::Done {
                let unready = seen.pods_of(id).find_map(|pod| seen.late(pod, workload, now));
                let why = unready.map(|why| format!(": {why}")).unwrap_or_default();
                let text = format!("waits for {id}, which was restarted, to be available{why}");
                return Some(Waiting::patience("OneAtATime", text));
            }
        }
        let held_up = |pod: &&PodView| {
            pod.verdict == PodVerdict::InStep && pod.facts.readiness.held_up && pod.workload.as_ref() != Some(self.id)
        };
        let pod = seen.pods.iter().filter(|pod| !pod.facts.terminating).find(held_up)?;
        let says = pod.facts.readiness.says.as_deref().unwrap_or("its kubelet doesn't say why");
        let text =
            format!("waits for pod {}, which carries what the settings say and hasn't started: {says}", pod.facts.name);
        Some(Waiting::patience("FirstOfAll", text))
    }

    /// Removes a pod, unless a bound is reached. `drifted` are the pods with the same kind of drift.
    pub(super) fn remove_pod(&self, pod: &PodView, how: RemovalMethod, drifted: &[&PodView]) -> WorkloadStep {
        let Self { seen, now, id, .. } = *self;
        if how == RemovalMethod::Evict
            && let Some(why) = self.other_workload_pending()
        {
            return WorkloadStep::Wait(why, None);
        }
        let uid = &pod.facts.uid;
        let round = seen.record.round(id).filter(|round| round.settings == seen.settings);
        let counted = round.is_some_and(|round| round.acted_on(uid));
        // If the removal is counted already, it was begun before: nothing is counted again.
        let mut backoff_level = None;
        if !counted {
            // Removing a pod that isn't ready is subject to no bound.
            if let Some(bound) = self.bound().filter(|_| pod.facts.readiness.ready) {
                return bound;
            }
            match round {
                None => backoff_level = Some(0),
                Some(round) if drifted.iter().all(|pod| round.knows(&pod.facts.uid)) => {}
                Some(round) => {
                    let delay = FIRST_BACKOFF.saturating_mul(1 << round.backoff_level.min(10)).min(MAX_BACKOFF);
                    let until = round.last.saturating_add(delay);
                    if now < until {
                        let back = drifted.iter().find(|pod| !round.knows(&pod.facts.uid));
                        let name = back.map_or("", |pod| pod.facts.name.as_str());
                        let text = format!(
                            "pod {name} came back out of step; no other is taken away before {}",
                            rfc3339(until)
                        );
                        return WorkloadStep::Wait(Waiting::trouble("CameBack", text), Some(until));
                    }
                    backoff_level = Some(if now < round.last + HOUR { round.backoff_level + 1 } else { 0 });
                }
            }
        }
        let mut record = seen.record.clone();
        let pods = self.pods.iter().map(|pod| pod.facts.uid.clone());
        record.replace(id, (uid, how == RemovalMethod::Evict), pods, &seen.settings, backoff_level, now);
        let action = Action::Replace {
            workload: id.clone(),
            pod: pod.facts.name.clone(),
            uid: uid.clone(),
            how,
            drift: pod.verdict.drift(),
        };
        let services = BTreeSet::from([pod.facts.service.clone()]);
        WorkloadStep::Act(Box::new(Candidate { action, record, services, needs: pod.facts.needs.clone() }))
    }
}
