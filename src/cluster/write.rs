//! Writes objects under one field manager, and never over changes that somebody else made meanwhile.

use super::error::{ClusterError, call};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;

/// The field manager of all writes.
pub const FIELD_MANAGER: &str = "argocd-auth-webhook";

/// Server-side apply with force: the fields in `body` become ours, whoever owned them. With a
/// `metadata.resourceVersion` in `body`, only if the object hasn't changed since.
///
/// # Errors
/// The call failed.
pub async fn apply<K>(api: &Api<K>, what: &str, name: &str, body: &Value) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    call(what, api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(body))).await
}

/// Gives up our field ownership in an object; the values stay. While we own a field of a list's entry,
/// whoever applied the rest can't remove that entry: a stub with our field would stay and be rejected as
/// incomplete. Returns whether we owned anything.
///
/// # Errors
/// [`super::Cause::Conflict`] if the object has changed since `metadata` was read, else any cause of a failed
/// call.
pub async fn disown<K>(api: &Api<K>, what: &str, name: &str, metadata: &ObjectMeta) -> Result<bool, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    let entries = metadata.managed_fields.as_deref().unwrap_or_default();
    let others: Vec<_> = entries.iter().filter(|entry| entry.manager.as_deref() != Some(FIELD_MANAGER)).collect();
    // The API server ignores an empty list instead of clearing the field.
    if others.len() == entries.len() || others.is_empty() {
        return Ok(false);
    }
    let patch = json!({ "metadata": { "managedFields": others } });
    merge_if::<K>(api, what, name, metadata.resource_version.as_deref(), patch).await?;
    Ok(true)
}

/// Makes sure that an object exists. `body` holds its kind, labels and owner, but nothing in which two
/// writers could differ: its content is written afterwards, by [`merge_if`]. Uses server-side apply, which a
/// Role can allow for one name; `create` it can allow only for all.
///
/// # Errors
/// The call failed.
pub async fn ensure<K>(api: &Api<K>, what: &str, name: &str, body: &Value) -> Result<K, ClusterError>
where
    K: Clone + DeserializeOwned + Debug,
{
    apply(api, what, name, body).await
}

/// Patches the object if it is still at this version (`None`: whatever it is); `null` removes a field.
///
/// # Errors
/// [`super::Cause::Conflict`] if the object has changed, else any cause of a failed call.
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
