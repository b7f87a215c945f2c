//! The ways to Argo CD: TLS, a root path, a wrong one.

use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use super::server::{Options, decoded};
use crate::support::cluster::say;
use crate::support::proxy::Proxy;

#[tokio::test(flavor = "multi_thread")]
async fn argocd_behind_a_root_path_is_reached_and_a_wrong_one_is_named() {
    let scene = Runtime::with("root-path", Options { root: "/argo/cd", ..Options::default() }).await;
    let without = format!("http://127.0.0.1:{}", scene.argocd.port);
    let mut controller = scene.controller_at(&without, &format!("{PASSWORD_MODE}{QUICK}")).await;
    let status = scene.is("unavailable").await;
    say(&format!("without the root path: {}", status["message"]));
    assert!(scene.stored().await.is_none());
    controller.kill();
    scene.free_lease().await;
    let _controller = scene.quick().await;
    scene.works().await;
    assert_eq!(scene.is("valid").await["server"], scene.argocd.url().as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn argocd_over_tls_is_trusted_by_its_ca_or_explicitly_not_at_all() {
    let scene = Runtime::with("tls", Options { tls: true, ..Options::default() }).await;
    let url = format!("https://localhost:{}", scene.argocd.port);
    let config = format!("{PASSWORD_MODE}{QUICK}");
    // Plain HTTP on a port that speaks TLS is answered with a redirect, which isn't followed.
    let proxy = Proxy::before(scene.argocd.port).await;
    let mut controller = scene.controller_at(&proxy.url(), &config).await;
    let status = scene.is("unavailable").await;
    say(&format!("plain HTTP where TLS is on: {}", status["message"]));
    controller.kill();
    scene.free_lease().await;

    let mut controller = scene.controller_at(&url, &config).await;
    let status = crate::support::cluster::eventually("TLS fails", async || match scene.status().await {
        Ok(status) if status["message"].as_str().unwrap_or_default().contains("TLS failed") => Ok(status),
        other => Err(format!("{other:?}")),
    })
    .await;
    say(&format!("a private CA that nobody named: {}", status["message"]));
    assert!(scene.stored().await.is_none());
    controller.kill();
    scene.free_lease().await;

    // Argo CD makes a certificate of its own, which is its own CA.
    let secret = scene.cluster.get(&scene.path("secret", "argocd-secret")).await.unwrap();
    let pem = decoded(&secret["data"]["tls.crt"]).unwrap();
    scene.put("argocd-ca", "ca.crt", &pem).await;
    let ca = format!("argocd: {{url: \"{url}\", tls: {{caSecretKeyRef: {{name: argocd-ca, key: ca.crt}}}}}}\n{config}");
    let mut controller = scene.controller_with(&ca).await;
    scene.is("valid").await;
    controller.kill();
    scene.free_lease().await;

    let insecure = format!("argocd: {{url: \"{url}\", tls: {{insecureSkipVerify: true}}}}\n{config}");
    scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap();
    let controller = scene.controller_with(&insecure).await;
    crate::support::cluster::eventually("a key", async || scene.stored().await.ok_or_else(|| "none".to_owned())).await;
    assert!(controller.printed().contains("insecureSkipVerify"), "it is warned of");
}
