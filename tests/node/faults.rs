//! What nobody planned: creations may fail meanwhile, but each says why, none goes without, and
//! everything catches up by itself.

use super::stream::{Stream, Tally};
use crate::support::cluster::{eventually, say, workloads_path};
use crate::support::helm::Helm;
use crate::support::machine::{container_status, kill, process, restart_api_server};
use crate::support::release::{Release, is_injected, token_values};
use crate::support::runtime::app_proxies;
use crate::support::scene::Scene;
use serde_json::Value;

const REPLICAS: u32 = 20;

/// Grows a set meanwhile, and sees to it that it gets all its pods without help, each injected.
async fn catches_up(release: &Release, name: &str) {
    let path = format!("{}/{name}", workloads_path(release.namespace(), "ReplicaSet"));
    eventually("the set has all its pods", async || {
        let status = release.cluster().get(&path).await?["status"].clone();
        if status["replicas"] == REPLICAS { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let pods = release.cluster().pods(release.namespace()).await;
    let of_set: Vec<_> = pods.iter().filter(|pod| pod["metadata"]["labels"]["set"] == name).collect();
    assert_eq!(of_set.len(), REPLICAS as usize);
    assert!(of_set.into_iter().all(is_injected), "a pod of {name} went without");
}

async fn grow(release: &Release, name: &str) {
    let path = workloads_path(release.namespace(), "ReplicaSet");
    release.cluster().create(&path, &app_proxies(name, REPLICAS)).await.unwrap();
}

/// Waits until every replica is ready after so many restarts of all of them. The process of the one
/// whose turn it is.
async fn taking_part(release: &Release, turn: u64) -> u32 {
    eventually("the replicas take part", async || {
        let pods = release.pods("webhook").await;
        let statuses: Vec<_> = pods.iter().filter_map(|pod| container_status(pod, "webhook")).collect();
        let restarts: u64 = statuses.iter().filter_map(|status| status["restartCount"].as_u64()).sum();
        let ready = statuses.len() == 2 && statuses.iter().all(|status| status["ready"] == true);
        // The one that has been there longest.
        let started = |pod: &&Value| {
            let state = &container_status(pod, "webhook").unwrap()["state"]["running"]["startedAt"];
            state.as_str().unwrap_or_default().to_owned()
        };
        let oldest = pods.iter().filter(|_| ready && restarts == turn).min_by_key(started);
        let pid = oldest.and_then(|pod| process(release.cluster(), pod, "webhook"));
        pid.ok_or_else(|| format!("{statuses:?}"))
    })
    .await
}

fn judge(what: &str, tally: &Tally) {
    let (answered, lost): (Vec<_>, Vec<_>) = tally.refused.iter().partition(|refusal| refusal.answered);
    say(&format!(
        "{what}: {} of {} creations failed, from first to last {:.2} s; at most {:.2} s without a success",
        tally.refused.len(),
        tally.created + tally.refused.len(),
        tally.window().as_secs_f64(),
        tally.longest.as_secs_f64()
    ));
    assert_eq!(tally.bare, 0, "{what}: created without a credential");
    for refusal in answered {
        assert!(
            refusal.message.contains("failed calling webhook \"app-proxy.argocd-auth-webhook.io\""),
            "{what}: {}",
            refusal.message
        );
    }
    assert!(lost.is_empty() || what.contains("API server"), "{what}: {}", lost[0].message);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_no_pod_goes_without_and_all_come() {
    let scene = Scene::new("faults").await;
    let release = scene.install(Helm::Four, "auth", &token_values(""));
    release.injects().await;
    release.stands().await;
    let before = release.settles().await;

    let stream = Stream::start(release.cluster(), release.namespace());
    stream.goes_on(500).await;
    for turn in 0..6 {
        // One and the other: the API server's connections are with the one that was there last.
        kill(taking_part(&release, turn).await);
        if turn == 0 {
            grow(&release, "killed").await;
        }
        stream.goes_on(200).await;
    }
    taking_part(&release, 6).await;
    stream.goes_on(500).await;
    catches_up(&release, "killed").await;
    judge("replicas killed six times, one after the other", &stream.end().await.0);

    let stream = Stream::start(release.cluster(), release.namespace());
    stream.goes_on(500).await;
    grow(&release, "bundle").await;
    release.upgrade(&token_values(""), &["--force-replace", "--server-side=false"]).unwrap();
    assert_eq!(release.settles().await, before, "the same CA is back");
    stream.goes_on(500).await;
    catches_up(&release, "bundle").await;
    judge("caBundle lost to --force-replace", &stream.end().await.0);
}

/// Alone: every other test would notice.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_was_killed_admits_no_pod_without() {
    let scene = Scene::new("api-server").await;
    let mut release = scene.install(Helm::Four, "auth", &token_values(""));
    release.injects().await;
    release.stands().await;

    let stream = Stream::start(release.cluster(), release.namespace());
    stream.goes_on(500).await;
    release.may_be_refused = true;
    restart_api_server(release.cluster()).await;
    eventually("the API server is back", async || {
        let seen = release.cluster().kubectl(&["get", "--raw", "/readyz"], None);
        if seen.success { Ok(()) } else { Err(seen.stderr) }
    })
    .await;
    grow(&release, "restarted").await;
    stream.goes_on(500).await;
    catches_up(&release, "restarted").await;
    judge("the API server killed and started again", &stream.end().await.0);
    release.stands().await;
}
