//! A webhook that is down, slow, or restarted under load.

use super::registration::entry;
use super::served::{Served, app_proxies, app_proxy, has_token, token_settings};
use crate::support::cluster::{Cluster, eventually, say, workloads_path};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const SET: &str = "app-proxies";

/// Waits for all pods of the set, and looks into each.
async fn every_replica_is_injected(scene: &Served, replicas: usize) {
    let pods = eventually("every replica is there", async || {
        let pods = scene.cluster.pods(scene.namespace()).await;
        if pods.len() == replicas { Ok(pods) } else { Err(format!("{} of {replicas} are there", pods.len())) }
    })
    .await;
    let without: Vec<_> = pods.iter().filter(|pod| !has_token(pod)).map(|pod| &pod["metadata"]["name"]).collect();
    assert!(without.is_empty(), "not injected: {without:?}");
}

async fn create_set(scene: &Served, replicas: u32) {
    let path = workloads_path(scene.namespace(), "ReplicaSet");
    scene.cluster.create(&path, &app_proxies(SET, replicas)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_down_users_see_why_and_afterwards_everything_catches_up() {
    let mut scene = Served::new("down", &token_settings("")).await;
    scene.webhook.kill();

    let host = crate::support::cluster::webhook_host();
    let port = scene.start.port;
    let call = format!(
        "failed calling webhook {:?}: failed to call webhook: Post \"https://{host}:{port}/mutate?timeout=5s\": \
         dial tcp {host}:{port}: connect: connection refused",
        entry("app-proxy")
    );
    let seen = scene.kubectl_create(&app_proxy("refused"));
    assert!(!seen.success);
    assert_eq!(
        seen.stderr,
        format!("Error from server (InternalError): error when creating \"STDIN\": Internal error occurred: {call}\n")
    );

    create_set(&scene, 3).await;
    let path = format!("{}/{SET}", workloads_path(scene.namespace(), "ReplicaSet"));
    let condition = eventually("the set says that it fails", async || {
        let set = scene.cluster.get(&path).await.unwrap();
        let conditions = set["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let failure = conditions.into_iter().find(|condition| condition["type"] == "ReplicaFailure");
        failure.ok_or_else(|| set["status"].to_string())
    })
    .await;
    assert!(condition["message"].as_str().unwrap().ends_with(&call), "{condition}");

    let start = Instant::now();
    scene.webhook = scene.start.run().await;
    every_replica_is_injected(&scene, 3).await;
    say(&format!("down: a ReplicaSet had all its pods {:?} after the webhook was back", start.elapsed()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_does_not_answer_users_see_a_time_out_that_names_it() {
    let mut scene = Served::new("slow", &token_settings("")).await;
    let ca = scene.authority.pem();
    scene.registration.wait_for_answers(1, &ca).await;
    scene.webhook.signal("STOP");
    let start = Instant::now();
    let seen = scene.kubectl_create(&app_proxy("waiting"));
    let waited = start.elapsed();
    scene.webhook.signal("CONT");
    assert!(!seen.success);
    let begins = format!(
        "Error from server (InternalError): error when creating \"STDIN\": Internal error occurred: failed calling \
         webhook {:?}: failed to call webhook: Post \"https://{}:{}/mutate?timeout=1s\": ",
        entry("app-proxy"),
        crate::support::cluster::webhook_host(),
        scene.start.port
    );
    let reason = seen.stderr.strip_prefix(&begins).unwrap_or_else(|| panic!("{}", seen.stderr));
    // Where it gave up decides which of its words the API server has for it.
    assert!(reason.starts_with("context deadline exceeded"), "{reason}");
    assert!(waited >= Duration::from_secs(1), "it was given its time: {waited:?}");

    eventually("pods are created again", async || {
        let created = scene.create_pod(&app_proxy("again")).await?;
        assert!(has_token(&created));
        Ok(())
    })
    .await;
}

/// Creates a pod in a dry run, over and over until it is told to stop, and returns how many were created
/// before the first was refused, and when they were.
async fn probe(cluster: Cluster, namespace: String, stop: tokio::sync::watch::Receiver<bool>) -> (usize, Vec<Refusal>) {
    let path = format!("{}?dryRun=All", crate::support::cluster::pods_path(&namespace));
    let (mut answered, mut refusals) = (0, Vec::new());
    while !*stop.borrow() {
        let asked = Instant::now();
        if let Err(message) = cluster.create(&path, &app_proxy("probe")).await {
            assert!(message.contains(&entry("app-proxy")), "{message}");
            refusals.push(Refusal { asked, told: Instant::now() });
        } else if refusals.is_empty() {
            answered += 1;
        }
    }
    (answered, refusals)
}

struct Refusal {
    asked: Instant,
    told: Instant,
}

#[tokio::test(flavor = "multi_thread")]
async fn restarted_under_load_no_pod_is_lost_and_none_goes_without() {
    const STEP: u32 = 40;
    let mut scene = Served::new("restarted", &token_settings("")).await;
    create_set(&scene, 0).await;
    let path = format!("{}/{SET}", workloads_path(scene.namespace(), "ReplicaSet"));
    let mut replicas = 0;
    let cluster = scene.cluster.clone();
    // The set grows step by step, so that its pods are created all the time.
    let mut grow = async || {
        replicas += STEP;
        cluster.merge(&path, &json!({ "spec": { "replicas": replicas } })).await.unwrap();
        eventually("the set has grown", async || {
            let status = cluster.get(&path).await.unwrap()["status"].clone();
            if status["replicas"] == replicas { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
        replicas
    };
    while grow().await < 3 * STEP {}

    let (stop, stopped) = tokio::sync::watch::channel(false);
    let asked_to_end = Instant::now();
    scene.webhook.signal("TERM");
    let probing = tokio::spawn(probe(scene.cluster.clone(), scene.namespace().to_owned(), stopped.clone()));
    let growing = async {
        while !*stopped.borrow() {
            grow().await;
        }
        // And once more, when it is back.
        grow().await
    };
    let restarting = async {
        scene.webhook.terminated().await;
        let gone = asked_to_end.elapsed();
        let webhook = scene.start.run().await;
        let back = asked_to_end.elapsed();
        stop.send(true).unwrap();
        (webhook, gone, back)
    };
    let (replicas, (webhook, gone, back)) = tokio::join!(growing, restarting);
    scene.webhook = webhook;
    let (answered, refusals) = probing.await.unwrap();
    every_replica_is_injected(&scene, replicas as usize).await;

    let window = match (refusals.first(), refusals.last()) {
        (Some(first), Some(last)) => last.told - first.asked,
        _ => Duration::ZERO,
    };
    say(&format!(
        "restarted: asked to end at 0 s, gone after {gone:?}, ready again after {back:?}; creations were refused for \
         {window:?} ({} of them); all {replicas} replicas were there in the end, each injected",
        refusals.len()
    ));
    assert!(answered > 0, "while it drains it answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_created_while_it_drains_is_still_injected() {
    let mut scene = Served::new("drained", &token_settings("")).await;
    scene.webhook.signal("TERM");
    // What is asked now comes within the drain delay.
    let created: Value = scene.create_pod(&app_proxy("late")).await.unwrap();
    assert!(has_token(&created));
    scene.webhook.terminated().await;
}
