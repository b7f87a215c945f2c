//! The objects that hold certificates, whoever creates them: reads, watches, owners.

use super::observe::Objects;
use crate::cluster::{Cause, ClusterError, disown, has_owner, merge_if, owner_reference, watch_named};
use crate::controller::driver::on_watch_event;
use crate::controller::{Certificates, Context};
use futures_util::StreamExt;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use std::pin::pin;
use tokio::sync::Notify;

/// Gives Secrets their owner reference, if they were created without one or their owner is gone.
pub(super) async fn adopt(context: &Context, objects: &Objects) -> Result<(), ClusterError> {
    let options = &context.options;
    let Some(account) = &options.service_account else { return Ok(()) };
    let owner = match owner_reference(&context.client, &options.namespace, account).await {
        // Logged where something is created; certificates don't depend on it.
        Err(error) if !matches!(error.cause, Cause::Unavailable(_)) => return Ok(()),
        owner => owner?,
    };
    for secret in [&objects.ca, &objects.serving].into_iter().flatten() {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        if !has_owner(&secret.metadata, &owner) {
            let patch = json!({ "metadata": { "ownerReferences": [owner] } });
            let what = format!("giving Secret {}/{name} its owner", options.namespace);
            let version = secret.metadata.resource_version.as_deref();
            context.may_write(&what)?;
            merge_if::<Secret>(&context.secrets(), &what, name, version, patch).await?;
        }
    }
    Ok(())
}

/// Gives up the field ownership that writing `caBundle` brings, so that whoever applies the configuration can
/// remove an entry from it.
pub(super) async fn release_field_ownership(
    context: &Context,
    configuration: &MutatingWebhookConfiguration,
) -> Result<(), ClusterError> {
    let name = &context.options.webhook_configuration;
    let what = format!("giving up caBundle of MutatingWebhookConfiguration {name} to whoever applies it");
    context.may_write(&what)?;
    if disown(&context.configurations(), &what, name, &configuration.metadata).await? {
        tracing::debug!("caBundle stands there without an owner");
    }
    Ok(())
}

/// Wakes the loop when one of the objects changes; runs forever.
pub(super) async fn watch(context: &Context, wake: &Notify) {
    let options = &context.options;
    let (ca, serving) = (options.ca_secret(), &options.serving_secret);
    let mut ca = pin!(watch_named(context.secrets(), &ca));
    let mut serving = pin!(watch_named(context.secrets(), serving));
    let mut configuration = pin!(watch_named(context.configurations(), &options.webhook_configuration));
    // With external certificates there is no CA of ours, and no permission to watch one.
    let ours = matches!(options.certificates, Certificates::SelfManaged(_));
    loop {
        let failed = tokio::select! {
            Some(seen) = ca.next(), if ours => seen.err(),
            Some(seen) = serving.next() => seen.err(),
            Some(seen) = configuration.next() => seen.err(),
            else => return,
        };
        on_watch_event(&context.metrics, failed, wake);
    }
}
