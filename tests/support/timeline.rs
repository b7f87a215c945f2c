//! What became of each pod of a namespace, and when.

use crate::support::cluster::{Cluster, Failure, eventually, pods_path, say};
use hyper::Method;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// One pod.
#[derive(Clone, Debug, Default)]
pub struct Life {
    pub name: String,
    /// Its service: the first part of the name, without what controllers add.
    pub workload: String,
    pub created: f64,
    pub ready: Option<f64>,
    pub going: Option<f64>,
    pub gone: Option<f64>,
    /// Whether any of its containers has what is injected.
    pub injected: bool,
}

/// Looks all the while.
pub struct Timeline {
    cluster: Cluster,
    path: String,
    lives: Arc<Mutex<BTreeMap<String, Life>>>,
    begun: Instant,
    task: JoinHandle<()>,
}

impl Drop for Timeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn has_ours(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut variables = containers.flat_map(|container| container["env"].as_array().into_iter().flatten());
    variables.any(|variable| {
        variable["name"]
            .as_str()
            .is_some_and(|name| name.starts_with("ARGO_CD_TOKEN") || name.starts_with("ARGO_CD_PASSWORD"))
    })
}

/// The workload's name in that of its pod.
fn workload_of(pod: &Value) -> String {
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let owner = &pod["metadata"]["ownerReferences"][0];
    let set = owner["name"].as_str().unwrap_or(name);
    match (owner["kind"].as_str(), pod["metadata"]["labels"]["pod-template-hash"].as_str()) {
        (Some("ReplicaSet"), Some(hash)) => set.trim_end_matches(hash).trim_end_matches('-').to_owned(),
        _ => set.to_owned(),
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

impl Timeline {
    pub fn start(cluster: &Cluster, namespace: &str) -> Self {
        let lives: Arc<Mutex<BTreeMap<String, Life>>> = Arc::default();
        let begun = Instant::now();
        let (cluster, path) = (cluster.clone(), pods_path(namespace));
        let (asked, of, noted) = (cluster.clone(), path.clone(), Arc::clone(&lives));
        let task = tokio::spawn(async move {
            loop {
                match asked.attempt(Method::GET, &of, "application/json", None).await {
                    Ok(list) => note(&noted, &list, begun.elapsed().as_secs_f64()),
                    Err(Failure::Refused(_) | Failure::NoAnswer(_)) => {}
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { cluster, path, lives, begun, task }
    }

    /// Looks now: what stands in the cluster is known then, whatever the time between two looks.
    pub async fn look(&self) {
        let cluster = &self.cluster;
        let list = eventually("the pods are listed", async || cluster.get(&self.path).await).await;
        note(&self.lives, &list, self.elapsed());
    }

    pub fn elapsed(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Every pod that there was, of the workloads of this name.
    pub fn of(&self, workload: &str) -> Vec<Life> {
        let lives = self.lives.lock().unwrap();
        let mut of: Vec<Life> = lives.values().filter(|life| life.workload == workload).cloned().collect();
        of.sort_by(|a, b| a.created.total_cmp(&b.created));
        of
    }

    /// How many pods of the workload there were in all.
    pub fn count(&self, workload: &str) -> usize {
        self.of(workload).len()
    }

    /// Prints it.
    pub fn tell(&self, what: &str, workloads: &[&str]) {
        say(&format!("{what}:"));
        for workload in workloads {
            for life in self.of(workload) {
                let at = |time: Option<f64>| time.map_or("      ".to_owned(), |time| format!("{time:5.1}s"));
                say(&format!(
                    "  {:<45} created {:5.1}s  ready {}  taken away {}  gone {}  {}",
                    life.name,
                    life.created,
                    at(life.ready),
                    at(life.going),
                    at(life.gone),
                    if life.injected { "with credential" } else { "without" }
                ));
            }
        }
    }
}

fn note(lives: &Mutex<BTreeMap<String, Life>>, list: &Value, now: f64) {
    let mut lives = lives.lock().unwrap();
    let mut there = Vec::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        there.push(uid.clone());
        let life = lives.entry(uid).or_insert_with(|| Life {
            name: pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
            workload: workload_of(pod),
            created: now,
            injected: has_ours(pod),
            ..Life::default()
        });
        if is_ready(pod) && life.ready.is_none() {
            life.ready = Some(now);
        }
        if !pod["metadata"]["deletionTimestamp"].is_null() && life.going.is_none() {
            life.going = Some(now);
        }
    }
    for (uid, life) in lives.iter_mut() {
        if !there.contains(uid) && life.gone.is_none() {
            life.going = life.going.or(Some(now));
            life.gone = Some(now);
        }
    }
}
