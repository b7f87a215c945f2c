//! What a plan can say.

use super::record::RolloutRecord;
use super::snapshot::WorkloadId;
use crate::drift::{Drift, Need};
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

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
        /// The workload that makes the next one.
        workload: WorkloadId,
        /// Its name.
        pod: String,
        /// Its uid: another one of this name is left alone.
        uid: String,
        /// By an eviction, which a budget may refuse, or by deleting it.
        how: RemovalMethod,
        /// What it lacks; nothing where it only stands in the way of a restart.
        lack: Option<Drift>,
    },
    /// Lets a workload replace its pods.
    Restart {
        /// The workload whose template changes.
        workload: WorkloadId,
        /// The time that is put into its annotation.
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
