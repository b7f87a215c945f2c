//! Reads and creates objects of this program's, and names them in Events.

use super::error::{ClusterError, call, call_patiently};
use super::owner::owner_reference;
use super::write::ensure;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Reads an object from the API server, uncached; `None` if there is none.
///
/// # Errors
/// The call failed otherwise than by status 404.
pub async fn find<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    call(&format!("reading {} {namespace}/{name}", K::kind(&())), api.get_opt(name)).await
}

/// Like [`find`], for a person's command: an API server that has just started is given time.
///
/// # Errors
/// The call failed otherwise than by status 404.
pub async fn find_patiently<K>(client: &Client, namespace: &str, name: &str) -> Result<Option<K>, ClusterError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    call_patiently(&format!("reading {} {namespace}/{name}", K::kind(&())), || api.get_opt(name)).await
}

/// The value of a Secret's key; `None` if it is missing or empty, since nobody could use that.
#[must_use]
pub fn filled<'s>(secret: &'s Secret, key: &str) -> Option<&'s [u8]> {
    let bytes = secret.data.as_ref()?.get(key)?;
    Some(bytes.0.as_slice()).filter(|bytes| !bytes.is_empty())
}

/// When an object was last written by anybody, in seconds since 1970, by its managed fields; `None` if it has
/// none.
#[must_use]
pub fn last_written(metadata: &ObjectMeta) -> Option<i64> {
    let fields = metadata.managed_fields.iter().flatten();
    fields.filter_map(|entry| entry.time.as_ref()).map(|time| time.0.as_second()).max()
}

/// The owner reference for what this program creates: the ServiceAccount of this name. `None` if it can't be
/// read, which is logged; objects are created without an owner then, and get it later.
pub async fn find_owner(client: &Client, namespace: &str, account: Option<&str>) -> Option<OwnerReference> {
    match owner_reference(client, namespace, account?).await {
        Ok(owner) => Some(owner),
        Err(error) => {
            tracing::warn!(%error, "what is made has no owner for now, and would outlive an uninstallation");
            None
        }
    }
}

/// Makes sure that an object exists, as [`ensure`] does. `metadata` holds its name, namespace and labels,
/// `rest` the other fields without which it can't be created.
///
/// # Errors
/// The call failed.
pub async fn ensure_with_owner<K>(
    api: &Api<K>,
    what: &str,
    metadata: Value,
    owner: Option<OwnerReference>,
    mut rest: Value,
) -> Result<K, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let name = metadata["name"].as_str().unwrap_or_default().to_owned();
    rest["apiVersion"] = K::api_version(&()).into();
    rest["kind"] = K::kind(&()).into();
    rest["metadata"] = metadata;
    if let Some(owner) = owner {
        rest["metadata"]["ownerReferences"] = json!([owner]);
    }
    ensure(api, what, &name, &rest).await
}

/// A reference to an object, for Events. `kind` is its API version and kind. Without a `uid` the Event is
/// about whatever has the name.
#[must_use]
pub fn object_reference(kind: (&str, &str), namespace: &str, name: &str, uid: Option<&str>) -> ObjectReference {
    ObjectReference {
        api_version: Some(kind.0.to_owned()),
        kind: Some(kind.1.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        uid: uid.map(str::to_owned),
        ..ObjectReference::default()
    }
}
