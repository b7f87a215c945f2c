//! What tells the API server of a webhook.

use crate::support::cluster::{Cluster, eventually, pods_path, webhook_host};
use base64::Engine;
use serde_json::{Value, json};

type Label = (&'static str, &'static str);

/// The services as the API server has to tell them apart: name and labels. Written from what the
/// Runtime's charts render, both generations.
const SERVICES: [(&str, &[Label]); 7] = [
    ("app-proxy", &[("app", "cap-app-proxy")]),
    ("gitops-operator", &[("app", "gitops-operator")]),
    (
        "event-reporter",
        &[("app.kubernetes.io/name", "cf-argocd-extras"), ("app.kubernetes.io/component", "event-reporter")],
    ),
    (
        "sources-server",
        &[("app.kubernetes.io/name", "cf-argocd-extras"), ("app.kubernetes.io/component", "sources-server")],
    ),
    ("runtime-event-reporter", &[("app.kubernetes.io/name", "runtime-event-reporter")]),
    ("cluster-event-reporter", &[("app.kubernetes.io/name", "cluster-event-reporter")]),
    ("argo-gateway", &[("app.kubernetes.io/name", "argo-gateway")]),
];

/// The name of a service's entry, which stands in errors and audit annotations.
pub fn entry(service: &str) -> String {
    format!("{service}.argocd-auth-webhook.test")
}

const MARKER: &str = "argocd-auth-webhook-test/marker";
const PATH: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";

/// A `MutatingWebhookConfiguration` that goes when this does.
pub struct Registration {
    cluster: Cluster,
    name: String,
    namespaces: Vec<String>,
    port: u16,
    timeout_seconds: u8,
    version: u32,
}

impl Registration {
    /// Registers one entry a service, as a Runtime's installation has them, and waits until the API
    /// server goes by it.
    pub async fn new(cluster: &Cluster, name: &str, namespaces: &[String], port: u16, ca_bundle: &str) -> Self {
        let mut registration = Self {
            cluster: cluster.clone(),
            name: name.to_owned(),
            namespaces: namespaces.to_vec(),
            port,
            timeout_seconds: 5,
            version: 0,
        };
        registration.publish(ca_bundle).await;
        registration
    }

    /// Changes the time that the API server waits for an answer.
    pub async fn wait_for_answers(&mut self, seconds: u8, ca_bundle: &str) {
        self.timeout_seconds = seconds;
        self.publish(ca_bundle).await;
    }

    /// Changes the `caBundle`, and waits until the API server goes by the new one.
    pub async fn publish(&mut self, ca_bundle: &str) {
        self.version += 1;
        let marker = format!("{}-{}", self.name, self.version);
        let url = format!("https://{}:{}/mutate", webhook_host(), self.port);
        let ca_bundle = base64::engine::general_purpose::STANDARD.encode(ca_bundle);
        let in_namespaces = json!({ "matchExpressions": [
            { "key": "kubernetes.io/metadata.name", "operator": "In", "values": self.namespaces },
        ] });
        let webhook = |name: String, url: &str, labels: Value| {
            json!({
                "name": name,
                "clientConfig": { "url": url, "caBundle": ca_bundle },
                "namespaceSelector": in_namespaces,
                "objectSelector": { "matchLabels": labels },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"],
                    "scope": "Namespaced",
                }],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
                "timeoutSeconds": self.timeout_seconds,
            })
        };
        let mut webhooks: Vec<Value> = SERVICES
            .iter()
            .map(|(service, labels)| {
                let labels = labels.iter().map(|&(key, value)| (key.to_owned(), json!(value))).collect();
                webhook(entry(service), &url, Value::Object(labels))
            })
            .collect();
        // The API server takes a moment to see a change, and nothing tells when it has. An entry that
        // nobody answers shows it: from then on a pod with its label is refused.
        webhooks.push(webhook(entry("marker"), "https://127.0.0.1:1/marker", json!({ MARKER: marker })));
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": self.name },
            "webhooks": webhooks,
        });
        self.cluster.apply(&format!("{PATH}/{}", self.name), &object).await.unwrap();

        let probe = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": "probe", "labels": { MARKER: marker } },
            "spec": { "containers": [{ "name": "main", "image": "none.example/none:1" }] },
        });
        for namespace in &self.namespaces {
            let path = format!("{}?dryRun=All", pods_path(namespace));
            eventually("the API server goes by the registration", async || {
                match self.cluster.create(&path, &probe).await {
                    Err(message) if message.contains(&entry("marker")) => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.cluster.clean_up(&["mutatingwebhookconfiguration", &self.name]);
    }
}
