//! The store of the watches: facts about the pods of each service, and whether a Secret has changed.

use crate::cluster::{ClusterError, watch_named, watch_selected};
use crate::controller::Context;
use crate::controller::driver::on_watch_error;
use crate::core::{LabelSelector, Operator, Service};
use crate::drift::{PodFacts, TrackedKeys};
use futures_util::StreamExt;
use futures_util::stream::{BoxStream, select_all};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::core::{Expression, Selector};
use kube::runtime::watcher::Event;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

type ByUid = BTreeMap<String, PodFacts>;

/// The watched pods of one service.
#[derive(Debug, Default)]
struct Watched {
    pods: ByUid,
    /// The pods of a list that has begun and isn't complete.
    listed: Option<ByUid>,
    complete: bool,
}

/// What the watches reported so far.
#[derive(Debug, Default)]
pub(super) struct Store {
    watched: Mutex<BTreeMap<usize, Watched>>,
    secrets: Mutex<bool>,
    /// Wakes the loop when anything has changed.
    pub wake: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One item of a watch.
enum WatchEvent {
    Pod(usize, Box<Event<Pod>>),
    Secret,
    /// The credential was checked.
    Credential,
    Nothing,
}

/// Translates a selector of the settings for the API server.
fn selector(selector: &LabelSelector) -> Selector {
    let labels = selector.match_labels.iter().map(|(key, value)| Expression::Equal(key.clone(), value.clone()));
    let requirements = selector.match_expressions.iter().map(|requirement| {
        let (key, values) = (requirement.key.clone(), requirement.values.iter().cloned().collect());
        match requirement.operator {
            Operator::In => Expression::In(key, values),
            Operator::NotIn => Expression::NotIn(key, values),
            Operator::Exists => Expression::Exists(key),
            Operator::DoesNotExist => Expression::DoesNotExist(key),
        }
    });
    labels.chain(requirements).collect()
}

impl Store {
    /// All pods; `None` until those of each service were listed.
    pub(super) fn pods(&self, services: usize) -> Option<Vec<PodFacts>> {
        let watched = lock(&self.watched);
        if watched.values().filter(|service| service.complete).count() < services {
            return None;
        }
        let by_uid: BTreeMap<&String, &PodFacts> = watched.values().flat_map(|service| &service.pods).collect();
        Some(by_uid.into_values().cloned().collect())
    }

    /// Marks a pod as terminating, before the watch reports it.
    pub(super) fn taken(&self, uid: &str) {
        for service in lock(&self.watched).values_mut() {
            if let Some(facts) = service.pods.get_mut(uid) {
                facts.terminating = true;
            }
        }
    }

    /// Whether a tracked Secret may have changed since the last call.
    pub(super) fn secrets_changed(&self) -> bool {
        std::mem::take(&mut *lock(&self.secrets))
    }

    /// Makes the next pass read the tracked Secrets again.
    pub(super) fn mark_secrets_changed(&self) {
        *lock(&self.secrets) = true;
    }

    /// Follows pods and Secrets forever.
    pub(super) async fn follow(&self, context: &Context, subjects: &TrackedKeys) {
        let pods: Api<Pod> = Api::namespaced(context.client.clone(), &context.options.namespace);
        let services: Vec<&Service> = subjects.injector.services().collect();
        let mut streams: Vec<BoxStream<'_, WatchEvent>> = Vec::new();
        for (place, service) in services.iter().enumerate() {
            let selected = watch_selected(pods.clone(), &selector(&service.selector));
            let told = move |said: Result<_, _>| match said {
                Ok(event) => WatchEvent::Pod(place, Box::new(event)),
                Err(error) => failed(context, &error),
            };
            streams.push(selected.map(told).boxed());
        }
        for secret in subjects.secrets() {
            let told = |said: Result<_, _>| match said {
                Ok(_) => WatchEvent::Secret,
                Err(error) => failed(context, &error),
            };
            streams.push(watch_named(context.secrets(), secret).map(told).boxed());
        }
        let mut all = select_all(streams);
        let mut health = context.health.subscribe();
        loop {
            let said = tokio::select! {
                Some(said) = all.next() => said,
                Ok(()) = health.changed() => WatchEvent::Credential,
                else => return,
            };
            match said {
                WatchEvent::Credential => {}
                WatchEvent::Pod(place, event) => self.note(place, *event, subjects),
                WatchEvent::Secret => self.mark_secrets_changed(),
                WatchEvent::Nothing => continue,
            }
            self.wake.notify_one();
        }
    }

    fn note(&self, place: usize, event: Event<Pod>, subjects: &TrackedKeys) {
        let mut watched = lock(&self.watched);
        let service = watched.entry(place).or_default();
        match event {
            Event::Init => service.listed = Some(ByUid::new()),
            Event::InitDone => {
                if let Some(listed) = service.listed.take() {
                    service.pods = listed;
                }
                service.complete = true;
            }
            Event::InitApply(pod) | Event::Apply(pod) => {
                let uid = pod.metadata.uid.clone().unwrap_or_default();
                let pods = service.listed.as_mut().unwrap_or(&mut service.pods);
                // A change of its labels may have changed its service.
                match PodFacts::of(&pod, subjects) {
                    Some(facts) => drop(pods.insert(uid, facts)),
                    None => drop(pods.remove(&uid)),
                }
            }
            Event::Delete(pod) => {
                let uid = pod.metadata.uid.unwrap_or_default();
                service.pods.remove(&uid);
            }
        }
    }
}

fn failed(context: &Context, error: &ClusterError) -> WatchEvent {
    on_watch_error(&context.metrics, error);
    WatchEvent::Nothing
}
