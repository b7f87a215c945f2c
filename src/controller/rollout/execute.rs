//! Carrying out what the plan says: the ledger first, then the one act.

use super::RESTARTED_AT;
use super::plan::{Action, RemovalMethod};
use super::snapshot::{Kind, WorkloadId};
use super::workloads::Workloads;
use crate::cluster::{Cause, ClusterError, FIELD_MANAGER, Removal, call, delete, evict};
use crate::controller::Context;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// How an act went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// It is done.
    Done,
    /// There was nothing to do any more.
    Gone,
    /// It was refused, with what to say of it.
    Refused(String),
}

impl Context {
    /// The workloads beside the release.
    pub(super) fn workloads(&self) -> Workloads<'_> {
        Workloads { client: &self.client, namespace: &self.options.namespace }
    }

    /// Does it.
    pub(super) async fn execute(&self, action: &Action) -> Result<Executed, ClusterError> {
        let result = match action {
            Action::Replace { pod, uid, how, .. } => {
                let namespace = &self.options.namespace;
                self.may_write(&format!("taking pod {namespace}/{pod} away"))?;
                let taken = match how {
                    RemovalMethod::Evict => evict(&self.client, namespace, pod, uid).await,
                    RemovalMethod::Delete => delete(&self.client, namespace, pod, uid).await,
                };
                taken.map(|taken| match taken {
                    Removal::Yes => Executed::Done,
                    Removal::Gone => Executed::Gone,
                    Removal::Budget(message) => {
                        Executed::Refused(format!("a disruption budget allows no eviction of pod {pod} now: {message}"))
                    }
                })
            }
            Action::Restart { workload, value } => self.restart(workload, value).await.map(|()| Executed::Done),
            Action::Remember => Ok(Executed::Done),
        };
        match result {
            // An eviction under two budgets and a patch that somebody's webhook fails on are answered
            // with 500. Whatever it is about this act, others don't wait for it.
            Err(error) if !matches!(error.cause, Cause::NotLeading | Cause::Conflict) => {
                Ok(Executed::Refused(error.to_string()))
            }
            result => result,
        }
    }

    async fn restart(&self, workload: &WorkloadId, value: &str) -> Result<(), ClusterError> {
        let namespace = &self.options.namespace;
        let what = format!("restarting {workload} of namespace {namespace}");
        self.may_write(&what)?;
        let annotation = json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: value } } } } });
        let name = &workload.name;
        match workload.kind {
            Kind::Deployment => {
                patch::<Deployment>(Api::namespaced(self.client.clone(), namespace), &what, name, &annotation).await
            }
            Kind::StatefulSet => {
                patch::<StatefulSet>(Api::namespaced(self.client.clone(), namespace), &what, name, &annotation).await
            }
            Kind::Rollout => {
                patch(self.workloads().rollouts(), &what, name, &json!({ "spec": { "restartAt": value } })).await
            }
            // It has no rollout of its own: the plan evicts its pods.
            Kind::ReplicaSet => Ok(()),
        }
    }

    /// A workload, as Events name it.
    pub(super) fn about(&self, workload: &WorkloadId, uid: Option<&String>) -> ObjectReference {
        ObjectReference {
            api_version: Some(workload.kind.api_version().to_owned()),
            kind: Some(workload.kind.as_str().to_owned()),
            name: Some(workload.name.clone()),
            namespace: Some(self.options.namespace.clone()),
            uid: uid.cloned(),
            ..ObjectReference::default()
        }
    }
}

/// One field of a template. A merge patch, because an application would have to hold the whole
/// list of what is ours there.
async fn patch<K>(api: Api<K>, what: &str, name: &str, body: &Value) -> Result<(), ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    call(what, api.patch(name, &parameters, &Patch::Merge(body))).await.map(drop)
}

#[cfg(test)]
mod tests;
