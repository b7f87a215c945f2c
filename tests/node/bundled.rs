//! An Argo CD that the Runtime brings along, under a name of its own and below a path.

use super::port_forward::{apply, argocd_at, server};
use super::values::{Set, install_in};
use crate::support::cluster::{eventually, say};
use crate::support::helm::Helm;
use crate::support::scene::Scene;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn beside_an_argo_cd_of_the_runtime_below_a_path_the_key_works_and_the_processes_hold_what_is_right() {
    let Some(server) = server() else {
        return say("NOT RUN: an Argo CD below a path (tests/argocd/build.sh builds its server)");
    };
    let set = Set {
        name: "bundled",
        helm: Helm::Four,
        values: "global: {integrations: {argo-cd: {server: {auth: {type: password}}}}, runtime: {name: rt}}\n\
                 argo-cd: {fullnameOverride: codefresh-argo-cd, configs: {params: {server.rootpath: /argocd}}}"
            .to_owned(),
        generation: "current",
        token: false,
        secret: ("argocd-initial-admin-secret", "password"),
        made_by_others: None,
        // The app-proxy keeps the one of its ConfigMap, which the Runtime's chart makes.
        username: "from-the-config-map",
        volume: false,
    };
    let scene = Scene::new(set.name).await;
    argocd_at(&scene, &server, "codefresh-argo-cd-server", "/argocd").await;
    let fit = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "argocd-cm", "labels": { "app.kubernetes.io/part-of": "argocd" } },
        "data": { "accounts.admin": "apiKey, login" },
    });
    apply(&scene.cluster, scene.namespace(), &fit);
    let release = install_in(scene, &set).await;
    let place = format!("/api/v1/namespaces/{}/configmaps/auth-status", release.namespace());
    let credential = eventually("the key works", async || {
        let map = release.cluster().get(&place).await?;
        let said = map["data"]["credential.json"].as_str().unwrap_or_default();
        let credential: Value = serde_json::from_str(said).map_err(|error| error.to_string())?;
        if credential["state"] == "valid" { Ok(credential) } else { Err(credential.to_string()) }
    })
    .await;
    let at = credential["server"].as_str().unwrap();
    assert!(at.contains("codefresh-argo-cd-server") && at.ends_with("/argocd"), "{at}");
    say(&format!("an Argo CD below a path: the key works at {at}"));
}
