//! Planned changes while pods are created all the time: none may fail.

use super::stream::Stream;
use crate::support::cluster::{eventually, say};
use crate::support::helm::Helm;
use crate::support::machine::{kill, process};
use crate::support::release::{Release, token_values};
use crate::support::scene::Scene;
use serde_json::Value;

/// Long enough for one API server, and for the tests.
const TIMES: &str = "certificates: {propagationTime: 3s}";

async fn controller_pid(release: &Release) -> u32 {
    eventually("the controller runs", async || {
        let pods = release.pods("controller").await;
        let pid = pods.iter().find_map(|pod| process(release.cluster(), pod, "controller"));
        pid.ok_or_else(|| "it does not".to_owned())
    })
    .await
}

/// Waits until the pods are others than these, and these are gone.
async fn replaced(release: &Release, before: &[Value]) {
    release.stands().await;
    for pod in before {
        let path = format!(
            "{}/{}",
            crate::support::cluster::pods_path(release.namespace()),
            pod["metadata"]["name"].as_str().unwrap()
        );
        eventually("the pod of before is gone", async || match release.cluster().get(&path).await {
            Err(message) if message.contains("not found") => Ok(()),
            Err(message) => Err(message),
            Ok(pod) => Err(pod["status"].to_string()),
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_creation_fails_during_a_planned_change() {
    let scene = Scene::new("planned").await;
    let release = scene.install(Helm::Four, "auth", &token_values(TIMES));
    let before = release.injects().await;
    say(&format!("installed: a pod was injected {:.1} s later", before.as_secs_f64()));
    release.stands().await;
    let stream = || Stream::start(release.cluster(), release.namespace());

    let begun = release.settles().await;
    let running = stream();
    release.ask_for("leaf").await;
    let with_leaf = release.renewed(&begun, "leaf").await;
    running.unharmed("a new serving certificate").await;

    let running = stream();
    release.ask_for("ca").await;
    let with_ca = release.renewed(&with_leaf, "ca").await;
    running.unharmed("a new CA").await;

    let running = stream();
    release.ask_for("ca").await;
    let next = eventually("a next CA", async || {
        let secret = release.cluster().get(&release.secret("auth-ca")).await?;
        secret["data"]["next-ca.crt"].as_str().map(str::to_owned).ok_or_else(|| "none".to_owned())
    })
    .await;
    kill(controller_pid(&release).await);
    eventually("a certificate of the next CA", async || {
        let secret = release.cluster().get(&release.secret("auth-serving")).await?;
        if secret["data"]["ca.crt"] == next.as_str() { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await;
    kill(controller_pid(&release).await);
    let after = release.renewed(&with_ca, "ca").await;
    assert_eq!(after.0, next, "what was begun was carried on");
    running.unharmed("a new CA, the controller killed twice in the middle").await;

    let pods = release.pods("webhook").await;
    let running = stream();
    let changed = token_values(&format!("{TIMES}\nwebhook: {{podAnnotations: {{change: again}}}}"));
    release.upgrade(&changed, &[]).unwrap();
    replaced(&release, &pods).await;
    running.unharmed("an upgrade of the webhook").await;

    let pods = release.pods("webhook").await;
    let running = stream();
    release.run("rollback", &["1"]).unwrap();
    replaced(&release, &pods).await;
    running.unharmed("a rollback of the webhook").await;

    let pods = [release.pods("webhook").await, release.pods("controller").await].concat();
    let running = stream();
    // The settings change, so that everything is replaced.
    let changed = token_values(&format!("{TIMES}\nonConflict: replace"));
    release.upgrade(&changed, &["--wait", "--timeout", "2m"]).unwrap();
    replaced(&release, &pods).await;
    running.unharmed("`helm upgrade --wait`").await;
}
