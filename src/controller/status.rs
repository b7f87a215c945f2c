//! The ConfigMap `<release>-status`: what `status` shows. One key a part, each as JSON.

use super::Context;
use crate::cluster::{ClusterError, merge_if};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes a part, if it says something else than before. No secret value may be in it.
///
/// # Errors
/// A call failed, or this process may not write.
pub(super) async fn publish(context: &Context, part: &str, value: &Value) -> Result<(), ClusterError> {
    let name = format!("{}-status", context.options.release);
    let place = format!("ConfigMap {}/{name}", context.options.namespace);
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &context.options.namespace);
    let key = format!("{part}.json");
    let text = value.to_string();
    let found: Option<ConfigMap> = context.find(&name).await?;
    let written = found.as_ref().and_then(|map| map.data.as_ref()).and_then(|data| data.get(&key));
    if written == Some(&text) {
        return Ok(());
    }
    let what = format!("writing {place}");
    let empty = found.as_ref().and_then(|map| map.data.as_ref()).is_none_or(BTreeMap::is_empty);
    context.claim::<ConfigMap>(&what, &name, found, empty, json!({})).await?;
    context.may_write(&what)?;
    // The parts have one key each, so that no version need hold.
    merge_if::<ConfigMap>(&maps, &what, &name, None, json!({ "data": { key: text } })).await.map(drop)
}

#[cfg(test)]
mod tests;
