//! Probes whether the webhook injects, before a pod is removed because of it.

use crate::cluster::{Cause, ClusterError, endpoints, last_written};
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

/// How long a result holds: short, because what it shows can end at any time.
const MAX_PROOF_AGE: Duration = Duration::from_secs(10);
/// The delay before a failed probe is repeated; multiplied by the number of failures in a row.
const RETRY_DELAY: Duration = Duration::from_secs(2);
/// The longest of these delays.
const MAX_RETRY_DELAY: Duration = Duration::from_secs(16);
/// How long a new registration has to be known here, since each API server learns of it through a watch.
const REGISTRATION_PROPAGATION: Duration = Duration::from_secs(2);
/// The age, in seconds by the API server's clock, from which a registration counts as known everywhere.
const SETTLED_AGE: Seconds = 30;

/// The results of the latest probes.
#[derive(Default)]
pub(super) struct ProbeResults {
    shown: BTreeMap<String, (Instant, Result<(), String>)>,
    /// The registration's `resourceVersion`, and since when this process knows it.
    registered: Option<(String, Instant)>,
    /// How many probes have failed in a row.
    failures: u32,
}

impl ProbeResults {
    /// Results as if these services had been probed successfully just now.
    #[cfg(test)]
    pub(super) fn shown(services: impl Iterator<Item = String>) -> Self {
        let shown = services.map(|service| (service, (Instant::now(), Ok(())))).collect();
        Self { shown, ..Self::default() }
    }

    /// The results that still hold, by service.
    pub(super) fn now(&self) -> BTreeMap<String, Result<(), String>> {
        let holds = |(at, result): &(Instant, Result<(), String>)| {
            let again = RETRY_DELAY.saturating_mul(self.failures).min(MAX_RETRY_DELAY);
            at.elapsed() < if result.is_ok() { MAX_PROOF_AGE } else { again }
        };
        let held = self.shown.iter().filter(|(_, shown)| holds(shown));
        held.map(|(service, (_, result))| (service.clone(), result.clone())).collect()
    }

    /// Probes the webhook for these services, and keeps the results.
    ///
    /// # Errors
    /// A call to the API server failed, so there are no results.
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
        let written = last_written(&configuration.metadata);
        let old = written.is_some_and(|written| written.saturating_add(SETTLED_AGE) < now());
        for service in injector.services().filter(|service| services.contains(&service.name)) {
            let result = if !old && since.elapsed() < REGISTRATION_PROPAGATION {
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

/// Probes whether every endpoint injects a pod of one service.
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
            // API servers don't call this endpoint; it may be starting or ending.
            Err(CallError::Unreachable(_)) if !endpoint.ready => Ok(()),
            Err(CallError::Unreachable(why) | CallError::Invalid(why)) => Err(why),
            // A terminating endpoint is still called over open connections, whatever its readiness.
            Ok(answer) => shows(injector, &uid, &pod, &answer),
        };
        result.map_err(|why| format!("{}: {why}", endpoint.name()))
    });
    join_all(asking).await.into_iter().collect()
}

#[cfg(test)]
mod tests;
