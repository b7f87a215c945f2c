//! A certificate of one's own, in a Secret of any name.

use crate::support::authority::{Authority, Pair};
use crate::support::cluster::{eventually, say};
use crate::support::go;
use crate::support::helm::Helm;
use crate::support::release::{Release, token_values};
use crate::support::scene::Scene;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::process::Command;

fn secret(authority: &str, pair: &Pair) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mine" }, "type": "kubernetes.io/tls",
        "stringData": { "ca.crt": authority, "tls.crt": pair.certificate, "tls.key": pair.key },
    })
}

async fn bundles(release: &Release) -> Vec<Value> {
    let configuration = release.cluster().get(&release.configuration()).await.unwrap();
    let entries = configuration["webhooks"].as_array().unwrap().iter();
    entries.map(|entry| entry["clientConfig"]["caBundle"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ca_beside_a_certificate_of_ones_own_is_published_from_a_secret_of_any_name() {
    let scene = Scene::new("own").await;
    let host = format!("auth-argocd-auth-webhook.{}.svc", scene.namespace());
    let release = scene.install(Helm::Four, "auth", &token_values("certificates: {source: secret, secretName: mine}"));
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let path = format!("/api/v1/namespaces/{}/secrets", release.namespace());
    release.cluster().create(&path, &secret(&old.pem(), &old.issue(&host))).await.unwrap();
    release.injects().await;
    release.stands().await;

    // Another CA, as the documentation says: first both are trusted, then the certificate changes.
    let both = format!("{}{}", old.pem(), new.pem());
    let before = bundles(&release).await;
    let change = json!({ "stringData": { "ca.crt": both } });
    release.cluster().merge(&release.secret("mine"), &change).await.unwrap();
    eventually("both are in caBundle", async || {
        let now = bundles(&release).await;
        if now.iter().zip(&before).all(|(now, before)| now != before) { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    let ready = async || {
        let pods = release.pods("webhook").await;
        pods.iter().map(|pod| release.admin(pod, "/readyz")).collect::<Result<Vec<_>, _>>()
    };
    let served = ready().await.unwrap();
    let pair = new.issue(&host);
    let change = json!({ "stringData": { "tls.crt": pair.certificate, "tls.key": pair.key } });
    release.cluster().merge(&release.secret("mine"), &change).await.unwrap();
    eventually("the new certificate is served", async || {
        let now = ready().await?;
        if now.iter().all(|text| !served.contains(text)) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
    let change = json!({ "stringData": { "ca.crt": new.pem() } });
    release.cluster().merge(&release.secret("mine"), &change).await.unwrap();
    release.injects().await;
    eventually("caBundle has no owner", async || {
        let managers = release.managers().await;
        if managers.iter().any(|name| name == "argocd-auth-webhook") { Err(format!("{managers:?}")) } else { Ok(()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_in_the_values_is_what_stands_there_whatever_the_secret_says() {
    let scene = Scene::new("own-ca").await;
    let host = format!("auth-argocd-auth-webhook.{}.svc", scene.namespace());
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let path = format!("/api/v1/namespaces/{}/secrets", scene.namespace());
    scene.cluster.create(&path, &secret(&other.pem(), &ours.issue(&host))).await.unwrap();
    let bundle = ours.pem().replace('\n', "\n    ");
    let values =
        token_values(&format!("certificates:\n  source: secret\n  secretName: mine\n  caBundle: |\n    {bundle}"));
    let release = scene.install(Helm::Three, "auth", &values);
    release.injects().await;
    release.stands().await;
    let before = bundles(&release).await;
    // A pass of the controller, which counts when the certificate expires.
    eventually("the controller looked", async || {
        let pods = release.pods("controller").await;
        let metrics = release.admin(&pods[0], "/metrics")?;
        let line = metrics.lines().find(|line| line.contains("expiry_timestamp_seconds{what=\"leaf\"}"));
        if line.is_some_and(|line| !line.ends_with(" 0")) { Ok(()) } else { Err(format!("{line:?}")) }
    })
    .await;
    assert_eq!(bundles(&release).await, before);
    release.injects().await;
}

/// Certificate, key and what to trust: shapes that people have, made by Go's crypto/x509.
fn shapes(host: &str) -> Option<BTreeMap<String, Map<String, Value>>> {
    let program = go::program("crypto_x509", "certificates in the shapes that people have")?;
    let output = Command::new(program).args(["shapes", host]).output().unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_certificate_the_api_server_takes_doctor_and_controller_take() {
    let scene = Scene::new("shapes").await;
    let host = format!("auth-argocd-auth-webhook.{}.svc", scene.namespace());
    let Some(shapes) = shapes(&host) else { return };
    assert_eq!(shapes.len(), 5);
    let release = scene.install(Helm::Four, "auth", &token_values("certificates: {source: secret, secretName: mine}"));
    let path = format!("/api/v1/namespaces/{}/secrets", release.namespace());
    let first = Authority::new("first");
    release.cluster().create(&path, &secret(&first.pem(), &first.issue(&host))).await.unwrap();
    release.injects().await;
    release.stands().await;
    for (what, shape) in &shapes {
        let data = json!({ "ca.crt": shape["bundle"], "tls.crt": shape["certificate"], "tls.key": shape["key"] });
        release.cluster().merge(&release.secret("mine"), &json!({ "stringData": data })).await.unwrap();
        let wanted = STANDARD.encode(shape["bundle"].as_str().unwrap());
        eventually(what, async || {
            let now = bundles(&release).await;
            if now.iter().all(|bundle| *bundle == wanted) { Ok(()) } else { Err("another caBundle".to_owned()) }
        })
        .await;
        let after = release.injects().await;
        let said = release.run("test", &["--logs"]).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(said.contains("is trusted by all"), "{what}: {said}");
        say(&format!("{what}: the API server calls it after {after:?}, and doctor says that it is trusted"));
    }
    let selector = format!("app.kubernetes.io/instance={},app.kubernetes.io/component=controller", release.name);
    let logs = ["logs", "--namespace", release.namespace(), "--selector", &selector, "--tail=-1"];
    let printed = release.cluster().kubectl(&logs, None).stdout;
    assert!(printed.contains("as caBundle") && !printed.contains("API servers refuse"), "{printed}");
}
