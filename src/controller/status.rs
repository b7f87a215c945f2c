//! The ConfigMap `<release>-status`, which `status` shows: one key per part, each as JSON.

use super::Context;
use crate::cluster::{ClusterError, merge_if};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

/// Writes a part of the status, if it has changed. It must not hold a secret value.
///
/// # Errors
/// A call failed, this process may not write, or the ConfigMap is somebody else's.
pub(super) async fn publish(context: &Context, part: &str, value: &Value) -> Result<(), ClusterError> {
    let (key, text) = (format!("{part}.json"), value.to_string());
    write(context, [(key.clone(), text.clone())].into()).await?;
    last(context).insert(key, text);
    Ok(())
}

/// Writes again those parts that this process has published and that are missing now.
///
/// # Errors
/// As [`publish`].
pub(super) async fn restore(context: &Context) -> Result<(), ClusterError> {
    let published = last(context).clone();
    if published.is_empty() {
        return Ok(());
    }
    let found: Option<ConfigMap> = context.find(&name(context)).await?;
    let there = |key: &String| found.as_ref().and_then(|map| map.data.as_ref()?.get(key)).is_some();
    let lost: BTreeMap<String, String> = published.into_iter().filter(|(key, _)| !there(key)).collect();
    if lost.is_empty() {
        return Ok(());
    }
    write(context, lost).await?;
    tracing::warn!("ConfigMap {}/{} was lost, and is written again", context.options.namespace, name(context));
    Ok(())
}

/// Forgets what was published, because another process may publish from now on.
pub(super) fn forget(context: &Context) {
    last(context).clear();
}

/// The ConfigMap's name.
pub(super) fn name(context: &Context) -> String {
    format!("{}-status", context.options.release)
}

/// The parts that this process has published, by key.
fn last(context: &Context) -> MutexGuard<'_, BTreeMap<String, String>> {
    context.published.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn write(context: &Context, parts: BTreeMap<String, String>) -> Result<(), ClusterError> {
    let name = name(context);
    let what = format!("writing ConfigMap {}/{name}", context.options.namespace);
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &context.options.namespace);
    let found: Option<ConfigMap> = context.find(&name).await?;
    let data = found.as_ref().and_then(|map| map.data.as_ref());
    if parts.iter().all(|(key, text)| data.and_then(|data| data.get(key)) == Some(text)) {
        return Ok(());
    }
    let empty = data.is_none_or(BTreeMap::is_empty);
    context.claim::<ConfigMap>(&what, &name, found, empty, json!({})).await?;
    context.may_write(&what)?;
    // Each part has a key of its own, so the version doesn't matter.
    merge_if::<ConfigMap>(&maps, &what, &name, None, json!({ "data": parts })).await.map(drop)
}

#[cfg(test)]
mod tests;
