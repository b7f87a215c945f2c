//! The Runtime's workloads, with what the tests change about them.

use crate::support::cluster::{Cluster, workloads_path};
use crate::support::fixtures::{self, Arrives, Fixture};
use crate::support::runtime::{runnable, surroundings};
use serde_json::{Value, json};

/// The four services of the classic chart.
pub const CLASSIC: [&str; 4] = ["cap-app-proxy", "gitops-operator", "event-reporter", "sources-server"];

pub fn classic() -> Vec<Fixture> {
    fixtures::all().into_iter().filter(|fixture| fixture.generation == "classic").collect()
}

pub fn fixture(service: &str) -> Fixture {
    classic().into_iter().find(|fixture| fixture.service == service).unwrap()
}

/// A workload with so many replicas.
pub fn workload(service: &str, replicas: usize) -> Value {
    let mut workload = runnable(&fixture(service), Arrives::Stripped);
    workload["spec"]["replicas"] = json!(replicas);
    workload
}

/// The same, whose container ends where it has no credential.
pub fn needy(service: &str, replicas: usize, variable: &str) -> Value {
    let mut workload = workload(service, replicas);
    let container = fixture(service).container;
    for found in workload["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
        if found["name"] == container {
            found["command"] = json!(["/probe", "need", variable]);
        }
    }
    workload
}

/// What they need besides.
pub async fn prepare(cluster: &Cluster, namespace: &str) {
    surroundings(cluster, namespace, &classic()).await;
}

pub fn path(namespace: &str, workload: &Value) -> String {
    let name = workload["metadata"]["name"].as_str().unwrap();
    format!("{}/{name}", workloads_path(namespace, workload["kind"].as_str().unwrap()))
}

pub async fn create(cluster: &Cluster, namespace: &str, workload: &Value) {
    let path = workloads_path(namespace, workload["kind"].as_str().unwrap());
    cluster.create(&path, workload).await.unwrap();
}
