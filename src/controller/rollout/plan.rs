//! From what stands in the cluster to the one thing to do next.
//!
//! Pure: no I/O and no clock. At most one act comes out, with the ledger as it has to be written
//! before it. A pod is replaced only if what its successor would get is known to be good and the webhook
//! was shown to inject one like it; each bound is counted in the ledger, so that a process that is
//! killed anywhere leaves nothing that its successor would do twice. `docs/pods.md` says it for people.

use super::record::{HOUR, RolloutRecord};
use super::restart;
use super::snapshot::{Found, PodView, Progress, Snapshot, Workload, WorkloadId};
use crate::drift::{Drift, Need, Verdict};
use crate::time::{Seconds, rfc3339};
use std::collections::{BTreeMap, BTreeSet};

/// How long to leave a workload whose pod came back out of step; doubled each time.
const BACK_OFF: Seconds = 60;
const LONGEST_BACK_OFF: Seconds = HOUR;
/// How long it is nothing unusual that a replaced pod isn't there again.
const COMES_BACK: Seconds = 60;

/// How a pod is taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalMethod {
    /// Through the eviction API: disruption budgets hold.
    Evict,
    /// It serves nobody, and a budget would keep it for ever.
    Delete,
}

/// A write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes a pod away; its workload makes another one.
    Replace {
        /// Whose.
        workload: WorkloadId,
        /// Its name.
        pod: String,
        /// Its uid: another one of this name is left alone.
        uid: String,
        /// How.
        how: RemovalMethod,
        /// What it lacks; nothing where it only stands in the way of a restart.
        lack: Option<Drift>,
    },
    /// Lets a workload replace its pods.
    Restart {
        /// Which.
        workload: WorkloadId,
        /// What is put into it.
        value: String,
    },
    /// Only the ledger is written.
    Remember,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// This, once the ledger is written.
    Do(Action, RolloutRecord),
    /// Show for these services that the webhook injects, and plan again.
    Prove(BTreeSet<String>),
    /// Nothing until then, unless something changes.
    Wait(Seconds),
}

/// Why a workload waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For machines.
    pub reason: &'static str,
    /// For people.
    pub text: String,
    /// Whether somebody should look.
    pub trouble: bool,
}

impl Waiting {
    pub(super) fn trouble(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), trouble: true }
    }

    pub(super) fn patience(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), trouble: false }
    }
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do.
    pub next: Next,
    /// The workloads that wait.
    pub waiting: BTreeMap<WorkloadId, Waiting>,
    /// Whether something would be done, were the credential known to be good.
    pub wants_credential: bool,
}

/// What could be done for a workload.
pub(super) struct Candidate {
    pub action: Action,
    pub ledger: RolloutRecord,
    /// The services whose pods come of it.
    pub services: BTreeSet<String>,
    /// What those require before they start.
    pub needs: BTreeSet<Need>,
}

/// What is to be said of a workload: an act, or why not and until when at least.
pub(super) enum Step {
    Act(Box<Candidate>),
    Wait(Waiting, Option<Seconds>),
    Nothing,
}

/// A workload with its pods.
pub(super) struct View<'s> {
    pub id: &'s WorkloadId,
    pub workload: &'s Workload,
    pub pods: Vec<&'s PodView>,
    pub seen: &'s Snapshot,
    pub now: Seconds,
}

