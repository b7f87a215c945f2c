//! The chart's Role is enough, and the controller does without anything else.

use super::controller;
use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use crate::support::cluster::{bin, say};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn the_charts_role_is_all_that_the_controller_needs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let helm = bin().join("helm");
    if !helm.exists() {
        say("NOT RUN: the controller with the chart's Role: there is no Helm; tests/chart/build-helm.sh makes it");
        return;
    }
    let scene = Runtime::new("roles").await;
    let chart = root.join("charts/argocd-auth-webhook");
    let rendered = Command::new(helm)
        .args(["template", "hook", chart.to_str().unwrap(), "--namespace", scene.namespace()])
        .args(["--set", "auth.type=password", "--show-only", "templates/rbac.yaml"])
        .output()
        .unwrap();
    assert!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    // What belongs to the cluster is not needed here, and would outlive the namespace.
    let text = String::from_utf8(rendered.stdout).unwrap();
    let documents: Vec<Value> = text
        .split("\n---")
        .map(|part| serde_saphyr::from_str(part).unwrap())
        .filter(|object: &Value| object["kind"].as_str().is_some_and(|kind| !kind.starts_with("Cluster")))
        .collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": documents });
    let seen = scene.cluster.kubectl(&["apply", "-f", "-"], Some(&list));
    assert!(seen.success, "{}", seen.stderr);

    let kubeconfig = std::fs::read_to_string(scene.cluster.kubeconfig()).unwrap();
    let mut kubeconfig: Value = serde_saphyr::from_str(&kubeconfig).unwrap();
    let account = format!("system:serviceaccount:{}:hook-argocd-auth-webhook-controller", scene.namespace());
    kubeconfig["users"][0]["user"]["as"] = account.into();
    let path = scene.config(&kubeconfig.to_string());
    let config = format!("argocd: {{url: \"{}\"}}\n{PASSWORD_MODE}{QUICK}", scene.argocd.url());
    let controller = controller::start(&path, &scene.output, scene.namespace(), &scene.config(&config)).await;
    let key = scene.works().await;
    scene.is("valid").await;
    scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap();
    scene.replaced(&key).await;
    scene.is("valid").await;
    assert!(!scene.events_of("CredentialReplaced").await.is_empty());
    let printed = controller.printed();
    let refused: Vec<&str> = printed.lines().filter(|line| line.contains("not allowed")).collect();
    // The parts that this test doesn't ask for may lack something: the webhook configuration is the
    // cluster's.
    let ours =
        refused.iter().filter(|line| !line.contains("webhookconfiguration") && !line.contains("controller::rollout"));
    assert_eq!(ours.count(), 0, "{refused:?}");
}
