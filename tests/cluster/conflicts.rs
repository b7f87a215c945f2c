//! What a person at `kubectl` is told.

use super::registration::entry;
use super::served::{Served, app_proxy, has_token, pod, token_settings};
use crate::support::credentials::USERS_OWN_VALUE;
use serde_json::{Value, json};

fn with_own_token(name: &str) -> Value {
    let mut pod = app_proxy(name);
    pod["spec"]["containers"][0]["env"] = json!([{ "name": "ARGO_CD_TOKEN", "value": USERS_OWN_VALUE }]);
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_warned_that_their_own_variable_stays() {
    let scene = Served::new("conflict_kept", &token_settings("")).await;
    let mine = with_own_token("mine");
    let seen = scene.kubectl_create(&mine);
    assert_eq!(seen.stdout, "pod/mine created\n");
    assert_eq!(
        seen.stderr,
        "Warning: argocd-auth-webhook: cap-app-proxy keeps its own ARGO_CD_TOKEN; the settings say otherwise \
         (onConflict: keep)\n"
    );
    let created = scene.cluster.get(&scene.pod_path("mine")).await.unwrap();
    assert_eq!(created["spec"]["containers"][0]["env"], mine["spec"]["containers"][0]["env"]);
    assert_eq!(scene.webhook.count("app-proxy", "conflict_kept"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_warned_that_their_own_variable_gave_way() {
    let scene = Served::new("conflict_replaced", &token_settings("onConflict: replace")).await;
    let seen = scene.kubectl_create(&with_own_token("mine"));
    assert_eq!(seen.stdout, "pod/mine created\n");
    assert_eq!(
        seen.stderr,
        "Warning: argocd-auth-webhook: cap-app-proxy: its own ARGO_CD_TOKEN gave way to the settings \
         (onConflict: replace)\n"
    );
    assert!(has_token(&scene.cluster.get(&scene.pod_path("mine")).await.unwrap()));
    assert_eq!(scene.webhook.count("app-proxy", "conflict_replaced"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_told_why_their_pod_is_refused() {
    let scene = Served::new("conflict_denied", &token_settings("onConflict: deny")).await;
    let seen = scene.kubectl_create(&with_own_token("mine"));
    assert!(!seen.success);
    assert_eq!(
        seen.stderr,
        format!(
            "Error from server (Forbidden): error when creating \"STDIN\": admission webhook {:?} denied the request: \
             app-proxy: cap-app-proxy has its own ARGO_CD_TOKEN, and onConflict is deny: remove it there, or label \
             the pod argocd-auth-webhook/inject: \"false\" to do without injection\n",
            entry("app-proxy")
        )
    );
    assert_eq!(scene.cluster.pods(scene.namespace()).await, Vec::<Value>::new());
    assert_eq!(scene.webhook.count("app-proxy", "conflict_denied"), 1);

    let mut without = with_own_token("without");
    without["metadata"]["labels"]["argocd-auth-webhook/inject"] = json!("false");
    assert_eq!(scene.kubectl_create(&without).stdout, "pod/without created\n", "the way out that it names works");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_warned_that_no_container_was_found() {
    let scene = Served::new("container_not_found", &token_settings("")).await;
    let seen = scene.kubectl_create(&pod("renamed", &json!({ "app": "gitops-operator" }), "operator"));
    assert_eq!(seen.stdout, "pod/renamed created\n");
    assert_eq!(
        seen.stderr,
        "Warning: argocd-auth-webhook: gitops-operator: no container manager or debug in the pod (it has: operator); \
         nothing was injected\n"
    );
    assert_eq!(scene.webhook.count("gitops-operator", "container_not_found"), 1);
}
