//! Password mode in a cluster: the chart beside an Argo CD in a pod, from nothing to a key, and to
//! another one.

use super::port_forward::{apply, argocd, run, server};
use crate::support::cluster::{eventually, say};
use crate::support::helm::Helm;
use crate::support::scene::Scene;
use serde_json::json;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn an_installed_chart_makes_a_key_and_another_one_when_it_is_revoked() {
    let Some(server) = server() else {
        return say("NOT RUN: an API key beside an Argo CD in a pod (tests/argocd/build.sh builds its server)");
    };
    let scene = Scene::new("credential").await;
    argocd(&scene, &server).await;
    let fit = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        // Applied by the same hand as before, so that what is left out is taken away.
        "metadata": { "name": "argocd-cm", "labels": { "app.kubernetes.io/part-of": "argocd" } },
        "data": { "accounts.admin": "apiKey, login" },
    });
    apply(&scene.cluster, scene.namespace(), &fit);
    let begun = Instant::now();
    // The address, the user name and the password are the Runtime's defaults.
    let release =
        scene.install(Helm::Four, "hook", "auth: {type: password}\ncredentials: {followAfter: 5s, checkInterval: 2s}");
    let (cluster, namespace) = (release.cluster().clone(), release.namespace().to_owned());
    let taken = |before: Option<String>| {
        let (cluster, path, namespace) = (cluster.clone(), release.secret("argocd-token"), namespace.clone());
        async move {
            eventually("a key that Argo CD takes", async || {
                let token = cluster.get(&path).await?["data"]["token"].as_str().unwrap_or_default().to_owned();
                if token.is_empty() || Some(&token) == before.as_ref() {
                    return Err("none, or the one before".to_owned());
                }
                let (code, printed) = run(&cluster.kubeconfig(), &namespace, &["token", "verify"]);
                if code == 0 { Ok(token) } else { Err(printed) }
            })
            .await
        }
    };
    let first = taken(None).await;
    say(&format!("installed by Helm in password mode: a key that works after {:?}", begun.elapsed()));

    // As if somebody had revoked every key of the account.
    let begun = Instant::now();
    cluster.merge(&release.secret("argocd-secret"), &json!({ "stringData": { "admin.tokens": "[]" } })).await.unwrap();
    taken(Some(first)).await;
    say(&format!("revoked in Argo CD: another key that works after {:?}, with a look every 2 s", begun.elapsed()));
    let (code, printed) = run(&cluster.kubeconfig(), &namespace, &["status"]);
    assert!(code == 0 && printed.contains("valid"), "{printed}");
}
