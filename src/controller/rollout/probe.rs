//! Showing that the webhook injects, before anything relies on it.

use crate::cluster::{Cause, ClusterError, endpoints};
use crate::controller::Context;
use crate::core::{Injector, Service};
use crate::time::{Seconds, now};
use crate::webhook_probe::{CallError, Trust, entry_for, post, sample, shows};
use futures_util::future::join_all;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long a proof holds. Short: what it shows can end at any time.
const MAX_PROOF_AGE: Duration = Duration::from_secs(10);
/// How long it is before one that failed is tried again; so much longer each time.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// The longest of these.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(16);
/// How long the registration has to be known: every API server learns of it by a watch.
const SETTLE_DELAY: Duration = Duration::from_secs(2);
/// Where it was written longer ago than this, by the API server's clock, in seconds, it is known.
const SETTLED_AGE: Seconds = 30;

/// What was shown, and when.
#[derive(Default)]
pub(super) struct ProbeResults {
    shown: BTreeMap<String, (Instant, Result<(), String>)>,
    /// The version of the registration, and since when it is known.
    registered: Option<(String, Instant)>,
    /// How often it failed, one time after the other.
    failures: u32,
}

impl ProbeResults {
    /// As if it had been shown just now.
    #[cfg(test)]
    pub(super) fn shown(services: impl Iterator<Item = String>) -> Self {
        let shown = services.map(|service| (service, (Instant::now(), Ok(())))).collect();
        Self { shown, ..Self::default() }
    }

    /// What holds now.
    pub(super) fn now(&self) -> BTreeMap<String, Result<(), String>> {
        let holds = |(at, result): &(Instant, Result<(), String>)| {
            let again = RETRY_DELAY.saturating_mul(self.failures).min(MAX_RETRY_DELAY);
            at.elapsed() < if result.is_ok() { MAX_PROOF_AGE } else { again }
        };
        let held = self.shown.iter().filter(|(_, shown)| holds(shown));
        held.map(|(service, (_, result))| (service.clone(), result.clone())).collect()
    }

    /// Tries to show it for these services.
    ///
    /// # Errors
    /// A call failed, so that nothing can be said.
    pub(super) async fn show(
        &mut self,
        context: &Context,
        injector: &Injector,
        services: &BTreeSet<String>,
    ) -> Result<(), ClusterError> {
        let options = &context.options;
        let name = &options.webhook_configuration;
        let found = context.configuration().await?;
        let at = Instant::now();
        let Some(configuration) = found else {
            self.registered = None;
            self.failures = self.failures.saturating_add(1);
            let why = format!("there is no MutatingWebhookConfiguration {name}");
            self.shown.extend(services.iter().map(|service| (service.clone(), (at, Err(why.clone())))));
            return Ok(());
        };
        let version = configuration.metadata.resource_version.clone().unwrap_or_default();
        let since = match &self.registered {
            Some((known, since)) if *known == version => *since,
            _ => at,
        };
        self.registered = Some((version, since));
        let asked = endpoints(&context.client, &options.namespace, &options.service, options.service_port).await;
        let asked = match asked {
            Err(error) if error.cause == Cause::NotFound => Vec::new(),
            asked => asked?,
        };
        let fields = configuration.metadata.managed_fields.iter().flatten();
        let written = fields.filter_map(|entry| entry.time.as_ref()).map(|time| time.0.as_second()).max();
        let old = written.is_some_and(|written| written.saturating_add(SETTLED_AGE) < now());
        for service in injector.services().filter(|service| services.contains(&service.name)) {
            let result = if !old && since.elapsed() < SETTLE_DELAY {
                Err("it was registered just now; every API server has to learn of it".to_owned())
            } else {
                one(context, injector, service, &configuration, &asked).await
            };
            self.shown.insert(service.name.clone(), (Instant::now(), result));
        }
        let failed = services.iter().any(|service| self.shown.get(service).is_none_or(|(_, shown)| shown.is_err()));
        self.failures = if failed { self.failures.saturating_add(1) } else { 0 };
        Ok(())
    }
}

/// Whether it injects the pods of one service.
async fn one(
    context: &Context,
    injector: &Injector,
    service: &Service,
    configuration: &MutatingWebhookConfiguration,
    asked: &[crate::cluster::ServiceEndpoint],
) -> Result<(), String> {
    let options = &context.options;
    let mut pod = sample::of(service);
    let entry = entry_for(configuration, &options.namespace, &sample::labels_of(service));
    let trust = Trust::of(entry.map_err(|why| why.to_string())?);
    if let Some(metadata) = pod.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".to_owned(), options.namespace.clone().into());
    }
    if !asked.iter().any(|endpoint| endpoint.ready) {
        return Err(format!("no ready pod is behind Service {}", options.service));
    }
    let asking = asked.iter().map(async |endpoint| {
        let uid = format!("in-step-{}", endpoint.address);
        let answer = post(endpoint.address, &trust, &uid, &pod).await;
        let result = match answer {
            // API servers don't call it, and it may be about to end or to begin.
            Err(CallError::Away(_)) if !endpoint.ready => Ok(()),
            Err(CallError::Away(why) | CallError::Wrong(why)) => Err(why),
            // One that ends is called on over connections that are open, whatever it says.
            Ok(answer) => shows(injector, &uid, &pod, &answer),
        };
        result.map_err(|why| format!("{}: {why}", endpoint.name()))
    });
    join_all(asking).await.into_iter().collect()
}

#[cfg(test)]
mod tests;
