//! What all reconcilers share.

use super::consumers::Consumers;
use super::health::CredentialHealth;
use super::metrics::ControllerMetrics;
use super::options::Options;
use crate::cluster::leader_election::{Leadership, MANAGED_BY};
use crate::cluster::{
    Cause, ClusterError, Event, FIELD_MANAGER, call, emit, ensure_with_owner, find, find_owner, object_reference,
};
use crate::server::Loops;
use crate::settings::Settings;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// The entries of the state Secret, by name.
pub type StateEntries = BTreeMap<String, Vec<u8>>;

/// What all reconcilers share: client, settings, leadership, and what they tell each other. Clones share it
/// too.
#[derive(Clone)]
pub struct Context {
    /// The client of the API server.
    pub client: Client,
    /// The names and lifetimes of what the controller maintains.
    pub options: Arc<Options>,
    /// The credential that pods get, and where Argo CD is.
    pub settings: Arc<Settings>,
    /// The metrics of the process.
    pub metrics: Arc<ControllerMetrics>,
    /// Whether this process leads, and so may write.
    pub leadership: Leadership,
    /// The reporting instance in Events: this process.
    pub instance: String,
    /// The state Secret's entries when this process last read or wrote it; `None` if it hasn't, or lost the
    /// Lease since.
    pub remembered: Arc<Mutex<Option<StateEntries>>>,
    /// What this process has published in the status, by key.
    pub published: Arc<Mutex<BTreeMap<String, String>>>,
    /// Whether pods have taken up the current credential: from the rollout to the credential.
    pub consumers: Arc<watch::Sender<Consumers>>,
    /// The health of key and password at the last check: from the credential to the rollout.
    pub health: Arc<watch::Sender<CredentialHealth>>,
    /// Whether the rollout waits for a login with the current password: from the rollout to the credential.
    pub login_wanted: Arc<watch::Sender<bool>>,
    /// The loops that must make progress, for `/livez`.
    pub loops: Loops,
}

impl Context {
    /// The API of Secrets in the release's namespace.
    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.options.namespace)
    }

    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// Our webhook configuration; `None` if there is none.
    ///
    /// # Errors
    /// The call failed otherwise than by status 404.
    pub(super) async fn configuration(&self) -> Result<Option<MutatingWebhookConfiguration>, ClusterError> {
        let name = &self.options.webhook_configuration;
        call(&format!("reading MutatingWebhookConfiguration {name}"), self.configurations().get_opt(name)).await
    }

    /// Reads an object in the release's namespace; `None` if there is none.
    ///
    /// # Errors
    /// The call failed otherwise than by status 404.
    pub(super) async fn find<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        find(&self.client, &self.options.namespace, name).await
    }

    /// Makes sure that an object of ours exists, with our labels and owner reference. `rest` holds the fields
    /// without which it can't be created; its content is written afterwards.
    ///
    /// # Errors
    /// [`Cause::NotLeading`] if this process may not write, else the cause of the failed call.
    pub(super) async fn ensure<K>(&self, what: &str, name: &str, rest: Value) -> Result<K, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let options = &self.options;
        let owner = find_owner(&self.client, &options.namespace, options.service_account.as_deref()).await;
        self.may_write(what)?;
        let api: Api<K> = Api::namespaced(self.client.clone(), &options.namespace);
        ensure_with_owner(&api, what, options.metadata(name), owner, rest).await
    }

    /// The object of ours with this name: `found`, or one that is created. An empty one without our label is
    /// adopted.
    ///
    /// # Errors
    /// As [`Self::ensure`]; [`Cause::NotOurs`] if it has content but not our label.
    pub(super) async fn claim<K>(
        &self,
        what: &str,
        name: &str,
        found: Option<K>,
        is_empty: bool,
        rest: Value,
    ) -> Result<K, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        match found {
            Some(found) => {
                self.must_be_ours(&K::kind(&()), found.meta(), is_empty)?;
                if is_ours(found.meta()) { Ok(found) } else { self.ensure(what, name, rest).await }
            }
            None => self.ensure(what, name, rest).await,
        }
    }

    /// Checks that the object has our label or is empty.
    ///
    /// # Errors
    /// [`Cause::NotOurs`] otherwise.
    pub(super) fn must_be_ours(&self, kind: &str, metadata: &ObjectMeta, is_empty: bool) -> Result<(), ClusterError> {
        if is_empty || is_ours(metadata) {
            return Ok(());
        }
        let (namespace, name) = (&self.options.namespace, metadata.name.as_deref().unwrap_or_default());
        let what = format!("taking {kind} {namespace}/{name}, which lacks the label {MANAGED_BY}={FIELD_MANAGER}");
        Err(ClusterError { what, cause: Cause::NotOurs })
    }

    /// A reference to a Secret of ours, for Events.
    pub(super) fn secret_reference(&self, name: &str, read: Option<&Secret>) -> ObjectReference {
        let uid = read.and_then(|secret| secret.metadata.uid.as_deref());
        object_reference(("v1", "Secret"), &self.options.namespace, name, uid)
    }

    /// Checks that a write may begin now. To be called right before each write.
    ///
    /// # Errors
    /// [`Cause::NotLeading`]: this process doesn't hold the Lease now.
    pub(super) fn may_write(&self, what: &str) -> Result<(), ClusterError> {
        if self.leadership.may_write() {
            Ok(())
        } else {
            Err(ClusterError { what: what.to_owned(), cause: Cause::NotLeading })
        }
    }

    /// Logs an Event and creates it. A failure to create it is only logged and counted.
    pub(super) async fn emit_event(&self, about: ObjectReference, event: Event) {
        if event.warning {
            tracing::warn!(reason = event.reason, "{}", event.note);
        } else {
            tracing::info!(reason = event.reason, "{}", event.note);
        }
        if let Err(error) = emit(&self.client, about, &self.instance, event).await {
            self.metrics.failed(Some(&error.cause));
            tracing::warn!(%error, "nobody will see this as an Event");
        }
    }
}

/// Whether the object has the label of what this program creates.
fn is_ours(metadata: &ObjectMeta) -> bool {
    metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|manager| manager == FIELD_MANAGER)
}

/// Whether no key of the Secret has a value.
pub(super) fn is_empty(secret: &Secret) -> bool {
    secret.data.iter().flatten().all(|(_, value)| value.0.is_empty())
}
