//! A Runtime's namespace with an Argo CD of its own in it.

use crate::account::id_of;
use crate::cluster::{Cluster, Namespaces, eventually, output};
use crate::controller::Controller;
use crate::server::{ArgoCd, Options, decoded, encoded, secret_value};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Short times, so that a test sees what otherwise takes minutes.
pub const QUICK: &str = "credentials: {followAfter: 2s, checkInterval: 2s, loginWait: 4s}\n";
/// The Secret of password mode, which the server makes.
pub const PASSWORD_MODE: &str = "auth: {type: password}\n";

pub struct Scene {
    pub argocd: ArgoCd,
    namespaces: Namespaces,
    pub cluster: Cluster,
    pub output: PathBuf,
    files: TempDir,
}

impl Scene {
    /// An Argo CD that runs, whose first password stands where the Runtime looks for it.
    pub async fn new(name: &str) -> Self {
        Self::with(name, Options::default()).await
    }

    pub async fn with(name: &str, options: Options) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let cluster = Cluster::connect().await;
        let namespace = format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let namespaces = Namespaces::create(&cluster, vec![namespace.clone()]).await;
        let output = output(name);
        let argocd = ArgoCd::start(&cluster, &namespace, options).await;
        Self { argocd, namespaces, cluster, output, files: TempDir::new().unwrap() }
    }

    pub fn namespace(&self) -> &str {
        &self.namespaces.names[0]
    }

    /// Writes the controller's configuration: `auth` and whatever else.
    pub fn config(&self, text: &str) -> PathBuf {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let path = self.files.path().join(format!("config-{}.yaml", COUNT.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A controller with this configuration, at this scene's Argo CD.
    pub async fn controller(&self, text: &str) -> Controller {
        self.controller_at(&self.argocd.url(), text).await
    }

    /// A controller with this configuration, at another address.
    pub async fn controller_at(&self, url: &str, text: &str) -> Controller {
        self.controller_with(&format!("argocd: {{url: \"{url}\"}}\n{text}")).await
    }

    /// A controller with just this configuration.
    pub async fn controller_with(&self, text: &str) -> Controller {
        let config = self.config(text);
        Controller::start(&self.cluster.kubeconfig(), &self.output, self.namespace(), &config).await
    }

    /// A controller in password mode with short times.
    pub async fn quick(&self) -> Controller {
        self.controller(&format!("{PASSWORD_MODE}{QUICK}")).await
    }

    pub fn path(&self, kind: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{kind}s/{name}", self.namespace())
    }

    /// The Lease of a process that is known to be dead: nobody has to wait for it.
    pub async fn free_lease(&self) {
        let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/argocd-auth-webhook", self.namespace());
        let _ = self.cluster.delete(&lease).await;
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

    /// The Events of this namespace with this reason.
    pub async fn events(&self, reason: &str) -> Vec<Value> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace());
        let events = self.cluster.get(&path).await.unwrap();
        events["items"].as_array().unwrap().iter().filter(|event| event["reason"] == reason).cloned().collect()
    }
}

impl Drop for Scene {
    /// What was stored outside of Secrets is kept, to be looked through.
    fn drop(&mut self) {
        let kinds = "configmaps,events.v1.events.k8s.io,leases";
        let seen = self.cluster.kubectl(&["-n", self.namespace(), "get", kinds, "-o", "yaml"], None);
        std::fs::write(self.output.join(format!("objects-{}.yaml", self.namespace())), seen.stdout).unwrap();
    }
}
