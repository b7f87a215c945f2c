//! Executes the actions of a plan; the record of each is written first.

use super::RESTARTED_AT;
use super::action::{Action, RemovalMethod};
use super::persisted::ROLLOUT_ENTRY;
use super::record::RolloutRecord;
use super::snapshot::{Kind, WorkloadId};
use super::workloads::Workloads;
use crate::cluster::{Cause, ClusterError, Removal, delete, evict, merge_if, object_reference};
use crate::controller::Context;
use crate::controller::state::StateSecret;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Api;
use serde_json::json;
use std::fmt::Debug;

/// The result of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It was executed.
    Done,
    /// There was nothing left to do: the pod is gone.
    Gone,
    /// It was refused; why, as a sentence.
    Refused(String),
}

/// The workloads in the release's namespace.
pub(super) fn workloads(context: &Context) -> Workloads<'_> {
    Workloads { client: &context.client, namespace: &context.options.namespace }
}

/// Writes the record of a change, and then executes it.
///
/// # Errors
/// The record can't be written, and nothing is executed; or as [`execute`].
pub(super) async fn carry_out(
    context: &Context,
    state: &mut StateSecret,
    action: &Action,
    record: &RolloutRecord,
) -> Result<Executed, ClusterError> {
    state.put(context, ROLLOUT_ENTRY, Some(record)).await?;
    execute(context, action).await
}

/// Evicts or deletes a pod or restarts a workload, if this process may write.
async fn execute(context: &Context, action: &Action) -> Result<Executed, ClusterError> {
    let result = match action {
        Action::Replace { pod, uid, how, .. } => {
            let namespace = &context.options.namespace;
            context.may_write(&format!("taking pod {namespace}/{pod} away"))?;
            let taken = match how {
                RemovalMethod::Evict => evict(&context.client, namespace, pod, uid).await,
                RemovalMethod::Delete => delete(&context.client, namespace, pod, uid).await,
            };
            taken.map(|taken| match taken {
                Removal::Yes => Executed::Done,
                Removal::Gone => Executed::Gone,
                Removal::Budget(message) => {
                    Executed::Refused(format!("a disruption budget allows no eviction of pod {pod} now: {message}"))
                }
            })
        }
        Action::Restart { workload, value } => restart(context, workload, value).await.map(|()| Executed::Done),
        Action::Remember => Ok(Executed::Done),
    };
    match result {
        // The API server answers 500 to an eviction under two budgets, and to a patch on which another
        // webhook fails. Whatever is wrong with this change must not hold up others.
        Err(error) if !matches!(error.cause, Cause::NotLeading | Cause::Conflict) => {
            Ok(Executed::Refused(error.to_string()))
        }
        result => result,
    }
}

async fn restart(context: &Context, workload: &WorkloadId, value: &str) -> Result<(), ClusterError> {
    let namespace = &context.options.namespace;
    let what = format!("restarting {workload} of namespace {namespace}");
    context.may_write(&what)?;
    let annotation = json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: value } } } } });
    let name = &workload.name;
    // A merge patch: server-side apply would have to hold all that is ours there.
    match workload.kind {
        Kind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(context.client.clone(), namespace);
            merge_if(&api, &what, name, None, annotation).await.map(drop)
        }
        Kind::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(context.client.clone(), namespace);
            merge_if(&api, &what, name, None, annotation).await.map(drop)
        }
        Kind::Rollout => {
            let api = workloads(context).rollouts();
            merge_if(&api, &what, name, None, json!({ "spec": { "restartAt": value } })).await.map(drop)
        }
        // A ReplicaSet doesn't roll: the plan evicts its pods instead.
        Kind::ReplicaSet => Ok(()),
    }
}

/// A reference to a workload, for Events.
pub(super) fn about(context: &Context, workload: &WorkloadId, uid: Option<&str>) -> ObjectReference {
    let kind = (workload.kind.api_version(), workload.kind.as_str());
    object_reference(kind, &context.options.namespace, &workload.name, uid)
}

#[cfg(test)]
mod tests;
