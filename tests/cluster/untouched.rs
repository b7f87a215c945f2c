//! What the webhook must leave alone, and pods that are unlike the usual ones.

use super::expected::comparable;
use super::served::{Served, app_proxy, has_token, pod, token_settings};
use crate::support::cluster::{Cluster, Namespaces, eventually, pods_path};
use crate::support::scene::unique;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_without_the_labels_never_reaches_the_webhook() {
    let scene = Served::new("without_labels", &token_settings("")).await;
    let elsewhere = Namespaces::create(&scene.cluster, vec![unique("elsewhere")]).await;
    let others = [
        json!({}),
        json!({ "app": "something-else" }),
        json!({ "app": "cap-app-proxy-2" }),
        json!({ "app.kubernetes.io/name": "cf-argocd-extras" }),
        json!({ "app.kubernetes.io/name": "cf-argocd-extras", "app.kubernetes.io/component": "repo-server" }),
        json!({ "app.kubernetes.io/component": "event-reporter" }),
    ];
    for (place, labels) in others.iter().enumerate() {
        scene.create_pod(&pod(&format!("other-{place}"), labels, "cap-app-proxy")).await.unwrap();
    }
    scene.cluster.create(&pods_path(&elsewhere.names[0]), &app_proxy("elsewhere")).await.unwrap();
    assert_eq!(scene.webhook.reviews(), 0);

    scene.create_pod(&app_proxy("ours")).await.unwrap();
    assert_eq!(scene.webhook.reviews(), 1, "a pod with the labels does reach it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_opts_out_by_label_or_annotation_stays_as_it_is() {
    let scene = Served::new("opted_out", &token_settings("")).await;
    let elsewhere = Namespaces::create(&scene.cluster, vec![unique("opted-out-elsewhere")]).await;
    for part in ["labels", "annotations"] {
        let mut pod = app_proxy(part);
        pod["metadata"][part]["argocd-auth-webhook/inject"] = json!("false");
        let here = scene.create_pod(&pod).await.unwrap();
        let there = scene.cluster.create(&pods_path(&elsewhere.names[0]), &pod).await.unwrap();
        assert_eq!(comparable(&here), comparable(&there));
    }
    assert_eq!(scene.webhook.count("app-proxy", "opted_out"), 2);
}

/// An app-proxy with many variables: about this many bytes as JSON.
fn big(name: &str, bytes: usize) -> Value {
    const EACH: usize = 1000;
    let mut pod = app_proxy(name);
    let env = pod["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    for place in 0..bytes / EACH {
        let name = format!("FILLER_{place:05}");
        let around = json!({ "name": name, "value": "" }).to_string().len() + 1;
        env.push(json!({ "name": name, "value": "x".repeat(EACH - around) }));
    }
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn a_big_pod_is_injected_like_any_other() {
    let scene = Served::new("big", &token_settings("")).await;
    let path = pods_path(scene.namespace());
    // More than a megabyte and a half does not fit into etcd, so the biggest is not stored.
    for (name, bytes, query) in [("stored", 1_000_000, ""), ("dry-run", 2_500_000, "?dryRun=All")] {
        let pod = big(name, bytes);
        assert!(pod.to_string().len() > bytes);
        let created = scene.cluster.create(&format!("{path}{query}"), &pod).await.unwrap();
        assert!(has_token(&created), "{name}");
        let env = created["spec"]["containers"][0]["env"].as_array().unwrap();
        assert_eq!(env[0]["name"], "ARGO_CD_TOKEN", "{name}");
        assert_eq!(env[1..], *pod["spec"]["containers"][0]["env"].as_array().unwrap(), "{name}");
    }
    let stored = scene.cluster.get(&scene.pod_path("stored")).await.unwrap();
    assert!(has_token(&stored));
}

/// Everything that can happen to a pod after its creation.
async fn live_and_die(cluster: &Cluster, namespace: &str, name: &str) {
    let path = format!("{}/{name}", pods_path(namespace));
    let change = json!({ "metadata": { "labels": { "changed": "yes" }, "finalizers": ["example.com/wait"] } });
    cluster.merge(&path, &change).await.unwrap();
    let status = json!({ "status": { "reason": "Tested" } });
    cluster.merge(&format!("{path}/status"), &status).await.unwrap();
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": name } });
    cluster.create(&format!("{path}/eviction"), &eviction).await.unwrap();
    let pod = cluster.delete(&path).await.unwrap();
    assert!(pod["metadata"]["deletionTimestamp"].is_string(), "its finalizer keeps it: {pod}");
    cluster.merge(&path, &json!({ "metadata": { "finalizers": null } })).await.unwrap();
    eventually("the pod is gone", async || match cluster.get(&path).await {
        Err(message) if message.contains("not found") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_deletions_and_finalizers_are_none_of_its_business() {
    let mut scene = Served::new("later_life", &token_settings("")).await;
    for name in ["first", "second"] {
        scene.create_pod(&app_proxy(name)).await.unwrap();
    }
    assert_eq!(scene.webhook.reviews(), 2);
    live_and_die(&scene.cluster, scene.namespace(), "first").await;
    assert_eq!(scene.webhook.reviews(), 2);
    // And so they work where the webhook is gone, although its failure policy is Fail.
    scene.webhook.kill();
    live_and_die(&scene.cluster, scene.namespace(), "second").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_the_credential_and_stores_nothing() {
    let scene = Served::new("dry_run", &token_settings("")).await;
    let seen = scene.cluster.kubectl(
        &["create", "--namespace", scene.namespace(), "--dry-run=server", "--output", "json", "--filename", "-"],
        Some(&app_proxy("shown")),
    );
    assert!(seen.success, "{}", seen.stderr);
    assert!(has_token(&serde_json::from_str(&seen.stdout).unwrap()));
    assert_eq!(scene.webhook.count("app-proxy", "injected"), 1);
    assert_eq!(scene.cluster.pods(scene.namespace()).await, Vec::<Value>::new());
}