/// Decides what to do next.
#[must_use]
pub fn plan(seen: &Snapshot, now: Seconds) -> Plan {
    let mut waiting = BTreeMap::new();
    let mut until = Seconds::MAX;
    let mut act = seen.noted(now).map(|ledger| (Action::Remember, ledger));
    let mut unproven = BTreeSet::new();
    let mut wants_credential = false;
    for (id, found) in &seen.workloads {
        let pods: Vec<&PodView> = seen.pods.iter().filter(|pod| pod.workload.as_ref() == Some(id)).collect();
        let step = match found {
            Found::Unknown(why) if pods.iter().any(|pod| pod.verdict.lack().is_some()) => {
                Step::Wait(Waiting::trouble("WorkloadUnknown", why.clone()), None)
            }
            Found::Unknown(_) => Step::Nothing,
            Found::There(workload) => View { id, workload, pods, seen, now }.step(),
        };
        match step {
            Step::Nothing => {}
            Step::Wait(why, at) => {
                until = until.min(at.unwrap_or(Seconds::MAX));
                waiting.insert(id.clone(), why);
            }
            Step::Act(candidate) => {
                // It is tried again; until that succeeds this is what there is to say.
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
                    // Whoever serves nobody goes first: what comes of it costs nothing.
                    let free = |action: &Action| {
                        matches!(action, Action::Remember | Action::Replace { how: RemovalMethod::Delete, .. })
                    };
                    if act.as_ref().is_none_or(|(before, _)| free(&candidate.action) && !free(before)) {
                        act = Some((candidate.action, candidate.ledger));
                    }
                } else {
                    unproven.extend(unknown);
                }
            }
        }
    }
    let next = match act {
        Some((action, ledger)) => Next::Do(action, ledger),
        None if !unproven.is_empty() => Next::Prove(unproven),
        None => Next::Wait(until),
    };
    Plan { next, waiting, wants_credential }
}

