//! Looking at the cluster: what the watches said, and the workloads that matter now, as a snapshot.

use super::ledger::{Ledger, Wave};
use super::roll::PATIENCE;
use super::snapshot::{Found, PodView, Snapshot, WorkloadId};
use crate::cluster::{Cause, ClusterError};
use crate::controller::Context;
use crate::core::{Injector, Outcome, Pod};
use crate::pki::{Seconds, now};
use crate::pods::{Facts, History, Owner, Verdict, judge};
use crate::settings::Rollout;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long what was read of a workload counts.
const FRESH: Duration = Duration::from_secs(2);

/// What is behind an owner of pods.
#[derive(Clone, Default)]
struct Owned {
    workload: Option<WorkloadId>,
    /// Whether its template leaves nothing to keep of a person's own; `None` where nobody looked.
    clean: Option<bool>,
}

/// What was looked up and needn't be again.
#[derive(Default)]
pub(super) struct Known {
    owners: BTreeMap<Owner, Owned>,
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

    async fn owned(&mut self, context: &Context, owner: &Owner, injector: &Injector) -> Result<Owned, ClusterError> {
        if let Some(known) = self.owners.get(owner) {
            return Ok(known.clone());
        }
        let (workload, template) = match context.workload_of(owner).await {
            Err(error) if !matches!(error.cause, Cause::Forbidden(_)) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "whose pods those are isn't known");
                (None, None)
            }
            Ok(found) => found,
        };
        let found = Owned { workload, clean: template.map(|template| is_clean(&template, injector)) };
        self.owners.insert(owner.clone(), found.clone());
        Ok(found)
    }

    /// Whether what stands in the pod in the place of ours was put there by nobody whose template
    /// says so: then it was injected, under other settings, and gives way. A pod that came since a
    /// replacement under these settings is taken at its word: somebody else puts it in each time.
    async fn was_injected(
        &mut self,
        context: &Context,
        facts: &Facts,
        injector: &Injector,
        wave: Option<&Wave>,
    ) -> Result<bool, ClusterError> {
        let conflict =
            matches!(facts.outcome, Outcome::ConflictKept | Outcome::ConflictReplaced | Outcome::ConflictDenied);
        let Some(owner) = facts.owner.as_ref().filter(|_| conflict) else { return Ok(false) };
        if wave.is_some_and(|wave| !wave.knows(&facts.uid)) {
            return Ok(false);
        }
        if let Some(Owned { clean: Some(clean), .. }) = self.owners.get(owner) {
            return Ok(*clean);
        }
        if owner.kind != "StatefulSet" {
            return Ok(false);
        }
        let template = context.stateful_template(&owner.name).await?;
        Ok(template.is_some_and(|template| is_clean(&template, injector)))
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

    /// Puts the snapshot together. Workloads are looked at only where they may be changed.
    pub(super) async fn snapshot(
        &mut self,
        context: &Context,
        pods: Vec<Facts>,
        history: &History,
        ledger: &Ledger,
        injector: &Injector,
        settings: &str,
    ) -> Result<Snapshot, ClusterError> {
        let cache: Seconds = context.options.kubelet_cache;
        let look = context.settings.rollout == Rollout::Automatic;
        let owners: BTreeSet<&Owner> = pods.iter().filter_map(|facts| facts.owner.as_ref()).collect();
        self.owners.retain(|owner, _| owners.contains(owner));
        let mut views = Vec::with_capacity(pods.len());
        for mut facts in pods {
            let workload = match &facts.owner {
                Some(owner) => self.owned(context, owner, injector).await?.workload,
                None => None,
            };
            let wave = workload.as_ref().and_then(|id| ledger.wave(id)).filter(|wave| wave.settings == settings);
            if self.was_injected(context, &facts, injector, wave).await? {
                (facts.outcome, facts.changed, facts.carries) = (Outcome::Injected, true, true);
            }
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
        Ok(Snapshot {
            pods: views,
            workloads,
            cache,
            history: history.clone(),
            ledger: ledger.clone(),
            settings: settings.to_owned(),
            ..Snapshot::default()
        })
    }
}

/// Whether a pod of this template has nothing of a person's own in the place of ours.
fn is_clean(template: &PodTemplateSpec, injector: &Injector) -> bool {
    let Ok(text) = serde_json::to_string(template) else { return false };
    let Ok(pod) = Pod::from_json(&text) else { return false };
    matches!(injector.decide(&pod).outcome, Outcome::Injected | Outcome::AlreadyRight)
}
