//! Workloads that don't replace their pods by themselves, and pods that aren't ready for what they
//! hold.

use crate::support::cluster::{Cluster, eventually, pods_path, say};
use crate::support::watched::{QUICK, Watched, api_key, token};
use crate::support::workloads::{create, path, workload};
use hyper::Method;
use serde_json::{Value, json};

const READY: &str = "tests/ready";

/// A workload whose containers take up the token themselves, with a name of its own.
fn reading(service: &str, name: &str, replicas: usize) -> Value {
    let mut workload = workload(service, replicas);
    workload["metadata"]["name"] = json!(name);
    workload["spec"]["selector"]["matchLabels"]["set"] = json!(name);
    let template = &mut workload["spec"]["template"];
    template["metadata"]["labels"]["set"] = json!(name);
    let reads = json!({ "name": "T", "valueFrom": { "secretKeyRef": { "name": "mine", "key": "token" } } });
    for container in template["spec"]["containers"].as_array_mut().unwrap() {
        container["env"].as_array_mut().unwrap().push(reads.clone());
    }
    workload
}

/// The same, whose pods are ready only where the test says so.
fn gated(mut workload: Value) -> Value {
    workload["spec"]["template"]["spec"]["readinessGates"] = json!([{ "conditionType": READY }]);
    workload
}

/// Says of each pod of a workload whether it is ready, but of those created before.
async fn say_ready(cluster: &Cluster, namespace: &str, name: &str, ready: bool, but: &[Value]) {
    let condition = json!({ "type": READY, "status": if ready { "True" } else { "False" } });
    let change = json!({ "status": { "conditions": [condition] } });
    for pod in cluster.pods(namespace).await {
        let going = !pod["metadata"]["deletionTimestamp"].is_null();
        if going || but.contains(&pod["metadata"]["uid"]) || pod["metadata"]["labels"]["set"] != name {
            continue;
        }
        let path = format!("{}/{}/status", pods_path(namespace), pod["metadata"]["name"].as_str().unwrap());
        // It may be gone by now.
        drop(cluster.attempt(Method::PATCH, &path, "application/strategic-merge-patch+json", Some(&change)).await);
    }
}

async fn annotation(scene: &Watched, workload: &Value) -> Value {
    let read = scene.cluster().get(&path(scene.namespace(), workload)).await.unwrap();
    read["spec"]["template"]["metadata"]["annotations"]["argocd-auth-webhook/restartedAt"].clone()
}

/// Waits until so many pods of the workload came.
async fn came(scene: &Watched, name: &str, pods: usize) {
    eventually(&format!("{name} is replaced"), async || {
        let count = scene.timeline.count(name);
        if count >= pods { Ok(()) } else { Err(format!("{count} of {pods}: {:?}", scene.status().await)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_that_do_not_roll_by_themselves_have_their_stale_pods_evicted_one_at_a_time() {
    let values =
        "controller: {extraArgs: [\"--kubelet-cache=3s\"], workloads: {statefulsets: [event-reporter, partitioned]}}";
    let scene = Watched::new("on-delete", &token(values)).await;
    let (cluster, namespace) = (scene.cluster(), scene.namespace());
    let mut on_delete = reading("event-reporter", "event-reporter", 2);
    on_delete["spec"]["updateStrategy"] = json!({ "type": "OnDelete" });
    let mut partitioned = reading("event-reporter", "partitioned", 2);
    partitioned["spec"]["updateStrategy"] = json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 1 } });
    let sets = [("event-reporter", on_delete), ("partitioned", partitioned)];
    for (name, set) in &sets {
        create(cluster, namespace, set).await;
        scene.ready(name, 2).await;
    }
    scene.in_step(4).await;
    scene.set("mine", "token", &api_key("another-token")).await;
    for (name, _) in &sets {
        came(&scene, name, 4).await;
        scene.ready(name, 2).await;
    }
    scene.in_step(4).await;
    scene.timeline.tell("token replaced, OnDelete and a partition", &sets.each_ref().map(|(name, _)| *name));
    for (name, set) in &sets {
        let lives = scene.timeline.of(name);
        assert_eq!(lives.len(), 4, "{name}: each pod is replaced once");
        // The second one goes when the first one's successor is ready.
        let (successor, next) = (&lives[2], lives[..2].iter().filter_map(|life| life.going).fold(0.0, f64::max));
        assert!(successor.ready.is_some_and(|ready| ready <= next), "{lives:?}");
        assert_eq!(annotation(&scene, set).await, Value::Null, "the template stays as it is");
        let events = scene.events(name).await;
        assert_eq!(events.iter().filter(|reason| *reason == "PodReplaced").count(), 2, "{events:?}");
    }
    say("OnDelete and a partition: each stale pod was evicted once, one at a time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_not_ready_for_what_it_holds_is_replaced_like_any_other() {
    let scene = Watched::new("not-ready", &token(QUICK)).await;
    let (cluster, namespace) = (scene.cluster(), scene.namespace());
    let mut set = gated(reading("event-reporter", "event-reporter", 2));
    set["spec"]["podManagementPolicy"] = json!("OrderedReady");
    let workloads = [("cap-app-proxy", 1, gated(reading("app-proxy", "cap-app-proxy", 1))), ("event-reporter", 2, set)];
    for (name, replicas, workload) in &workloads {
        create(cluster, namespace, workload).await;
        eventually("they are ready", async || {
            say_ready(cluster, namespace, name, true, &[]).await;
            let lives = scene.timeline.of(name);
            let ready = lives.iter().filter(|life| life.ready.is_some()).count();
            if ready == *replicas { Ok(()) } else { Err(format!("{lives:?}")) }
        })
        .await;
    }
    scene.in_step(3).await;
    // As where Argo CD refuses what they hold. The set would wait for its first pod for ever.
    for (name, ..) in &workloads {
        say_ready(cluster, namespace, name, false, &[]).await;
    }
    eventually("none is ready", async || {
        let pods = cluster.pods(namespace).await;
        let ready = pods.iter().filter(|pod| {
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            let mut conditions = conditions.into_iter();
            pod["metadata"]["labels"]["set"].is_string()
                && conditions.any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        });
        let ready = ready.count();
        if ready == 0 { Ok(()) } else { Err(format!("{ready} are ready")) }
    })
    .await;
    let before: Vec<Value> =
        cluster.pods(namespace).await.into_iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
    scene.set("mine", "token", &api_key("another-token")).await;
    for (name, replicas, _) in &workloads {
        eventually(&format!("{name} is replaced"), async || {
            say_ready(cluster, namespace, name, true, &before).await;
            let lives = scene.timeline.of(name);
            let new = lives.iter().skip(*replicas).filter(|life| life.ready.is_some()).count();
            if new == *replicas { Ok(()) } else { Err(format!("{lives:?}: {:?}", scene.status().await)) }
        })
        .await;
    }
    scene.in_step(3).await;
    scene.timeline.tell("token replaced, no pod ready", &workloads.each_ref().map(|(name, ..)| *name));
    for (name, replicas, workload) in &workloads {
        assert_eq!(scene.timeline.count(name), 2 * replicas, "{name}: each pod is replaced once");
        assert!(annotation(&scene, workload).await.is_string(), "{name}");
    }
    say("no pod was ready for what it held: each was replaced once");
}
