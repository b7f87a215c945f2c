//! The state of the cluster as far as the plan depends on it.

pub use super::id::{Kind, WorkloadId};
use super::record::RolloutRecord;
use crate::controller::health::Doubt;
use crate::drift::{History, Need, PodFacts, PodVerdict};
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

/// The progress of a workload's own rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutProgress {
    /// All pods are of the current revision and available.
    Done,
    /// It is in progress.
    Going,
    /// It failed; the workload's message.
    Failed(String),
}

/// A workload, as far as the plan depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Workload {
    /// How many pods it should have.
    pub desired: usize,
    /// `minReadySeconds`: how long a new pod has to be ready before it counts as available.
    pub min_ready: Seconds,
    /// The progress of its own rollout.
    pub progress: RolloutProgress,
    /// Whether all its pods are of the current revision, available or not: no rollout is in progress.
    pub whole: bool,
    /// Whether its rollout is paused.
    pub paused: bool,
    /// Whether annotation `argocd-auth-webhook/rollout` is `"false"`.
    pub opted_out: bool,
    /// Why it can't create pods; `None` if it doesn't report that.
    pub refused: Option<String>,
    /// The value that a restart of ours left in it.
    pub restarted: Option<String>,
    /// The revision of its current template, for a `StatefulSet`.
    pub revision: Option<String>,
    /// Whether it replaces its pods by itself when its template changes.
    pub rolls: bool,
}

/// The result of reading a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was read.
    There(Workload),
    /// It couldn't be read; why.
    Unknown(String),
}

/// A pod of one of the services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// The facts that decide its verdict.
    pub facts: PodFacts,
    /// Its verdict.
    pub verdict: PodVerdict,
    /// Its workload; `None` if there is none of a known kind.
    pub workload: Option<WorkloadId>,
}

impl PodView {
    /// The name under which the pod is counted and shown.
    #[must_use]
    pub const fn shown(&self) -> &'static str {
        self.verdict.shown(&self.facts.readiness)
    }
}

/// What a plan depends on: pods, workloads, probes and the record, as they were read in one pass.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The pods of all services.
    pub pods: Vec<PodView>,
    /// The workloads that were read.
    pub workloads: BTreeMap<WorkloadId, Found>,
    /// For each service that was probed: whether the webhook injects its pods, or why not.
    pub proofs: BTreeMap<String, Result<(), String>>,
    /// The services whose new pods would get a credential that isn't known to be good.
    pub doubts: BTreeMap<String, Doubt>,
    /// What the successors of drifted pods need and doesn't exist, as far as it may be read.
    pub absent: BTreeSet<Need>,
    /// Workloads to which a change was refused: until when they are left alone, and why.
    pub held_back: BTreeMap<WorkloadId, (Seconds, String)>,
    /// What was done before.
    pub record: RolloutRecord,
    /// The values that tracked keys had.
    pub history: History,
    /// A digest of the current settings.
    pub settings: String,
    /// How many seconds after a change the kubelet may still hand out a Secret's former value.
    pub cache: Seconds,
}

impl Snapshot {
    /// The pods of a workload.
    pub fn pods_of<'s>(&'s self, workload: &'s WorkloadId) -> impl Iterator<Item = &'s PodView> {
        self.pods.iter().filter(move |pod| pod.workload.as_ref() == Some(workload))
    }

    /// The pods of a workload that are neither terminating nor completed.
    fn staying<'s>(&'s self, workload: &'s WorkloadId) -> impl Iterator<Item = &'s PodView> {
        self.pods_of(workload).filter(|pod| !pod.facts.completed && !pod.facts.terminating)
    }

    /// How many pods of a workload are neither terminating nor completed.
    #[must_use]
    pub fn there(&self, workload: &WorkloadId) -> usize {
        self.staying(workload).count()
    }

    /// What a pod lacks to count as available; `None` if it is.
    #[must_use]
    pub fn late(&self, pod: &PodView, workload: &Workload, now: Seconds) -> Option<String> {
        let name = &pod.facts.name;
        let readiness = &pod.facts.readiness;
        match readiness.available_at(workload.min_ready) {
            Some(at) if at <= now => None,
            Some(_) => Some(format!("pod {name} to have been ready for {} s (minReadySeconds)", workload.min_ready)),
            None => {
                let absent: Vec<String> = pod.facts.needs.intersection(&self.absent).map(ToString::to_string).collect();
                let missing = (!absent.is_empty()).then(|| format!("there is no {}", absent.join(", no ")));
                let says: Vec<String> = readiness.says.iter().cloned().chain(missing).collect();
                let says = if says.is_empty() { String::new() } else { format!(": {}", says.join("; ")) };
                Some(format!("pod {name} to become ready{says}"))
            }
        }
    }

    /// What is missing after a ready pod of this workload was removed; until its successor is available,
    /// nothing has shown that new pods start. `None` if nothing is missing.
    #[must_use]
    pub fn behind(&self, id: &WorkloadId, workload: &Workload, now: Seconds) -> Option<String> {
        let round = self.record.round(id).filter(|round| round.awaited)?;
        let there = self.there(id);
        if there < workload.desired {
            return Some(format!("{there} of {} are there", workload.desired));
        }
        self.staying(id).filter(|pod| round.came_since(&pod.facts.uid)).find_map(|pod| self.late(pod, workload, now))
    }

    /// The record with what was completed since it was written: successors that are available, restarts that
    /// are complete. `None` if there is nothing new.
    #[must_use]
    pub fn noted(&self, now: Seconds) -> Option<RolloutRecord> {
        let mut record = self.record.clone();
        for (id, found) in &self.workloads {
            let Found::There(workload) = found else { continue };
            let taken = |pod: &PodView| self.record.round(id).is_some_and(|round| round.acted_on(&pod.facts.uid));
            if self.behind(id, workload, now).is_none() && !self.pods_of(id).any(taken) {
                record.came(id);
            }
            if workload.progress == RolloutProgress::Done {
                record.restarted(id);
            }
        }
        (record != self.record).then_some(record)
    }

    /// Whether a workload has all its pods and all are available, as far as that is known.
    #[must_use]
    pub fn is_complete(&self, id: &WorkloadId, now: Seconds) -> bool {
        match self.workloads.get(id) {
            Some(Found::There(workload)) => {
                self.there(id) >= workload.desired
                    && self.staying(id).all(|pod| self.late(pod, workload, now).is_none())
            }
            Some(Found::Unknown(_)) | None => self.staying(id).all(|pod| pod.facts.readiness.ready),
        }
    }
}
