//! What stands in the cluster, as far as the plan looks at it.

use super::record::RolloutRecord;
use crate::controller::health::Doubt;
use crate::drift::{History, PodFacts, Verdict};
use crate::time::Seconds;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The kinds of workloads that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// A `ReplicaSet` that belongs to nobody.
    ReplicaSet,
    /// A Rollout of Argo Rollouts.
    Rollout,
}

impl Kind {
    /// Its name in Kubernetes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Rollout => "Rollout",
        }
    }

    /// Its group and version in Kubernetes.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Rollout => "argoproj.io/v1alpha1",
            Self::Deployment | Self::StatefulSet | Self::ReplicaSet => "apps/v1",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Deployment, Self::StatefulSet, Self::ReplicaSet, Self::Rollout];
        all.into_iter().find(|kind| kind.as_str() == name).ok_or(())
    }
}

/// A workload of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadId {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for WorkloadId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, name) = text.split_once('/').ok_or(())?;
        Ok(Self { kind: kind.parse()?, name: name.to_owned() })
    }
}

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
    /// It is there.
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

/// All of it.
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
    /// How many of a workload's pods are there and stay.
    #[must_use]
    pub fn there(&self, workload: &WorkloadId) -> usize {
        let of = |pod: &&PodView| pod.workload.as_ref() == Some(workload);
        self.pods.iter().filter(of).filter(|pod| !pod.facts.completed && !pod.facts.terminating).count()
    }

    /// Whether a workload has as many pods as it is to have, as far as that is known.
    #[must_use]
    pub fn is_complete(&self, workload: &WorkloadId) -> bool {
        match self.workloads.get(workload) {
            Some(Found::There(found)) => self.there(workload) >= found.desired,
            Some(Found::Unknown(_)) | None => true,
        }
    }
}
