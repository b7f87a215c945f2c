//! The result of a plan.

use super::record::RolloutRecord;
use super::snapshot::WorkloadId;
use crate::drift::{Drift, Need};
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

/// How a pod is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalMethod {
    /// Through the eviction API, which respects disruption budgets.
    Evict,
    /// By deleting it: it isn't ready, so it serves nobody, and a budget could keep it forever.
    Delete,
}

/// One change, in the cluster or in the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Evict or delete a pod; its workload creates another one.
    Replace {
        /// The workload that creates its successor.
        workload: WorkloadId,
        /// The pod's name.
        pod: String,
        /// The pod's uid; another pod of this name is left alone.
        uid: String,
        /// Whether disruption budgets are respected.
        how: RemovalMethod,
        /// Its drift; `None` if it only keeps a restart from progressing.
        drift: Option<Drift>,
    },
    /// Restart a workload, which then replaces its pods by itself.
    Restart {
        /// The workload; its pod template is annotated, or `spec.restartAt` of Argo's Rollouts set.
        workload: WorkloadId,
        /// The value of the annotation or field, a time.
        value: String,
    },
    /// Only write the record.
    Remember,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Write this record, and then execute the action.
    Execute(Action, RolloutRecord),
    /// Probe whether the webhook injects pods of these services, and plan again.
    ProbeWebhook(BTreeSet<String>),
    /// Nothing until this time, unless something changes.
    WaitUntil(Seconds),
}

/// Why a workload with drifted pods waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// A `CamelCase` reason, for Events.
    pub reason: &'static str,
    /// The reason as a sentence.
    pub text: String,
    /// Whether a person should look at it, because it may not pass by itself.
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

/// The result of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What to do next.
    pub next: NextStep,
    /// The workloads that wait, and why.
    pub waiting: BTreeMap<WorkloadId, Waiting>,
    /// Whether a change waits only for the credential to be seen to work.
    pub wants_credential: bool,
}

/// A change that could be made for a workload.
pub(super) struct Candidate {
    pub action: Action,
    pub record: RolloutRecord,
    /// The services whose pods it replaces.
    pub services: BTreeSet<String>,
    /// What their successors need before they start.
    pub needs: BTreeSet<Need>,
}

/// The result for one workload: a change, or why it waits and until when at least.
pub(super) enum WorkloadStep {
    Act(Box<Candidate>),
    Wait(Waiting, Option<Seconds>),
    Nothing,
}
