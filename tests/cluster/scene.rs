//! What a test starts from: namespaces, settings, a running webhook, and its registration.

use crate::certificates::{Authority, MountedPair};
use crate::cluster::{Cluster, Namespaces, output, pods_path, webhook_host};
use crate::registration::Registration;
use crate::webhook::{Start, Webhook, free_port, plain_token, write_config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The parts go in this order: the registration first, so that no pod waits for a webhook that has
/// ended.
pub struct Scene {
    pub registration: Registration,
    pub namespaces: Namespaces,
    pub webhook: Webhook,
    pub start: Start,
    pub authority: Authority,
    pub pair: MountedPair,
    pub cluster: Cluster,
    /// Unique in the cluster.
    pub name: String,
    _files: TempDir,
}

/// A name that no other run of the tests has.
pub fn unique(name: &str) -> String {
    format!("{}-{:x}", name.replace('_', "-"), std::process::id())
}

/// Settings with a plain token; `more` is added at the end.
pub fn token_settings(more: &str) -> String {
    format!("auth: {{type: token, token: {}}}\n{more}\n", plain_token())
}

impl Scene {
    /// One namespace.
    pub async fn new(name: &str, settings: &str) -> Self {
        Self::with_namespaces(name, &[""], settings).await
    }

    /// A namespace for each of these endings.
    pub async fn with_namespaces(name: &str, endings: &[&str], settings: &str) -> Self {
        let cluster = Cluster::connect().await;
        let output = output(name);
        let name = unique(name);
        let names = endings.iter().map(|ending| format!("{name}{ending}")).collect();
        let namespaces = Namespaces::create(&cluster, names).await;
        let files = TempDir::new().unwrap();
        let authority = Authority::new(&name);
        let pair = MountedPair::new(&files.path().join("certificate"), &authority.issue(&webhook_host()));
        let config = write_config(files.path(), settings);
        let start = Start { config, certificate: pair.certificate(), key: pair.key(), port: free_port(), output };
        let webhook = start.run().await;
        let registration = Registration::new(&cluster, &name, &namespaces.names, start.port, &authority.pem()).await;
        Self { registration, namespaces, webhook, start, authority, pair, cluster, name, _files: files }
    }

    /// The first namespace, which most tests have alone.
    pub fn namespace(&self) -> &str {
        &self.namespaces.names[0]
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
    pub fn kubectl_create(&self, object: &Value) -> crate::cluster::Seen {
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
