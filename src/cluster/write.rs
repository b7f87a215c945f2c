//! Writing: as one field manager, and never over what somebody else wrote meanwhile.

use super::error::{ClusterError, call};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// Who we are to server-side apply.
pub const FIELD_MANAGER: &str = "argocd-auth-webhook";

/// Server-side apply: the fields in `body` become ours, whoever had them. With a
/// `metadata.resourceVersion` in it, only if the object is still the one that was read.
///
/// # Errors
/// The call failed.
pub async fn apply<K>(api: &Api<K>, what: &str, name: &str, body: &Value) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    call(what, api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(body))).await
}

/// Gives up what we own in this object, and leaves the values as they are. A list's entry in which
/// we own a field can't be removed by the one who applied the rest of it: a stub of our field would
/// stay, and be refused as half an entry. Says whether there was anything to give up.
///
/// # Errors
/// The call failed; with [`super::Cause::Conflict`] if the object has changed.
pub async fn disown<K>(api: &Api<K>, what: &str, name: &str, metadata: &ObjectMeta) -> Result<bool, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let others: Vec<_> = entries.iter().filter(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER)).collect();
    // An empty list would say that nothing is known, and change nothing.
    if others.len() == entries.len() || others.is_empty() {
        return Ok(false);
    }
    let patch = json!({ "metadata": { "managedFields": others } });
    merge_if::<K>(api, what, name, metadata.resource_version.as_deref(), patch).await?;
    Ok(true)
}

/// Makes sure that an object is there. `body` has its kind, its labels and its owner, and nothing
/// that two writers could differ in: what it is to hold is written after, by [`merge_if`]. By
/// server-side apply, because a Role can allow that for one name, and a plain creation only for all.
///
/// # Errors
/// The call failed.
pub async fn ensure<K>(api: &Api<K>, what: &str, name: &str, body: &Value) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    apply(api, what, name, body).await
}

/// Changes the object if it is still at this version; `null` in the patch removes a field.
///
/// # Errors
/// The call failed; with [`super::Cause::Conflict`] if the object has changed.
pub async fn merge_if<K>(
    api: &Api<K>,
    what: &str,
    name: &str,
    version: Option<&str>,
    mut patch: Value,
) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    if let Some(version) = version {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    let parameters = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    call(what, api.patch(name, &parameters, &Patch::Merge(&patch))).await
}
