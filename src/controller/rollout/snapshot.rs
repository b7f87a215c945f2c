//! What stands in the cluster, as far as the plan looks at it.

pub use super::id::{Kind, WorkloadId};
use super::record::RolloutRecord;
use crate::controller::health::Doubt;
use crate::drift::{History, Need, PodFacts, Verdict};
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

/// How far a workload's own rollout is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All pods are of the last revision and available.
    Done,
    /// Not yet.
    Going,
    /// It gave up, and says why.
    Failed(String),
}

/// A workload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct Workload {
    /// How many pods it is to have.
    pub desired: usize,
    /// How long a new pod has to be ready before it counts, in seconds.
    pub min_ready: Seconds,
    /// How far its own rollout is.
    pub progress: Progress,
    /// Whether all its pods are of the last revision, available or not: no rollout goes on.
    pub whole: bool,
    /// Whether it is paused.
    pub paused: bool,
    /// Whether its annotation says that it is not to be touched.
    pub opted_out: bool,
    /// Why it can't make new pods, if it says so.
    pub refused: Option<String>,
    /// What a restart of ours left in it.
    pub restarted: Option<String>,
    /// The revision that its pods are to be of.
    pub revision: Option<String>,
    /// Whether it replaces its pods by itself when its template changes.
    pub rolls: bool,
}

/// What was found of a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// As it was read.
    There(Workload),
    /// It couldn't be looked at.
    Unknown(String),
}

/// A pod of one of the services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodView {
    /// What of it decides.
    pub facts: PodFacts,
    /// The verdict about it.
    pub verdict: Verdict,
    /// Its workload, if it has one that is known.
    pub workload: Option<WorkloadId>,
}

impl PodView {
    /// The name under which it is counted and shown.
    #[must_use]
    pub const fn shown(&self) -> &'static str {
        self.verdict.shown(&self.facts.readiness)
    }
}

/// What a plan depends on: pods, workloads, proofs and what was done before, as they were read in one pass.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The pods of the services.
    pub pods: Vec<PodView>,
    /// Their workloads, as far as they were looked at.
    pub workloads: BTreeMap<WorkloadId, Found>,
    /// For each service that was asked about: whether the webhook was shown to inject its pods.
    pub proofs: BTreeMap<String, Result<(), String>>,
    /// The services whose new pods would get something that isn't known to be good.
    pub doubts: BTreeMap<String, Doubt>,
    /// What pods out of step require and isn't there, as far as it may be looked at.
    pub absent: BTreeSet<Need>,
    /// Where something failed just now: until when to leave it, and why.
    pub held_back: BTreeMap<WorkloadId, (Seconds, String)>,
    /// What was done.
    pub ledger: RolloutRecord,
    /// Which values there were.
    pub history: History,
    /// Which settings hold.
    pub settings: String,
    /// How long a kubelet may hand out the value before.
    pub cache: Seconds,
}

impl Snapshot {
    /// The pods of a workload.
    pub fn pods_of<'s>(&'s self, workload: &'s WorkloadId) -> impl Iterator<Item = &'s PodView> {
        self.pods.iter().filter(move |pod| pod.workload.as_ref() == Some(workload))
    }

    /// Those that are there and stay.
    fn staying<'s>(&'s self, workload: &'s WorkloadId) -> impl Iterator<Item = &'s PodView> {
        self.pods_of(workload).filter(|pod| !pod.facts.completed && !pod.facts.terminating)
    }

    /// How many of a workload's pods are there and stay.
    #[must_use]
    pub fn there(&self, workload: &WorkloadId) -> usize {
        self.staying(workload).count()
    }

    /// What a pod lacks to count as available, in words; nothing where it does.
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

    /// What is still to come of a ready pod that was taken from this workload, in words: until its
    /// successor is available nothing has shown that new pods run.
    #[must_use]
    pub fn behind(&self, id: &WorkloadId, workload: &Workload, now: Seconds) -> Option<String> {
        let wave = self.ledger.wave(id).filter(|wave| wave.awaited)?;
        let there = self.there(id);
        if there < workload.desired {
            return Some(format!("{there} of {} are there", workload.desired));
        }
        self.staying(id).filter(|pod| wave.came_since(&pod.facts.uid)).find_map(|pod| self.late(pod, workload, now))
    }

    /// The record with what has come since it was written: successors that are available, restarts that
    /// are done. Nothing where there is nothing new.
    #[must_use]
    pub fn noted(&self, now: Seconds) -> Option<RolloutRecord> {
        let mut ledger = self.ledger.clone();
        for (id, found) in &self.workloads {
            let Found::There(workload) = found else { continue };
            let taken = |pod: &PodView| self.ledger.wave(id).is_some_and(|wave| wave.acted_on(&pod.facts.uid));
            if self.behind(id, workload, now).is_none() && !self.pods_of(id).any(taken) {
                ledger.came(id);
            }
            if workload.progress == Progress::Done {
                ledger.restarted(id);
            }
        }
        (ledger != self.ledger).then_some(ledger)
    }

    /// Whether a workload has as many pods as it is to have, all available, as far as that is known.
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
