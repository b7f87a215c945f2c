//! Argo CD in another namespace than the Runtime.

use super::permissions::may;
use super::umbrella::{doctor, problems};
use crate::support::cluster::{Namespaces, eventually, pods_path};
use crate::support::helm::Helm;
use crate::support::runtime::{app_proxy_to_run, pod_runs, secret};
use crate::support::scene::Scene;

const SECRET: &str = "argocd-initial-admin-secret";

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_there_only_is_a_problem_with_a_name_until_it_is_here_too() {
    let scene = Scene::new("elsewhere").await;
    let there = format!("{}-argocd", scene.namespace());
    let _argocd = Namespaces::create(&scene.cluster, vec![there.clone()]).await;
    secret(&scene.cluster, &there, SECRET, "password", "of-argocd").await;
    let release =
        scene.install(Helm::Four, "auth", &format!("auth: {{type: password}}\nargocd: {{namespace: {there}}}"));
    release.injects_anything().await;
    let (cluster, namespace) = (release.cluster(), release.namespace());
    let account = format!("system:serviceaccount:{namespace}:auth-argocd-auth-webhook-controller");
    for (verb, resource, name) in [("get", "configmaps", "argocd-cm"), ("get", "secrets", SECRET)] {
        assert!(!may(cluster, &account, &there, verb, "", resource, name).await, "{verb} {resource} {name}");
    }

    let pod = app_proxy_to_run("waiting");
    cluster.create(&pods_path(namespace), &pod).await.unwrap();
    let path = format!("{}/waiting", pods_path(namespace));
    eventually("the kubelet says what is missing", async || {
        let status = cluster.get(&path).await?["status"]["containerStatuses"][0]["state"]["waiting"].clone();
        let message = status["message"].as_str().unwrap_or_default();
        if message.contains(&format!("secret \"{SECRET}\" not found")) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let (good, checks) = doctor(&release.scene);
    assert!(!good);
    let found = problems(&checks, "credential");
    let [(subject, text)] = found.as_slice() else { panic!("{checks:#?}") };
    assert_eq!(*subject, format!("Secret {namespace}/{SECRET}"));
    for part in ["is not there", &format!("Argo CD stands in namespace {there}"), &format!("in namespace {namespace}")]
    {
        assert!(text.contains(part), "{part}: {text}");
    }

    secret(cluster, namespace, SECRET, "password", "of-argocd").await;
    pod_runs(cluster, namespace, "waiting").await;
    let (_, checks) = doctor(&release.scene);
    assert!(problems(&checks, "credential").is_empty());
    cluster.delete(&path).await.unwrap();
}
