//! Restores state and status if somebody deletes them, and reports a missing registration of the webhook,
//! which is the chart's to write. Certificates and Lease are restored by whoever uses them.

use super::Context;
use super::driver::{Delays, ReconcileError, Reconciler, Requeue, drive, on_watch_event};
use super::state::{self, StateSecret};
use super::status;
use crate::cluster::{ClusterError, Event, object_reference, watch_named};
use crate::core::{Engine, Injector, Service};
use crate::webhook_probe::{NotCalled, entry_for, sample};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Api, Resource};
use serde_json::{Value, json};
use std::future::ready;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Notify;

/// The longest time between two passes, in case a watch missed something.
const RESYNC_INTERVAL: Duration = Duration::from_mins(1);

/// Runs the guard forever, while this process leads.
pub(super) async fn run(context: Context) {
    let wake = Notify::new();
    let mut guard = Guard::new(&context);
    tokio::select! {
        () = drive(&context, &mut guard, &wake) => {}
        () = watch(&context, &wake) => {}
    }
}

/// Whether the API server calls the webhook for the pods of all services.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Registration {
    Whole,
    /// There is no webhook configuration.
    Missing,
    /// No entry matches the pods of these services; the reason for the first of them.
    Partial(Vec<String>, String),
}

struct Guard<'c> {
    context: &'c Context,
    injector: Injector,
    /// The last registration that an Event reported.
    told: Option<Registration>,
}

impl<'c> Guard<'c> {
    fn new(context: &'c Context) -> Self {
        Self { context, injector: context.settings.injector(Engine::Webhook), told: None }
    }

    async fn pass(&mut self) -> Result<(), ClusterError> {
        let context = self.context;
        if state::is_remembered(context) && context.find::<Secret>(&state::name(context)).await?.is_none() {
            StateSecret::open(context).await?;
        }
        status::restore(context).await?;
        let found = context.configuration().await?;
        let registration = self.judge(found.as_ref());
        status::publish(context, "webhook", &self.document(&registration)).await?;
        self.report(registration).await;
        Ok(())
    }

    fn judge(&self, found: Option<&MutatingWebhookConfiguration>) -> Registration {
        let Some(found) = found else { return Registration::Missing };
        let not_called = |service: &Service| {
            let labels = sample::labels_of(service);
            match entry_for(found, &self.context.options.namespace, &labels) {
                Err(NotCalled::Never(why)) => Some((service.name.clone(), why)),
                // An entry that can't be evaluated here is no reason to report anything.
                Ok(_) | Err(NotCalled::Unknown(_)) => None,
            }
        };
        let mut left_out: Vec<_> = self.injector.services().filter_map(not_called).collect();
        if left_out.is_empty() {
            return Registration::Whole;
        }
        let (_, why) = left_out[0].clone();
        Registration::Partial(left_out.drain(..).map(|(name, _)| name).collect(), why)
    }

    fn message(&self, registration: &Registration) -> String {
        let name = &self.context.options.webhook_configuration;
        match registration {
            Registration::Whole => format!("MutatingWebhookConfiguration {name} calls the webhook for every service"),
            Registration::Missing => {
                format!("there is no MutatingWebhookConfiguration {name}: pods are created without a credential")
            }
            Registration::Partial(services, why) => {
                format!("pods of {} are created without a credential: {why}", services.join(", "))
            }
        }
    }

    fn advice(&self) -> String {
        let options = &self.context.options;
        format!(
            "helm upgrade with the chart and values as they are, or: helm get manifest {} --namespace {} | kubectl apply \
             --filename -",
            options.release, options.namespace
        )
    }

    fn document(&self, registration: &Registration) -> Value {
        let good = *registration == Registration::Whole;
        let advice = if good { Value::Null } else { self.advice().into() };
        json!({ "registered": good, "message": self.message(registration), "advice": advice })
    }

    /// Reports the registration in an Event, if it has changed.
    async fn report(&mut self, registration: Registration) {
        let first_and_good = self.told.is_none() && registration == Registration::Whole;
        if self.told.as_ref() != Some(&registration) && !first_and_good {
            let good = registration == Registration::Whole;
            let mut note = self.message(&registration);
            if !good {
                note = format!("{note}; to do: {}", self.advice());
            }
            let reason = if good { "WebhookRegistered" } else { "WebhookNotRegistered" };
            let options = &self.context.options;
            let about = object_reference(("v1", "Service"), &options.namespace, &options.service, None);
            self.context.emit_event(about, Event { reason, action: "Check", note, warning: !good }).await;
        }
        self.told = Some(registration);
    }
}

impl Reconciler for Guard<'_> {
    const NAME: &'static str = "objects";
    const BACKOFF: Delays = Delays { first: Duration::from_millis(500), longest: Duration::from_secs(15) };

    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        self.pass().await?;
        Ok(Requeue::After(RESYNC_INTERVAL))
    }

    fn stand_by(&mut self) {
        self.told = None;
        status::forget(self.context);
    }
}

/// Wakes the loop when state or status are created or deleted, and when the registration changes; runs
/// forever.
async fn watch(context: &Context, wake: &Notify) {
    let options = &context.options;
    let (state, status) = (state::name(context), status::name(context));
    let maps: Api<ConfigMap> = Api::namespaced(context.client.clone(), &options.namespace);
    let mut state = pin!(presence(watch_named(context.secrets(), &state)));
    let mut status = pin!(presence(watch_named(maps, &status)));
    let mut configuration = pin!(watch_named(context.configurations(), &options.webhook_configuration));
    loop {
        let failed = tokio::select! {
            Some(failed) = state.next() => failed,
            Some(failed) = status.next() => failed,
            Some(seen) = configuration.next() => seen.err(),
            else => return,
        };
        on_watch_event(&context.metrics, failed, wake);
    }
}

/// Reduces a watch to creations and deletions (`None`) and errors. Changes of content are frequent, and no
/// news.
fn presence<K: Resource>(
    seen: impl Stream<Item = Result<Option<K>, ClusterError>>,
) -> impl Stream<Item = Option<ClusterError>> {
    let mut there = None;
    seen.filter_map(move |seen| {
        let news = match seen {
            Err(error) => Some(Some(error)),
            Ok(seen) => {
                let now = seen.is_some();
                (there.replace(now) != Some(now)).then_some(None)
            }
        };
        ready(news)
    })
}

#[cfg(test)]
mod tests;
