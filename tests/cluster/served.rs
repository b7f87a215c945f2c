//! A scene with a webhook that runs and is registered for its namespaces.

use super::registration::Registration;
use super::webhook::Start;
use crate::support::authority::{Authority, MountedPair};
use crate::support::cluster::{Seen, free_port, pods_path, webhook_host};
use crate::support::credentials::plain_token;
use crate::support::process::Process;
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::ops::Deref;

/// The parts go in this order: the registration first, so that no pod waits for a webhook that has
/// ended.
pub struct Served {
    pub registration: Registration,
    scene: Scene,
    pub webhook: Process,
    pub start: Start,
    pub authority: Authority,
    pub pair: MountedPair,
}

impl Deref for Served {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

/// Settings with a plain token; `more` is added at the end.
pub fn token_settings(more: &str) -> String {
    format!("auth: {{type: token, token: {}}}\n{more}\n", plain_token())
}

impl Served {
    /// One namespace.
    pub async fn new(test: &str, settings: &str) -> Self {
        Self::with_namespaces(test, &[""], settings).await
    }

    /// A namespace for each of these endings.
    pub async fn with_namespaces(test: &str, endings: &[&str], settings: &str) -> Self {
        let scene = Scene::with_namespaces(test, endings).await;
        let authority = Authority::new(&scene.name);
        let pair = MountedPair::new(&scene.folder().join("certificate"), &authority.issue(&webhook_host()));
        let config = scene.write("config", settings);
        let (port, output) = (free_port(), scene.output.clone());
        let start = Start { config, certificate: pair.certificate(), key: pair.key(), port, output };
        let webhook = start.run().await;
        let namespaces = scene.namespaces();
        let registration =
            Registration::new(&scene.cluster, &scene.name, namespaces, start.port, &authority.pem()).await;
        Self { registration, scene, webhook, start, authority, pair }
    }

    /// Creates a pod in the first namespace.
    pub async fn create_pod(&self, pod: &Value) -> Result<Value, String> {
        self.cluster.create(&pods_path(self.namespace()), pod).await
    }

    /// The path of a pod in the first namespace.
    pub fn pod_path(&self, name: &str) -> String {
        format!("{}/{name}", pods_path(self.namespace()))
    }

    /// `kubectl create` in the first namespace.
    pub fn kubectl_create(&self, object: &Value) -> Seen {
        self.cluster.kubectl(&["create", "--namespace", self.namespace(), "--filename", "-"], Some(object))
    }
}

/// A small pod with these labels and one container.
pub fn pod(name: &str, labels: &Value, container: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": labels },
        "spec": { "containers": [{
            "name": container,
            "image": "none.example/none:1",
            "env": [{ "name": "LOG_LEVEL", "value": "info" }],
        }] },
    })
}

/// A small pod of the app-proxy.
pub fn app_proxy(name: &str) -> Value {
    pod(name, &json!({ "app": "cap-app-proxy" }), "cap-app-proxy")
}

/// The `ReplicaSet` of small app-proxies.
pub fn app_proxies(name: &str, replicas: u32) -> Value {
    let mut template = app_proxy(name);
    let labels = json!({ "app": "cap-app-proxy", "set": name });
    template["metadata"] = json!({ "labels": labels });
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": { "metadata": template["metadata"], "spec": template["spec"] },
        },
    })
}

/// Whether the pod's app-proxy takes the token from the Secret that the chart makes of a plain one.
pub fn has_token(pod: &Value) -> bool {
    let token = json!({
        "name": "ARGO_CD_TOKEN",
        "valueFrom": { "secretKeyRef": { "name": "gitops-runtime-argo-cd-token", "key": "token" } },
    });
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let container = containers.iter().find(|container| container["name"] == "cap-app-proxy").unwrap();
    let env = container["env"].as_array().unwrap();
    let tokens: Vec<_> = env.iter().filter(|variable| variable["name"] == "ARGO_CD_TOKEN").collect();
    tokens == [&token]
}
