//! A certificate of one's own, in a Secret of any name.

use crate::support::authority::{Authority, Pair};
use crate::support::cluster::eventually;
use crate::support::helm::Helm;
use crate::support::release::{Release, token_values};
use crate::support::scene::Scene;
use serde_json::{Value, json};

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
