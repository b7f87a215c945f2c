//! Reads workloads, as far as the plan depends on them.

use super::snapshot::{Found, Kind, RolloutProgress, Workload, WorkloadId};
use super::{RESTARTED_AT, ROLLOUT};
use crate::cluster::{Cause, ClusterError, call, find};
use crate::drift::Owner;
use crate::time::Seconds;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use serde_json::Value;

/// The API of Rollouts, for which there is no type.
pub(super) fn rollouts() -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("argoproj.io", "v1alpha1", "Rollout"), "rollouts")
}

/// The workloads in a namespace.
#[derive(Clone, Copy)]
pub(super) struct Workloads<'c> {
    pub client: &'c Client,
    pub namespace: &'c str,
}

impl Workloads<'_> {
    fn apps<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    pub(super) fn rollouts(&self) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), self.namespace, &rollouts())
    }

    /// The workload behind a pod's owner, and its pod template if the owner has that. `None` if the workload
    /// is of an unknown kind or gone.
    pub(super) async fn workload_of(
        &self,
        owner: &Owner,
    ) -> Result<(Option<WorkloadId>, Option<PodTemplateSpec>), ClusterError> {
        let name = owner.name.clone();
        match owner.kind.as_str() {
            "StatefulSet" => Ok((Some(WorkloadId { kind: Kind::StatefulSet, name }), None)),
            "ReplicaSet" => {
                let set = find::<ReplicaSet>(self.client, self.namespace, &name).await?;
                let Some(set) = set else { return Ok((None, None)) };
                let id = match Owner::of(&set.metadata) {
                    None => Some(WorkloadId { kind: Kind::ReplicaSet, name }),
                    Some(owner) => match owner.kind.as_str() {
                        "Deployment" => Some(WorkloadId { kind: Kind::Deployment, name: owner.name }),
                        "Rollout" => Some(WorkloadId { kind: Kind::Rollout, name: owner.name }),
                        _ => None,
                    },
                };
                Ok((id, set.spec.and_then(|spec| spec.template)))
            }
            _ => Ok((None, None)),
        }
    }

    /// The pod template of a `StatefulSet`; `None` if it is gone or may not be read.
    pub(super) async fn stateful_template(&self, name: &str) -> Result<Option<PodTemplateSpec>, ClusterError> {
        match find::<StatefulSet>(self.client, self.namespace, name).await {
            Ok(set) => Ok(set.and_then(|set| set.spec).map(|spec| spec.template)),
            Err(error) if matches!(error.cause, Cause::Forbidden(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads a workload, and its uid. One that is gone or may not be read is [`Found::Unknown`], not an
    /// error.
    pub(super) async fn workload(&self, id: &WorkloadId) -> Result<(Found, Option<String>), ClusterError> {
        let what = format!("reading {} {}/{}", id.kind.as_str(), self.namespace, id.name);
        let name = &id.name;
        let read = match id.kind {
            Kind::Deployment => call(&what, self.apps::<Deployment>().get(name)).await.map(|read| deployment(&read)),
            Kind::StatefulSet => call(&what, self.apps::<StatefulSet>().get(name)).await.map(|read| stateful(&read)),
            Kind::ReplicaSet => call(&what, self.apps::<ReplicaSet>().get(name)).await.map(|read| replicas(&read)),
            Kind::Rollout => call(&what, self.rollouts().get(name)).await.map(|read| rollout(&read)),
        };
        match read {
            Ok((workload, metadata)) => Ok((Found::There(workload), metadata.uid)),
            Err(error) => match error.cause {
                Cause::Unavailable(_) | Cause::Unreadable => Err(error),
                Cause::Forbidden(_) => {
                    let text = format!("{error}; name it under controller.workloads in the chart's values");
                    Ok((Found::Unknown(text), None))
                }
                _ => Ok((Found::Unknown(error.to_string()), None)),
            },
        }
    }
}

fn opted_out(metadata: &ObjectMeta) -> bool {
    metadata.annotations.as_ref().and_then(|all| all.get(ROLLOUT)).is_some_and(|value| value == "false")
}

fn restarted(template: &PodTemplateSpec) -> Option<String> {
    template.metadata.as_ref()?.annotations.as_ref()?.get(RESTARTED_AT).cloned()
}

fn seconds(number: Option<i32>) -> Seconds {
    number.unwrap_or(0).max(0).into()
}

fn count(number: Option<i32>, or: i32) -> usize {
    usize::try_from(number.unwrap_or(or)).unwrap_or(0)
}

fn deployment(read: &Deployment) -> (Workload, ObjectMeta) {
    let spec = read.spec.clone().unwrap_or_default();
    let status = read.status.clone().unwrap_or_default();
    let desired = count(spec.replicas, 1);
    let condition = |kind: &str, value: &str| {
        let all = status.conditions.iter().flatten();
        let found = all.into_iter().find(|condition| condition.type_ == kind && condition.status == value)?;
        Some(found.message.clone().or_else(|| found.reason.clone()).unwrap_or_default())
    };
    let counts = [status.replicas, status.updated_replicas, status.available_replicas].map(|number| count(number, 0));
    let observed = status.observed_generation >= read.metadata.generation;
    let progress = if !observed {
        RolloutProgress::Going
    } else if let Some(why) = condition("Progressing", "False") {
        RolloutProgress::Failed(why)
    } else if counts == [desired; 3] {
        RolloutProgress::Done
    } else {
        RolloutProgress::Going
    };
    let workload = Workload {
        desired,
        min_ready: seconds(spec.min_ready_seconds),
        progress,
        whole: observed && counts.iter().take(2).all(|number| *number == desired),
        paused: spec.paused == Some(true),
        opted_out: opted_out(&read.metadata),
        refused: condition("ReplicaFailure", "True"),
        restarted: restarted(&spec.template),
        revision: None,
        rolls: true,
    };
    (workload, read.metadata.clone())
}

fn stateful(read: &StatefulSet) -> (Workload, ObjectMeta) {
    let spec = read.spec.clone().unwrap_or_default();
    let status = read.status.clone().unwrap_or_default();
    let desired = count(spec.replicas, 1);
    let strategy = spec.update_strategy.unwrap_or_default();
    let partition = strategy.rolling_update.and_then(|rolling| rolling.partition).unwrap_or(0);
    let observed = status.observed_generation >= read.metadata.generation;
    let updated = status.update_revision == status.current_revision || count(status.updated_replicas, 0) == desired;
    let there = count(Some(status.replicas), 0) == desired;
    let available = count(status.available_replicas, 0) == desired;
    let workload = Workload {
        desired,
        min_ready: seconds(spec.min_ready_seconds),
        progress: if observed && updated && there && available {
            RolloutProgress::Done
        } else {
            RolloutProgress::Going
        },
        whole: observed && updated && there,
        paused: false,
        opted_out: opted_out(&read.metadata),
        refused: None,
        restarted: restarted(&spec.template),
        revision: status.update_revision.filter(|_| observed),
        rolls: strategy.type_.as_deref() != Some("OnDelete") && partition == 0,
    };
    (workload, read.metadata.clone())
}

fn replicas(read: &ReplicaSet) -> (Workload, ObjectMeta) {
    let spec = read.spec.clone().unwrap_or_default();
    let failing = read.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let failing =
        failing.into_iter().find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True");
    let workload = Workload {
        desired: count(spec.replicas, 1),
        min_ready: seconds(spec.min_ready_seconds),
        progress: RolloutProgress::Done,
        whole: true,
        paused: false,
        opted_out: opted_out(&read.metadata),
        refused: failing.map(|condition| condition.message.clone().unwrap_or_default()),
        restarted: None,
        revision: None,
        rolls: false,
    };
    (workload, read.metadata.clone())
}

fn rollout(read: &DynamicObject) -> (Workload, ObjectMeta) {
    let data = &read.data;
    let number = |path: &str, or: u64| {
        usize::try_from(data.pointer(path).and_then(Value::as_u64).unwrap_or(or)).unwrap_or(usize::MAX)
    };
    let desired = number("/spec/replicas", 1);
    let restarted = data.pointer("/spec/restartAt").and_then(Value::as_str).map(str::to_owned);
    let done = data.pointer("/status/restartedAt").and_then(Value::as_str);
    // A restart is complete once the status shows its time.
    let taken_up = restarted.is_none() || done == restarted.as_deref();
    let settled = number("/status/availableReplicas", 0) == desired && taken_up;
    let phase = data.pointer("/status/phase").and_then(Value::as_str);
    let progress = match phase {
        Some("Degraded") => {
            let why = data.pointer("/status/message").and_then(Value::as_str);
            RolloutProgress::Failed(why.unwrap_or("it is degraded").to_owned())
        }
        _ if settled => RolloutProgress::Done,
        _ => RolloutProgress::Going,
    };
    let workload = Workload {
        desired,
        min_ready: data.pointer("/spec/minReadySeconds").and_then(Value::as_i64).unwrap_or(0),
        progress,
        whole: taken_up
            && ["replicas", "updatedReplicas"].iter().all(|name| number(&format!("/status/{name}"), 0) == desired),
        paused: data.pointer("/spec/paused").and_then(Value::as_bool) == Some(true),
        opted_out: opted_out(&read.metadata),
        refused: None,
        restarted,
        revision: None,
        rolls: true,
    };
    (workload, read.metadata.clone())
}

#[cfg(test)]
mod tests;
