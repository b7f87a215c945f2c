//! A Runtime's namespace with an Argo CD of its own in it.

use super::account::id_of;
use super::controller;
use super::server::{ArgoCd, Options, decoded, encoded, secret_value};
use crate::support::cluster::eventually;
use crate::support::process::Process;
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::PathBuf;

/// Short times, so that a test sees what otherwise takes minutes.
pub const QUICK: &str = "credentials: {followAfter: 2s, checkInterval: 2s, loginWait: 4s}\n";
/// The Secret of password mode, which the server makes.
pub const PASSWORD_MODE: &str = "auth: {type: password}\n";

pub struct Runtime {
    pub argocd: ArgoCd,
    scene: Scene,
}

impl Deref for Runtime {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

impl Runtime {
    /// An Argo CD that runs, whose first password stands where the Runtime looks for it.
    pub async fn new(test: &str) -> Self {
        Self::with(test, Options::default()).await
    }

    pub async fn with(test: &str, options: Options) -> Self {
        let scene = Scene::new(test).await;
        let argocd = ArgoCd::start(&scene, options).await;
        Self { argocd, scene }
    }

    /// Writes the controller's configuration: `auth` and whatever else.
    pub fn config(&self, text: &str) -> PathBuf {
        self.write("config", text)
    }

    /// A controller with this configuration, at the Argo CD here.
    pub async fn controller(&self, text: &str) -> Process {
        self.controller_at(&self.argocd.url(), text).await
    }

    /// A controller with this configuration, at another address.
    pub async fn controller_at(&self, url: &str, text: &str) -> Process {
        self.controller_with(&format!("argocd: {{url: \"{url}\"}}\n{text}")).await
    }

    /// A controller with just this configuration.
    pub async fn controller_with(&self, text: &str) -> Process {
        let config = self.config(text);
        controller::start(&self.cluster.kubeconfig(), &self.output, self.namespace(), &config).await
    }

    /// A controller in password mode with short times.
    pub async fn quick(&self) -> Process {
        self.controller(&format!("{PASSWORD_MODE}{QUICK}")).await
    }

    /// What stands in `argocd-token`.
    pub async fn stored(&self) -> Option<String> {
        let secret = self.cluster.get(&self.path("secret", "argocd-token")).await.ok()?;
        decoded(&secret["data"]["token"])
    }

    /// Puts something there.
    pub async fn store(&self, token: &str) {
        self.put("argocd-token", "token", token).await;
    }

    /// Puts something into a Secret, which is made where it isn't there.
    pub async fn put(&self, name: &str, key: &str, value: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "data": { key: encoded(value) },
        });
        self.cluster.apply(&self.path("secret", name), &secret).await.unwrap();
    }

    /// Waits for a key in `argocd-token` that Argo CD accepts.
    pub async fn works(&self) -> String {
        eventually("a key that works", async || {
            let key = self.stored().await.ok_or("there is none")?;
            if !key.starts_with("eyJ") {
                return Err("it is no key".to_owned());
            }
            if self.argocd.accepts(&key) { Ok(secret_value(key)) } else { Err(format!("{} is refused", id_of(&key))) }
        })
        .await
    }

    /// Waits for another key than this, which works.
    pub async fn replaced(&self, before: &str) -> String {
        eventually("another key", async || match self.stored().await {
            Some(now) if now != before && self.argocd.accepts(&now) => Ok(secret_value(now)),
            _ => Err("not yet".to_owned()),
        })
        .await
    }

    /// Asks for a look, as a person does who has revoked a key.
    pub async fn ask(&self, word: &str) {
        let asked = json!({ "metadata": { "annotations": { "argocd-auth-webhook/check": word } } });
        self.cluster.merge(&self.path("secret", "argocd-initial-admin-secret"), &asked).await.unwrap();
    }

    /// What the status says of the credential.
    pub async fn status(&self) -> Result<Value, String> {
        let map = self.cluster.get(&self.path("configmap", "hook-status")).await?;
        let text = map["data"]["credential.json"].as_str().ok_or("no status yet")?;
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    /// Waits for the credential to be in this state.
    pub async fn is(&self, state: &str) -> Value {
        eventually(&format!("the state {state}"), async || match self.status().await {
            Ok(status) if status["state"] == state => Ok(status),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error),
        })
        .await
    }

    /// The Events with this reason.
    pub async fn events_of(&self, reason: &str) -> Vec<Value> {
        let events = self.events().await;
        events.into_iter().filter(|event| event["reason"] == reason).collect()
    }
}

impl Drop for Runtime {
    /// What was stored outside of Secrets is kept, to be looked through.
    fn drop(&mut self) {
        let kinds = "configmaps,events.v1.events.k8s.io,leases";
        let seen = self.cluster.kubectl(&["-n", self.namespace(), "get", kinds, "-o", "yaml"], None);
        std::fs::write(self.output.join(format!("objects-{}.yaml", self.namespace())), seen.stdout).unwrap();
    }
}
