//! Looking at the cluster: what the watches said, and the workloads that matter now, as a snapshot.

use super::ledger::Ledger;
use super::roll::PATIENCE;
use super::snapshot::{Found, PodView, Snapshot, WorkloadId};
use crate::cluster::{Cause, ClusterError};
use crate::controller::Context;
use crate::pki::{Seconds, now};
use crate::pods::{Facts, History, Owner, Verdict, judge};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long what was read of a workload counts.
const FRESH: Duration = Duration::from_secs(2);

/// What was looked up and needn't be again.
#[derive(Default)]
pub(super) struct Known {
    owners: BTreeMap<Owner, Option<WorkloadId>>,
    workloads: BTreeMap<WorkloadId, (Instant, Found, Option<String>)>,
}

impl Known {
    /// Has a workload read again, because something was done to it.
    pub(super) fn forget_state(&mut self, workload: &WorkloadId) {
        if let Some((at, _, _)) = self.workloads.get_mut(workload) {
            *at = at.checked_sub(FRESH).unwrap_or(*at);
        }
    }

    /// The uid of a workload, if it was looked at.
    pub(super) fn uid(&self, workload: &WorkloadId) -> Option<&String> {
        self.workloads.get(workload).and_then(|(_, _, uid)| uid.as_ref())
    }

    async fn workload_of(&mut self, context: &Context, owner: &Owner) -> Result<Option<WorkloadId>, ClusterError> {
        if let Some(known) = self.owners.get(owner) {
            return Ok(known.clone());
        }
        let found = match context.workload_of(owner).await {
            Err(error) if !matches!(error.cause, Cause::Forbidden(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "whose pods those are isn't known");
                None
            }
            Ok(found) => found,
        };
        self.owners.insert(owner.clone(), found.clone());
        Ok(found)
    }

    async fn workload(&mut self, context: &Context, id: &WorkloadId) -> Result<Found, ClusterError> {
        if let Some((at, found, _)) = self.workloads.get(id)
            && at.elapsed() < FRESH
        {
            return Ok(found.clone());
        }
        let (found, uid) = context.workload(id).await?;
        self.workloads.insert(id.clone(), (Instant::now(), found.clone(), uid));
        Ok(found)
    }

    /// Puts the snapshot together. `look` says whether workloads may be looked at.
    pub(super) async fn snapshot(
        &mut self,
        context: &Context,
        pods: Vec<Facts>,
        history: &History,
        ledger: &Ledger,
        look: bool,
    ) -> Result<Snapshot, ClusterError> {
        let cache: Seconds = context.options.kubelet_cache;
        let owners: BTreeSet<&Owner> = pods.iter().filter_map(|facts| facts.owner.as_ref()).collect();
        self.owners.retain(|owner, _| owners.contains(owner));
        let mut views = Vec::with_capacity(pods.len());
        for facts in pods {
            let workload = match &facts.owner {
                Some(owner) => self.workload_of(context, owner).await?,
                None => None,
            };
            let verdict = judge(&facts, history, false, cache);
            views.push(PodView { facts, verdict, workload });
        }
        let mut workloads = BTreeMap::new();
        if look {
            let restarted: BTreeSet<&str> = ledger.restarted_within(PATIENCE, now()).collect();
            let matters = |view: &&PodView| {
                let restarted = view.workload.as_ref().is_some_and(|id| restarted.contains(id.to_string().as_str()));
                view.verdict.lack().is_some() || restarted
            };
            let ids: BTreeSet<WorkloadId> =
                views.iter().filter(matters).filter_map(|view| view.workload.clone()).collect();
            for id in ids {
                let found = self.workload(context, &id).await?;
                workloads.insert(id, found);
            }
            for view in &mut views {
                let found = view.workload.as_ref().and_then(|id| workloads.get(id));
                if let Some(Found::There(workload)) = found
                    && workload.opted_out
                {
                    view.verdict = judge(&view.facts, history, true, cache);
                }
            }
        }
        for view in &mut views {
            // An owner of an owner that isn't known.
            if let (Verdict::Lacks(lack), None, Some(owner)) = (&view.verdict, &view.workload, &view.facts.owner) {
                let why = crate::pods::NotOurs::UnknownKind(owner.kind.clone());
                view.verdict = Verdict::NotOurs(why, Some(*lack));
            }
        }
        Ok(Snapshot { pods: views, workloads, cache, history: history.clone(), ledger: ledger.clone(), ..Snapshot::default() })
    }
}
