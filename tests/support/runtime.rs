//! What a Runtime brings: its workloads, with an image that is here, and what they refer to.

use crate::support::cluster::{Cluster, eventually, pods_path, workloads_path};
use crate::support::fixtures::{Arrives, Fixture};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// What stands in for the Runtime's images: it waits, as user 1000.
const IMAGE: &str = "cluster.local/workload:1";

/// Whether an object is there to be created, or was already.
fn created(result: Result<Value, String>) {
    if let Err(message) = result {
        assert!(message.contains("already exists"), "{message}");
    }
}

/// Makes a Secret with one key.
pub async fn secret(cluster: &Cluster, namespace: &str, name: &str, key: &str, value: &str) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { key: value },
    });
    created(cluster.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &secret).await);
}

/// What a Secret holds under a key.
pub async fn secret_value(cluster: &Cluster, namespace: &str, name: &str, key: &str) -> String {
    let secret = cluster.get(&format!("/api/v1/namespaces/{namespace}/secrets/{name}")).await.unwrap();
    let value = secret["data"][key].as_str().unwrap_or_else(|| panic!("Secret {name} has no {key}"));
    String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
}

/// The objects beside the workloads: accounts, the Codefresh token, the settings of the app-proxy.
pub async fn surroundings(cluster: &Cluster, namespace: &str, fixtures: &[Fixture]) {
    secret(cluster, namespace, "codefresh-token", "token", "none").await;
    let maps = [
        ("codefresh-cm", json!({ "base-url": "https://example.com" })),
        ("cap-app-proxy-cm", { json!({ "cfHost": "https://example.com", "argoCdUsername": "from-the-config-map" }) }),
    ];
    for (name, data) in maps {
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": name }, "data": data });
        created(cluster.create(&format!("/api/v1/namespaces/{namespace}/configmaps"), &map).await);
    }
    for fixture in fixtures {
        let name = fixture.service_account();
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
        created(cluster.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await);
    }
}

/// The workload as the chart renders it, but for what only the real image can answer.
pub fn runnable(fixture: &Fixture, arrives: Arrives) -> Value {
    let mut workload = fixture.arriving(arrives);
    let spec = &mut workload["spec"]["template"]["spec"];
    // This program has nothing to finish.
    spec["terminationGracePeriodSeconds"] = json!(1);
    for (list, command) in [("initContainers", "exit"), ("containers", "wait")] {
        for container in spec[list].as_array_mut().into_iter().flatten() {
            container["image"] = json!(IMAGE);
            container["imagePullPolicy"] = json!("Never");
            container["command"] = json!(["/probe", command]);
            let container = container.as_object_mut().unwrap();
            for only_theirs in ["args", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resources"] {
                container.shift_remove(only_theirs);
            }
            // Native sidecars run on.
            if container.contains_key("restartPolicy") {
                container["command"] = json!(["/probe", "wait"]);
            }
        }
    }
    workload
}

/// Creates a workload and waits until all its pods run. The pods.
pub async fn run(cluster: &Cluster, namespace: &str, fixture: &Fixture, workload: &Value) -> Vec<Value> {
    let path = workloads_path(namespace, workload["kind"].as_str().unwrap());
    cluster.create(&path, workload).await.unwrap();
    running(cluster, namespace, fixture).await
}

/// Waits until all pods of a workload run. The pods.
pub async fn running(cluster: &Cluster, namespace: &str, fixture: &Fixture) -> Vec<Value> {
    eventually("the workload runs", async || {
        let pods = cluster.pods(namespace).await;
        let there = |pod: &Value| {
            fixture.owns(pod)
                && pod["metadata"]["deletionTimestamp"].is_null()
                && pod["metadata"]["ownerReferences"].is_array()
        };
        let pods: Vec<Value> = pods.into_iter().filter(there).collect();
        let ready = |pod: &&Value| {
            let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
            conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
        };
        let count = pods.iter().filter(ready).count();
        if count == fixture.replicas() && pods.len() == count {
            return Ok(pods);
        }
        let states: Vec<String> = pods.iter().map(|pod| pod["status"]["containerStatuses"].to_string()).collect();
        Err(format!("{} of {}: {states:?}", fixture.service, fixture.generation))
    })
    .await
}

/// A small pod of the app-proxy. No scheduler takes it, so it costs the node nothing.
pub fn app_proxy(name: &str) -> Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "labels": { "app": "cap-app-proxy" } },
        "spec": app_proxy_spec(),
    });
    pod["spec"]["schedulerName"] = json!("none");
    pod
}

fn app_proxy_spec() -> Value {
    json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": "cap-app-proxy", "image": IMAGE, "imagePullPolicy": "Never", "command": ["/probe", "wait"],
        }],
    })
}

/// A set of such pods.
pub fn app_proxies(name: &str, replicas: u32) -> Value {
    let labels = json!({ "app": "cap-app-proxy", "set": name });
    let mut spec = app_proxy_spec();
    spec["schedulerName"] = json!("none");
    json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": { "name": name },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": spec },
        },
    })
}

/// Waits for a pod by its name to run.
pub async fn pod_runs(cluster: &Cluster, namespace: &str, name: &str) -> Value {
    let path = format!("{}/{name}", pods_path(namespace));
    eventually("the pod runs", async || {
        let pod = cluster.get(&path).await?;
        if pod["status"]["phase"] == "Running" { Ok(pod) } else { Err(pod["status"].to_string()) }
    })
    .await
}

/// A small pod of the app-proxy that the node runs.
pub fn app_proxy_to_run(name: &str) -> Value {
    let mut pod = app_proxy(name);
    pod["spec"] = app_proxy_spec();
    pod
}
