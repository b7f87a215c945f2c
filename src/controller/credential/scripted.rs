//! What the tests of the credential's actions work with: the executor at a scripted API server and a
//! scripted Argo CD.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

use super::action::Action;
use super::argocd_probe::{CredentialMemory, FreshKey, MeteredServer};
use super::execute::{ExecuteError, Executor};
use super::id::Prefix;
use super::observe::{Observed, Observer};
use super::snapshot::Snapshot;
use super::source::{self, Sources};
use crate::argocd::Server;
use crate::argocd::scripted::{ArgoCd, PASSWORD, token, token_of_session};
use crate::cluster::scripted::{ApiServer, NAMESPACE, NAMESPACE_UID, secret};
use crate::controller::Context;
use crate::controller::scripted::{Lease, bounded, context_of};
use crate::controller::state::StateSecret;
use crate::time::{Seconds, now};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde_json::{Value, json};

const UUID: &str = "0123abcd-0123-4123-8123-0123456789ab";
pub(super) const CLUSTER: &str = NAMESPACE_UID.split_at(8).0;

pub(super) struct Scene {
    pub server: ApiServer,
    pub argocd: ArgoCd,
    pub client: Server,
    pub context: Context,
    pub lease: Lease,
    pub memory: CredentialMemory,
    pub prefix: Prefix,
}

/// An id of ours that ends so.
pub(super) fn ours(last: char) -> String {
    format!("argocd-auth-webhook-{NAMESPACE}-{CLUSTER}-{}{last}", &UUID[..UUID.len() - 1])
}

/// A Secret with one key.
pub(super) fn data(key: &str, value: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "data": { key: STANDARD.encode(value) } })
}

impl Scene {
    /// A cluster with the account's password and nothing else, and an Argo CD with these keys.
    pub async fn new(keys: &[&str]) -> Self {
        Self::of(keys, "{ type: password }").await
    }

    /// The same with these settings of `auth`.
    pub async fn of(keys: &[&str], auth: &str) -> Self {
        let (server, argocd) = (ApiServer::default(), ArgoCd::start(keys).await);
        let (context, lease) = context_of(&server, &format!("auth: {auth}\nargocd: {{ url: '{}' }}", argocd.url()));
        server.put(&secret("argocd-initial-admin-secret"), data("password", PASSWORD));
        let client = argocd.client();
        let prefix = Prefix::new(NAMESPACE, NAMESPACE_UID).unwrap();
        Self { server, argocd, client, context, lease, memory: CredentialMemory::default(), prefix }
    }

    /// With a session, and a fresh key that Argo CD knows.
    pub async fn with_fresh_key(keys: &[&str]) -> Self {
        let id = ours('f');
        let keys: Vec<&str> = keys.iter().copied().chain([id.as_str()]).collect();
        let mut scene = Self::new(&keys).await;
        scene.memory.session = Some(SecretString::from(token_of_session()));
        let token = SecretString::from(token("apiKey", &id));
        scene.memory.fresh = Some(FreshKey { id, token, since: now() });
        scene
    }

    pub fn holds(&self, id: &str) {
        self.server.put(&secret("argocd-token"), data("token", &token("apiKey", id)));
    }

    pub async fn observe(&mut self, state: &StateSecret, sources: &Sources) -> Observed {
        let observer = Observer::new(&self.context, &self.prefix, sources, state, self.memory.succeeded.as_deref());
        observer.observe(&mut self.memory, Ok(&&self.client)).await
    }

    /// Looks, and then does this, whatever was seen.
    pub async fn execute(&mut self, action: Action) -> Result<(), ExecuteError> {
        bounded(async {
            let state = StateSecret::open(&self.context).await.unwrap();
            let sources = source::read(&self.context).await.unwrap();
            let Observed { snapshot, held, .. } = self.observe(&state, &sources).await;
            let _ = (self.server.calls(), self.argocd.calls());
            let held = held.as_ref().map(|held| &held.token);
            self.carry_out(state, &sources, (&snapshot, held), now(), action).await
        })
        .await
    }

    /// Does this after that look.
    pub async fn carry_out(
        &mut self,
        mut state: StateSecret,
        sources: &Sources,
        (seen, held): (&Snapshot, Option<&SecretString>),
        now: Seconds,
        action: Action,
    ) -> Result<(), ExecuteError> {
        let asking = MeteredServer { server: &self.client, metrics: &self.context.metrics.credential };
        let mut executor = Executor {
            context: &self.context,
            asking: &asking,
            state: &mut state,
            memory: &mut self.memory,
            sources,
            prefix: &self.prefix,
            seen,
            held,
            now,
        };
        executor.execute(action).await
    }

    pub fn stored(&self) -> Value {
        self.server.get(&secret("argocd-token"))["data"]["token"].clone()
    }

    /// What the state remembers under this name.
    pub fn remembered(&self, name: &str) -> Value {
        let entry = &self.server.get(&secret("rel-state"))["data"][name];
        let bytes = entry.as_str().map(|text| STANDARD.decode(text).unwrap());
        bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap()).unwrap_or_default()
    }
}
