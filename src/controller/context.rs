//! What every part of the controller works with.

use super::consumers::Consumers;
use super::health::CredentialHealth;
use super::metrics::ControllerMetrics;
use super::options::Options;
use crate::cluster::leader_election::{Leadership, MANAGED_BY};
use crate::cluster::{
    Cause, ClusterError, Event, FIELD_MANAGER, call, emit, ensure_with_owner, find, find_owner, object_reference,
};
use crate::resolve::Resolver;
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

/// The entries of the state Secret.
pub type Remembered = BTreeMap<String, Vec<u8>>;

/// What every part of the controller works with.
#[derive(Clone)]
pub struct Context {
    /// The way to the cluster.
    pub client: Client,
    /// What to keep, and where.
    pub options: Arc<Options>,
    /// What the pods are to carry, and where Argo CD is.
    pub settings: Arc<Settings>,
    /// What is counted.
    pub metrics: Arc<ControllerMetrics>,
    /// Whether this process may write.
    pub leadership: Leadership,
    /// Who we are, in Events.
    pub instance: String,
    /// What stood in the state Secret when this process read or wrote it last.
    pub remembered: Arc<Mutex<Option<Remembered>>>,
    /// What this process has published of the status, by key.
    pub published: Arc<Mutex<BTreeMap<String, String>>>,
    /// What the parts tell each other.
    pub consumers: Arc<watch::Sender<Consumers>>,
    /// What the credential's part saw at its last look.
    pub health: Arc<watch::Sender<CredentialHealth>>,
    /// Whether the pods' part waits for a login with the password as it is now.
    pub login_wanted: Arc<watch::Sender<bool>>,
    /// The loops that have to come round for the process to live on.
    pub loops: Loops,
}

impl Context {
    /// The Secrets of the release's namespace.
    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.options.namespace)
    }

    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    /// Our webhook configuration; nothing where there is none.
    ///
    /// # Errors
    /// The call failed.
    pub(super) async fn configuration(&self) -> Result<Option<MutatingWebhookConfiguration>, ClusterError> {
        let name = &self.options.webhook_configuration;
        call(&format!("reading MutatingWebhookConfiguration {name}"), self.configurations().get_opt(name)).await
    }

    /// What the settings refer to in the release's namespace.
    pub(super) fn resolver(&self) -> Resolver<'_> {
        Resolver { client: Ok(self.client.clone()), namespace: &self.options.namespace, patient: false }
    }

    /// Reads an object of the release's namespace; nothing where there is none.
    ///
    /// # Errors
    /// The call failed.
    pub(super) async fn find<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        find(&self.client, &self.options.namespace, name).await
    }

    /// Makes sure that an object of ours is there, with our labels and our owner. `rest` is what it can't
    /// be made without; what it is to hold is written after.
    ///
    /// # Errors
    /// The call failed, or this process may not write.
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

    /// An object under a name of ours: what was found there, or one that is made. One that is empty and
    /// nobody's becomes ours.
    ///
    /// # Errors
    /// As [`Self::ensure`]; [`Cause::NotOurs`] where it is somebody else's.
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

    /// Nothing if the object carries our label, or nobody has put anything into it.
    ///
    /// # Errors
    /// [`Cause::NotOurs`].
    pub(super) fn must_be_ours(&self, kind: &str, metadata: &ObjectMeta, is_empty: bool) -> Result<(), ClusterError> {
        if is_empty || is_ours(metadata) {
            return Ok(());
        }
        let (namespace, name) = (&self.options.namespace, metadata.name.as_deref().unwrap_or_default());
        let what = format!("taking {kind} {namespace}/{name}, which lacks the label {MANAGED_BY}={FIELD_MANAGER}");
        Err(ClusterError { what, cause: Cause::NotOurs })
    }

    /// A Secret of ours, as Events name it.
    pub(super) fn secret_reference(&self, name: &str, read: Option<&Secret>) -> ObjectReference {
        let uid = read.and_then(|secret| secret.metadata.uid.as_deref());
        object_reference(("v1", "Secret"), &self.options.namespace, name, uid)
    }

    /// Nothing if a write may begin now. To be asked right before each write.
    ///
    /// # Errors
    /// Another process holds the Lease, or nobody knows who does.
    pub(super) fn may_write(&self, what: &str) -> Result<(), ClusterError> {
        if self.leadership.may_write() {
            Ok(())
        } else {
            Err(ClusterError { what: what.to_owned(), cause: Cause::NotLeading })
        }
    }

    /// An Event about an object of ours. That it can't be made hinders nothing.
    pub(super) async fn tell(&self, about: ObjectReference, event: Event) {
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

/// Whether it carries the label of what is made here.
fn is_ours(metadata: &ObjectMeta) -> bool {
    metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|manager| manager == FIELD_MANAGER)
}

/// Whether nobody has put anything into it.
pub(super) fn is_empty(secret: &Secret) -> bool {
    secret.data.iter().flatten().all(|(_, value)| value.0.is_empty())
}
