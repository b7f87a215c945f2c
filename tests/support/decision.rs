//! Helpers of several tests: settings from YAML, a pod, and a pod after its decision.
#![allow(dead_code, reason = "each test file uses some of them")]

use argocd_auth_webhook::core::{Engine, Injector, Outcome, Pod};
use argocd_auth_webhook::settings::{File, Overrides, Settings, SettingsError};
use serde_json::{Value, json};

/// Settings from our own configuration, which must be good. Without a block, the Runtime's default is
/// asked for.
pub fn settings(yaml: &str) -> Settings {
    config(&with_auth(yaml)).unwrap_or_else(|error| panic!("{error}"))
}

/// With `auth: {type: password}` where no block is given.
pub fn with_auth(yaml: &str) -> String {
    let text = if yaml.trim().is_empty() { "{}" } else { yaml };
    let mut root: Value = serde_saphyr::from_str(text).unwrap();
    let auth = root.as_object_mut().unwrap().entry("auth").or_insert_with(|| json!({}));
    let auth = auth.as_object_mut().unwrap();
    if !["type", "password", "passwordSecretKeyRef"].iter().any(|key| auth.contains_key(*key)) {
        auth.insert("type".to_owned(), json!("password"));
    }
    root.to_string()
}

pub fn config(yaml: &str) -> Result<Settings, SettingsError> {
    Settings::from_text(&File::Config("config.yaml".into()), yaml, Overrides::default())
}

pub fn values(yaml: &str) -> Result<Settings, SettingsError> {
    Settings::from_text(&File::Values(vec!["values.yaml".into()]), yaml, Overrides::default())
}

/// An injector from our own configuration.
pub fn injector(yaml: &str) -> Injector {
    settings(yaml).injector(Engine::Webhook)
}

/// What became of a pod.
pub struct Injected {
    pub outcome: Outcome,
    pub pod: Value,
    pub patch: Option<Value>,
    pub warnings: Vec<String>,
    pub denied: Option<String>,
}

impl Injected {
    /// The variables of a container, by its place among `containers`.
    pub fn env(&self, container: usize) -> &Value {
        &self.pod["spec"]["containers"][container]["env"]
    }

    /// The names of those variables.
    pub fn names(&self, container: usize) -> Vec<&str> {
        let env = self.env(container).as_array().map(Vec::as_slice).unwrap_or_default();
        env.iter().map(|variable| variable["name"].as_str().unwrap()).collect()
    }
}

/// Decides about a pod and applies the patch with the json-patch crate.
pub fn inject(injector: &Injector, pod: &Value) -> Injected {
    let text = pod.to_string();
    let read = Pod::from_json(&text).unwrap();
    let decision = injector.decide(&read);
    let mut changed = pod.clone();
    let patch = decision.patch.as_deref().map(|patch| {
        let patch: json_patch::Patch = serde_json::from_str(patch).unwrap();
        json_patch::patch(&mut changed, &patch).unwrap();
        serde_json::to_value(patch).unwrap()
    });
    Injected { outcome: decision.outcome, pod: changed, patch, warnings: decision.warnings, denied: decision.denied }
}

/// Labels that select a service's pods and the container that gets its credential.
pub fn service(name: &str) -> (Value, &'static str) {
    let named = |name: &str| json!({ "app.kubernetes.io/name": name });
    let extras = |component: &str| {
        json!({ "app.kubernetes.io/name": "cf-argocd-extras", "app.kubernetes.io/component": component,
                "app.kubernetes.io/instance": "cf-gitops-runtime" })
    };
    match name {
        "app-proxy" => (json!({ "app": "cap-app-proxy" }), "cap-app-proxy"),
        "gitops-operator" => (json!({ "app": "gitops-operator" }), "manager"),
        "event-reporter" => (extras(name), "event-reporter"),
        "sources-server" => (extras(name), "sources-server"),
        "runtime-event-reporter" => (named(name), "runtime-event-reporter"),
        "cluster-event-reporter" => (named(name), "cluster-event-reporter"),
        "argo-gateway" => (named(name), "argo-gateway"),
        other => panic!("{other} is no service"),
    }
}

/// The services that read the name and key of a Secret.
pub const BY_REFERENCE: [&str; 6] = [
    "gitops-operator",
    "event-reporter",
    "sources-server",
    "runtime-event-reporter",
    "cluster-event-reporter",
    "argo-gateway",
];

/// A pod of a service with these variables in its main container.
pub fn pod(name: &str, env: &Value) -> Value {
    let (labels, container) = service(name);
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": format!("{container}-"), "namespace": "runtime", "labels": labels },
        "spec": { "containers": [{ "name": container, "image": "example/image:1", "env": env }] },
    })
}

pub fn plain(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

pub fn from_secret(name: &str, secret: &str, key: &str) -> Value {
    json!({ "name": name, "valueFrom": { "secretKeyRef": { "name": secret, "key": key } } })
}

pub fn from_config_map(name: &str, config_map: &str, key: &str) -> Value {
    json!({ "name": name, "valueFrom": { "configMapKeyRef": { "name": config_map, "key": key } } })
}
