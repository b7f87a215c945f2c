//! Something applies a workload's manifest again and again.

use crate::support::cluster::{Cluster, eventually, say};
use crate::support::watched::{QUICK, Watched, api_key, token};
use crate::support::workloads::{create, path, workload};
use hyper::Method;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How a tool brings a manifest to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ClientSide,
    Forced,
    Replace,
}

struct Tool {
    turns: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

fn replaced(cluster: &Cluster, namespace: &str, manifest: &Value) -> bool {
    cluster.kubectl(&["replace", "--namespace", namespace, "--filename", "-"], Some(manifest)).success
}

impl Tool {
    fn start(cluster: &Cluster, namespace: &str, manifest: &Value, way: Way) -> Self {
        let (turns, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (cluster, namespace, manifest) = (cluster.clone(), namespace.to_owned(), manifest.clone());
        let (count, ended) = (Arc::clone(&turns), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                match way {
                    Way::ClientSide => {
                        let seen =
                            cluster.kubectl(&["apply", "--namespace", &namespace, "--filename", "-"], Some(&manifest));
                        assert!(seen.success, "{}", seen.stderr);
                    }
                    Way::Forced => {
                        let path = format!("{}?fieldManager=tool&force=true", path(&namespace, &manifest));
                        cluster
                            .attempt(Method::PATCH, &path, "application/apply-patch+yaml", Some(&manifest))
                            .await
                            .ok()
                            .unwrap();
                    }
                    // It loses against a write in between, and comes again.
                    Way::Replace => drop(replaced(&cluster, &namespace, &manifest)),
                }
                count.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        Self { turns, stop, task }
    }

    async fn turns(&self, more: usize) {
        let target = self.turns.load(Ordering::Relaxed) + more;
        eventually("the tool goes on", async || {
            let now = self.turns.load(Ordering::Relaxed);
            if now >= target { Ok(()) } else { Err(format!("{now} of {target}")) }
        })
        .await;
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.turns.load(Ordering::Relaxed)
    }
}

async fn restarts(scene: &Watched) -> usize {
    scene.events("cap-app-proxy").await.iter().filter(|reason| *reason == "Restarted").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_is_applied_in_a_loop_is_not_fought_with() {
    for (way, name) in [(Way::ClientSide, "apply"), (Way::Forced, "forced"), (Way::Replace, "replace")] {
        let scene = Watched::new(&format!("loop-{name}"), &token(QUICK)).await;
        let manifest = workload("app-proxy", 2);
        create(scene.cluster(), scene.namespace(), &manifest).await;
        scene.ready("cap-app-proxy", 2).await;
        scene.in_step(2).await;
        let tool = Tool::start(scene.cluster(), scene.namespace(), &manifest, way);
        tool.turns(3).await;
        scene.set("mine", "token", &api_key("another-token")).await;
        if way == Way::Replace {
            eventually("it ends, in step or explained", async || {
                let status = scene.status().await?;
                let undone = status["waiting"].to_string().contains("takes the annotation");
                let pods = scene.timeline.count("cap-app-proxy");
                if pods > 2 && status["counts"]["in_step"] == 2 || undone { Ok(()) } else { Err(status.to_string()) }
            })
            .await;
        } else {
            eventually("the app-proxy is restarted", async || {
                let count = scene.timeline.count("cap-app-proxy");
                if count == 4 { Ok(()) } else { Err(format!("{count}: {:?}", scene.status().await)) }
            })
            .await;
            scene.ready("cap-app-proxy", 2).await;
            scene.in_step(2).await;
        }
        tool.turns(20).await;
        let turns = tool.end().await;
        let (restarts, pods) = (restarts(&scene).await, scene.timeline.count("cap-app-proxy"));
        say(&format!(
            "a manifest applied {turns} times in a loop ({name}): {restarts} restarts of ours, {pods} pods of 2 in all"
        ));
        assert!((1..=2).contains(&restarts), "{restarts}");
        if way != Way::Replace {
            assert_eq!((restarts, pods), (1, 4));
        }
    }
}
