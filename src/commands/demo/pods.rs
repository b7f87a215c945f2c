//! The pods that the demo shows.

use serde_json::{Value, json};

/// A pod, with what a newcomer should know about it.
pub(super) struct Sample {
    /// Which service's pod it is, and what is notable about it.
    pub title: &'static str,
    /// The container whose variables are shown.
    pub container: &'static str,
    /// The pod as a controller would create it.
    pub pod: Value,
}

fn plain(name: &str, value: &str) -> Value {
    json!({ "name": name, "value": value })
}

fn pod(container: &str, labels: &Value, env: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "generateName": format!("{container}-7c9d8f6b5-"), "namespace": "codefresh", "labels": labels },
        "spec": { "containers": [{ "name": container, "image": format!("registry.example/{container}:1"), "env": env }] },
    })
}

fn app_proxy() -> Value {
    let mut pod = pod(
        "cap-app-proxy",
        &json!({ "app": "cap-app-proxy" }),
        &json!([
            { "name": "ARGO_CD_PASSWORD",
              "valueFrom": { "secretKeyRef": { "name": "argocd-initial-admin-secret", "key": "password" } } },
            { "name": "ARGO_CD_USERNAME",
              "valueFrom": { "configMapKeyRef": { "name": "cap-app-proxy-cm", "key": "argoCdUsername" } } },
            plain("PORT", "8080"),
        ]),
    );
    pod["spec"]["initContainers"] = json!([{ "name": "init", "image": "registry.example/init:1" }]);
    pod
}

impl Sample {
    /// The sample whose review is shown as sent.
    pub(super) fn first() -> Self {
        Self {
            title: "app-proxy, with what the Runtime's chart puts there by default",
            container: "cap-app-proxy",
            pod: app_proxy(),
        }
    }

    pub(super) fn of_each_service() -> Vec<Self> {
        let extras = |component: &str| json!({ "app.kubernetes.io/name": "cf-argocd-extras", "app.kubernetes.io/component": component });
        let env = json!([plain("PORT", "8080")]);
        vec![
            Self::first(),
            Self {
                title: "gitops-operator",
                container: "manager",
                pod: pod("manager", &json!({ "app": "gitops-operator" }), &env),
            },
            Self {
                title: "event-reporter",
                container: "event-reporter",
                pod: pod("event-reporter", &extras("event-reporter"), &env),
            },
            Self {
                title: "sources-server",
                container: "sources-server",
                pod: pod("sources-server", &extras("sources-server"), &env),
            },
        ]
    }

    pub(super) fn left_alone() -> Vec<Self> {
        let env = json!([plain("PORT", "8080")]);
        let mut opted_out = app_proxy();
        opted_out["metadata"]["labels"]["argocd-auth-webhook/inject"] = json!("false");
        let foreign = pod("web", &json!({ "app": "web" }), &env);
        vec![
            Self { title: "a pod of somebody else", container: "web", pod: foreign },
            Self {
                title: "an app-proxy with the label argocd-auth-webhook/inject: \"false\"",
                container: "cap-app-proxy",
                pod: opted_out,
            },
        ]
    }
}