impl View<'_> {
    fn step(&self) -> Step {
        let lacks = |pod: &&&PodView| matches!(pod.verdict.lack(), Some(Drift::Missed | Drift::Outdated));
        let missed: Vec<&PodView> = self.pods.iter().filter(lacks).copied().collect();
        let stale: Vec<&PodView> =
            self.pods.iter().filter(|pod| pod.verdict.lack() == Some(Drift::Stale)).copied().collect();
        let replacing = if missed.is_empty() { Step::Nothing } else { self.replace(&missed) };
        let step = match replacing {
            Step::Nothing => restart::step(self, &stale),
            // The one that is waited for may never become ready with what it holds.
            Step::Wait(why, _)
                if matches!(why.reason, "OneAtATime" | "NotReady")
                    && stale.iter().any(|pod| !pod.facts.readiness.ready) =>
            {
                restart::step(self, &stale)
            }
            step => step,
        };
        let step = match (step, self.incomplete()) {
            (Step::Nothing, Some(why)) => Step::Wait(why, None),
            (step, _) => step,
        };
        match (step, self.seen.held_back.get(self.id)) {
            (Step::Act(_), Some((until, why))) if self.now < *until => {
                Step::Wait(Waiting::trouble("Refused", why.clone()), Some(*until))
            }
            (step, _) => step,
        }
    }

    /// Missed and outdated pods.
    fn replace(&self, lacking: &[&PodView]) -> Step {
        // Whoever serves nobody costs nothing, even where no other one can come: a set that was
        // refused its pods tries again when one of them goes.
        if let Some(unready) = lacking.iter().find(|pod| !pod.facts.readiness.ready) {
            return self.take_away(unready, RemovalMethod::Delete, lacking);
        }
        if let Some(why) = &self.workload.refused {
            let text = format!("new pods are refused, so none is taken away: {why}");
            return Step::Wait(Waiting::trouble("PodsRefused", text), None);
        }
        match (self.unsettled(), lacking.first()) {
            (Some((why, until)), _) => Step::Wait(why, until),
            (None, Some(pod)) => self.take_away(pod, RemovalMethod::Evict, lacking),
            (None, None) => Step::Nothing,
        }
    }

    /// Why no ready pod may be taken away now: another one isn't there again yet. And until when, if that
    /// is known.
    pub(super) fn unsettled(&self) -> Option<(Waiting, Option<Seconds>)> {
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

    /// What there is to say of a workload that hasn't got back what was taken away.
    fn incomplete(&self) -> Option<Waiting> {
        let wave = self.seen.ledger.wave(self.id)?;
        let last = if wave.awaited { wave.last } else { wave.lately(self.now)? };
        let usual = self.now < last + COMES_BACK;
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

    /// Why nothing ready may go for what happens to another workload: one act at a time is shown to have
    /// worked, by a new pod that is available, before the next one; and where a pod that carries what the
    /// settings say doesn't start, no other would either.
    pub(super) fn at_risk(&self) -> Option<Waiting> {
        let Self { seen, now, .. } = *self;
        for (id, found) in seen.workloads.iter().filter(|(id, _)| *id != self.id) {
            let Found::There(workload) = found else { continue };
            let wave = seen.ledger.wave(id).filter(|wave| wave.settings == seen.settings);
            let missing = || {
                let there = seen.there(id);
                let lately = wave.is_some_and(|wave| now < wave.last + COMES_BACK);
                (lately && there < workload.desired).then(|| format!("{there} of {} are there", workload.desired))
            };
            if let Some(why) = wave.and_then(|_| seen.behind(id, workload, now)).or_else(missing) {
                let text = format!("waits for a new pod of {id}, which shows that new ones start: {why}");
                return Some(Waiting::patience("FirstOfAll", text));
            }
            // Whether or not somebody took the annotation away again: it rolls.
            let begun = seen.ledger.roll(id).is_some_and(|roll| roll.awaited);
            if begun && workload.progress != Progress::Done {
                let unready = seen.pods_of(id).find_map(|pod| seen.late(pod, workload, now));
                let why = unready.map(|why| format!(": {why}")).unwrap_or_default();
                let text = format!("waits for {id}, which was restarted, to be available{why}");
                return Some(Waiting::patience("OneAtATime", text));
            }
        }
        let held_up = |pod: &&PodView| {
            pod.verdict == Verdict::InStep && pod.facts.readiness.held_up && pod.workload.as_ref() != Some(self.id)
        };
        let pod = seen.pods.iter().filter(|pod| !pod.facts.terminating).find(held_up)?;
        let says = pod.facts.readiness.says.as_deref().unwrap_or("its kubelet doesn't say why");
        let text =
            format!("waits for pod {}, which carries what the settings say and hasn't started: {says}", pod.facts.name);
        Some(Waiting::patience("FirstOfAll", text))
    }

    /// Takes a pod away, if no bound stands against it. `lacking` are those that are out of step in
    /// the same way.
    pub(super) fn take_away(&self, pod: &PodView, how: RemovalMethod, lacking: &[&PodView]) -> Step {
        let Self { seen, now, id, .. } = *self;
        if how == RemovalMethod::Evict
            && let Some(why) = self.at_risk()
        {
            return Step::Wait(why, None);
        }
        let uid = &pod.facts.uid;
        let wave = seen.ledger.wave(id).filter(|wave| wave.settings == seen.settings);
        let counted = wave.is_some_and(|wave| wave.acted_on(uid));
        // What is counted already was begun: nothing has to be counted again.
        let mut backoff_level = None;
        if !counted {
            // Whoever serves nobody is held by no bound for an hour.
            if let Some(bound) = self.bound().filter(|_| pod.facts.readiness.ready) {
                return bound;
            }
            match wave {
                None => backoff_level = Some(0),
                Some(wave) if lacking.iter().all(|pod| wave.knows(&pod.facts.uid)) => {}
                Some(wave) => {
                    let delay = BACK_OFF.saturating_mul(1 << wave.backoff_level.min(10)).min(LONGEST_BACK_OFF);
                    let until = wave.last.saturating_add(delay);
                    if now < until {
                        let back = lacking.iter().find(|pod| !wave.knows(&pod.facts.uid));
                        let name = back.map_or("", |pod| pod.facts.name.as_str());
                        let text = format!(
                            "pod {name} came back out of step; no other is taken away before {}",
                            rfc3339(until)
                        );
                        return Step::Wait(Waiting::trouble("CameBack", text), Some(until));
                    }
                    backoff_level = Some(if now < wave.last + HOUR { wave.backoff_level + 1 } else { 0 });
                }
            }
        }
        let mut ledger = seen.ledger.clone();
        let pods = self.pods.iter().map(|pod| pod.facts.uid.clone());
        ledger.replace(id, (uid, how == RemovalMethod::Evict), pods, &seen.settings, backoff_level, now);
        let action = Action::Replace {
            workload: id.clone(),
            pod: pod.facts.name.clone(),
            uid: uid.clone(),
            how,
            lack: pod.verdict.lack(),
        };
        let services = BTreeSet::from([pod.facts.service.clone()]);
        Step::Act(Box::new(Candidate { action, ledger, services, needs: pod.facts.needs.clone() }))
    }
}
