//! Observes the cluster: judges the watched pods, and reads their workloads.

use super::persisted::StoredState;
use super::record::{ReplacementRound, RolloutRecord};
use super::restart::RESTART_OBSERVATION;
use super::snapshot::{Found, PodView, WorkloadId};
use super::workloads::Workloads;
use crate::cluster::{Cause, ClusterError};
use crate::controller::state::StateSecret;
use crate::core::{Injector, Outcome, Pod};
use crate::drift::{History, KUBELET_CACHE, NotOurs, Owner, PodFacts, PodVerdict, TrackedKeys, judge};
use crate::settings::Rollout;
use crate::time::{Seconds, now};
use k8s_openapi::api::core::v1::{PodTemplateSpec, Secret};
use kube::Client;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long the state of a workload that was read is reused.
const WORKLOAD_CACHE_TTL: Duration = Duration::from_secs(2);

/// How long it is reused that an owner leads to no workload: it is gone, of an unknown kind, or may not be
/// read. A workload that was found is reused for as long as a pod has that owner.
const MAX_UNKNOWN_AGE: Duration = Duration::from_secs(30);

/// What is known about a pod's owner.
#[derive(Clone)]
struct Owned {
    at: Instant,
    workload: Option<WorkloadId>,
    /// `false` if this account may not read the owner; `true` also if it needn't be read.
    seen: bool,
    /// Whether a pod of the owner's template has nothing of a user's own in the place of ours; `None` if it
    /// wasn't read.
    clean: Option<bool>,
}

/// What pods are judged by.
#[derive(Clone, Copy)]
pub(super) struct JudgedBy<'j> {
    pub injector: &'j Injector,
    pub history: &'j History,
    pub record: &'j RolloutRecord,
    /// A digest of the current settings.
    pub settings: &'j str,
    /// How many seconds after a change the kubelet may still hand out a Secret's former value.
    pub cache: Seconds,
    /// Whether workloads may be changed, and so have to be read.
    pub automatic: bool,
}

/// What was read about owners and workloads, for reuse.
#[derive(Default)]
pub(super) struct WorkloadCache {
    owners: BTreeMap<Owner, Owned>,
    workloads: BTreeMap<WorkloadId, (Instant, Found, Option<String>)>,
}

impl WorkloadCache {
    /// Makes the next observation read this workload again, because it was changed.
    pub(super) fn forget_state(&mut self, workload: &WorkloadId) {
        if let Some((at, _, _)) = self.workloads.get_mut(workload) {
            *at = at.checked_sub(WORKLOAD_CACHE_TTL).unwrap_or(*at);
        }
    }

    /// The uid of a workload, if it was read.
    pub(super) fn uid(&self, workload: &WorkloadId) -> Option<&String> {
        self.workloads.get(workload).and_then(|(_, _, uid)| uid.as_ref())
    }

    async fn owned(
        &mut self,
        cluster: Workloads<'_>,
        owner: &Owner,
        injector: &Injector,
    ) -> Result<Owned, ClusterError> {
        let fresh = |known: &&Owned| known.workload.is_some() || known.at.elapsed() < MAX_UNKNOWN_AGE;
        if let Some(known) = self.owners.get(owner).filter(fresh) {
            return Ok(known.clone());
        }
        let (seen, (workload, template)) = match cluster.workload_of(owner).await {
            Err(error) if !matches!(error.cause, Cause::Forbidden(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "whose pods those are isn't known");
                (false, (None, None))
            }
            Ok(found) => (true, found),
        };
        let clean = template.map(|template| is_clean(&template, injector));
        let found = Owned { at: Instant::now(), workload, seen, clean };
        self.owners.insert(owner.clone(), found.clone());
        Ok(found)
    }

    /// Whether what is in the place of ours was injected under other settings rather than put there by a
    /// user: if the template doesn't have it, it was injected. A pod created since a replacement under the
    /// current settings is taken at its word, since somebody else injects it each time.
    async fn was_injected(
        &mut self,
        cluster: Workloads<'_>,
        facts: &PodFacts,
        injector: &Injector,
        round: Option<&ReplacementRound>,
    ) -> Result<bool, ClusterError> {
        let conflict =
            matches!(facts.outcome, Outcome::ConflictKept | Outcome::ConflictReplaced | Outcome::ConflictDenied);
        let Some(owner) = facts.owner.as_ref().filter(|_| conflict) else { return Ok(false) };
        if round.is_some_and(|round| !round.knows(&facts.uid)) {
            return Ok(false);
        }
        if let Some(Owned { clean: Some(clean), .. }) = self.owners.get(owner) {
            return Ok(*clean);
        }
        if owner.kind != "StatefulSet" {
            return Ok(false);
        }
        let template = cluster.stateful_template(&owner.name).await?;
        Ok(template.is_some_and(|template| is_clean(&template, injector)))
    }

