//! Evicts or deletes a pod, so that its workload creates another one.

use super::error::{ClusterError, call};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::Eviction;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{DeleteOptions, ObjectMeta, Preconditions};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::Value;

/// The result of evicting or deleting a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The pod terminates.
    Yes,
    /// The pod is gone already, or another one has its name.
    Gone,
    /// A disruption budget doesn't allow the eviction now; the API server's message.
    Budget(String),
}

/// Evicts the pod with this name and uid. Disruption budgets are respected.
///
/// # Errors
/// The call failed.
pub async fn evict(client: &Client, namespace: &str, name: &str, uid: &str) -> Result<Removal, ClusterError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let what = format!("evicting pod {namespace}/{name}");
    // Not by kube's `evict`, which writes the options as `delete_options`: the API server ignores that field,
    // and with it the uid.
    let eviction = Eviction {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        delete_options: Some(DeleteOptions {
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() }),
            ..DeleteOptions::default()
        }),
    };
    let evicting = async {
        match api.create_subresource::<_, Value>("eviction", name, &PostParams::default(), &eviction).await {
            Err(kube::Error::Api(status)) if status.code == 429 => Ok(Removal::Budget(status.message.clone())),
            result => gone(result.map(drop)),
        }
    };
    call(&what, evicting).await
}

/// Deletes the pod with this name and uid. Disruption budgets don't apply.
///
/// # Errors
/// The call failed.
pub async fn delete(client: &Client, namespace: &str, name: &str, uid: &str) -> Result<Removal, ClusterError> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let what = format!("deleting pod {namespace}/{name}");
    let preconditions = kube::api::Preconditions { uid: Some(uid.to_owned()), ..Default::default() };
    let parameters = DeleteParams::default().preconditions(preconditions);
    call(&what, async { gone(api.delete(name, &parameters).await.map(drop)) }).await
}

fn gone(result: kube::Result<()>) -> kube::Result<Removal> {
    match result {
        Ok(()) => Ok(Removal::Yes),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(Removal::Gone),
        Err(error) => Err(error),
    }
}
