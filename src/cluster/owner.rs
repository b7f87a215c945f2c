//! Owner references, by which the objects that this program creates are deleted with the release.

use super::error::{ClusterError, call};
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Api, Client};

/// An owner reference to this ServiceAccount. The chart owns the ServiceAccount, so uninstalling it deletes
/// what carries the reference. Without `blockOwnerDeletion`: setting that needs a permission on the owner's
/// finalizers.
///
/// # Errors
/// The ServiceAccount can't be read.
pub async fn owner_reference(client: &Client, namespace: &str, name: &str) -> Result<OwnerReference, ClusterError> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let account = call(&format!("reading ServiceAccount {namespace}/{name}"), api.get(name)).await?;
    Ok(OwnerReference {
        api_version: "v1".to_owned(),
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        uid: account.metadata.uid.unwrap_or_default(),
        ..OwnerReference::default()
    })
}

/// Whether the object has an owner reference with this uid.
#[must_use]
pub fn has_owner(metadata: &ObjectMeta, owner: &OwnerReference) -> bool {
    metadata.owner_references.iter().flatten().any(|held| held.uid == owner.uid)
}