    async fn workload(&mut self, cluster: Workloads<'_>, id: &WorkloadId) -> Result<Found, ClusterError> {
        if let Some((at, found, _)) = self.workloads.get(id)
            && at.elapsed() < WORKLOAD_CACHE_TTL
        {
            return Ok(found.clone());
        }
        let (found, uid) = cluster.workload(id).await?;
        self.workloads.insert(id.clone(), (Instant::now(), found.clone(), uid));
        Ok(found)
    }

    /// Judges the pods. Workloads are read only if they may be changed.
    pub(super) async fn judge(
        &mut self,
        cluster: Workloads<'_>,
        by: JudgedBy<'_>,
        pods: Vec<PodFacts>,
    ) -> Result<(Vec<PodView>, BTreeMap<WorkloadId, Found>), ClusterError> {
        let JudgedBy { injector, history, record, settings, cache, automatic } = by;
        let owners: BTreeSet<&Owner> = pods.iter().filter_map(|facts| facts.owner.as_ref()).collect();
        self.owners.retain(|owner, _| owners.contains(owner));
        let mut views = Vec::with_capacity(pods.len());
        for mut facts in pods {
            let (workload, seen) = match &facts.owner {
                Some(owner) => {
                    let behind = self.owned(cluster, owner, injector).await?;
                    (behind.workload, behind.seen)
                }
                None => (None, true),
            };
            let round = workload.as_ref().and_then(|id| record.round(id)).filter(|round| round.settings == settings);
            if self.was_injected(cluster, &facts, injector, round).await? {
                (facts.outcome, facts.changed, facts.carries) = (Outcome::Injected, true, true);
            }
            let verdict = match (judge(&facts, history, false, cache), &workload, &facts.owner) {
                // The owner has an owner of an unknown kind.
                (PodVerdict::Drifted(drift), None, Some(owner)) if seen => {
                    PodVerdict::NotOurs(NotOurs::UnknownKind(owner.kind.clone()), Some(drift))
                }
                (verdict, ..) => verdict,
            };
            views.push(PodView { facts, verdict, workload });
        }
        let mut workloads = BTreeMap::new();
        if automatic {
            let restarted: BTreeSet<&str> = record.restarted_within(RESTART_OBSERVATION, now()).collect();
            let matters = |view: &&PodView| {
                let restarted = view.workload.as_ref().is_some_and(|id| restarted.contains(id.to_string().as_str()));
                view.verdict.drift().is_some() || restarted
            };
            let mut ids: BTreeSet<WorkloadId> =
                views.iter().filter(matters).filter_map(|view| view.workload.clone()).collect();
            // A workload whose only pod was removed isn't known by its pods.
            ids.extend(record.replaced_lately(now()).filter_map(|name| name.parse().ok()));
            for id in ids {
                let found = self.workload(cluster, &id).await?;
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
        Ok((views, workloads))
    }
}

/// The pods with the verdicts that the controller reaches. `state` is the state Secret, if it can be read.
///
/// # Errors
/// A call failed. A missing permission isn't an error: the verdicts then depend on less.
pub(crate) async fn verdicts(
    client: &Client,
    namespace: &str,
    subjects: &TrackedKeys,
    state: Option<&Secret>,
    rollout: Rollout,
    pods: Vec<PodFacts>,
) -> Result<Vec<(PodFacts, PodVerdict)>, ClusterError> {
    let remembered = state.and_then(StateSecret::read).map(|state| StoredState::of(&state, &subjects.injector));
    let StoredState { history, record, settings } = remembered.unwrap_or_default();
    let by = JudgedBy {
        injector: &subjects.injector,
        history: &history,
        record: &record,
        settings: &settings,
        cache: KUBELET_CACHE,
        automatic: rollout == Rollout::Automatic,
    };
    let (views, _) = WorkloadCache::default().judge(Workloads { client, namespace }, by, pods).await?;
    Ok(views.into_iter().map(|view| (view.facts, view.verdict)).collect())
}

/// Whether a pod of this template has nothing of a user's own in the place of ours.
fn is_clean(template: &PodTemplateSpec, injector: &Injector) -> bool {
    let Ok(text) = serde_json::to_string(template) else { return false };
    let Ok(pod) = Pod::from_json(&text) else { return false };
    matches!(injector.decide(&pod).outcome, Outcome::Injected | Outcome::AlreadyRight)
}

#[cfg(test)]
mod tests;
