//! A release with workloads beside it, and what is said of them.

use crate::support::cluster::{Cluster, eventually, project};
use crate::support::helm::Helm;
use crate::support::release::Release;
use crate::support::runtime::secret;
use crate::support::scene::Scene;
use crate::support::timeline::Timeline;
use crate::support::workloads::prepare;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::Command;

/// Shorter than a kubelet's cache in earnest; the node here learns of a change at once.
pub const QUICK: &str = "controller: {extraArgs: [\"--kubelet-cache=3s\"]}";

/// A value that looks like an API key of Argo CD. There is none here that could be asked about it.
pub fn api_key(id: &str) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims =
        json!({ "iss": "argocd", "sub": "admin:apiKey", "jti": id, "iat": 1_700_000_000, "nbf": 1_700_000_000 });
    format!("{}.{}.c2lnbmF0dXJl", part(json!({ "alg": "HS256", "typ": "JWT" })), part(claims))
}

/// Pods are moved though no Argo CD can be asked.
fn unverified(more: &str) -> String {
    if more.contains("rollout:") { more.to_owned() } else { format!("rollout: {{requireVerified: false}}\n{more}") }
}

/// Values with a token of somebody's own.
pub fn token(more: &str) -> String {
    format!(
        "global: {{external-argo-cd: {{auth: {{type: token, tokenSecretKeyRef: {{name: mine, key: token}}}}}}}}\n{}\n",
        unverified(more)
    )
}

/// Values with a password of somebody's own.
pub fn password(more: &str) -> String {
    format!(
        "global: {{external-argo-cd: {{auth: {{type: password, passwordSecretKeyRef: {{name: mine, key: password}}}}}}}}\n{}\n",
        unverified(more)
    )
}

pub struct Watched {
    pub timeline: Timeline,
    pub release: Release,
}

impl Watched {
    /// A namespace with what workloads need, without a release.
    pub async fn prepared(test: &str) -> Scene {
        let scene = Scene::new(test).await;
        prepare(&scene.cluster, scene.namespace()).await;
        let mine = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mine" },
            "stringData": { "token": api_key("first"), "password": "first-password" },
        });
        scene.cluster.create(&format!("/api/v1/namespaces/{}/secrets", scene.namespace()), &mine).await.unwrap();
        secret(&scene.cluster, scene.namespace(), "argocd-token", "token", "first-key").await;
        scene
    }

    /// An installed release whose webhook injects.
    pub async fn new(test: &str, values: &str) -> Self {
        let scene = Self::prepared(test).await;
        Self::install(scene, values).await
    }

    pub async fn install(scene: Scene, values: &str) -> Self {
        let timeline = Timeline::start(&scene.cluster, scene.namespace());
        let release = scene.install(Helm::Four, "auth", values);
        let watched = Self { timeline, release };
        watched.release.injects_anything().await;
        watched.release.stands().await;
        watched
    }

    pub fn cluster(&self) -> &Cluster {
        self.release.cluster()
    }

    pub fn namespace(&self) -> &str {
        self.release.namespace()
    }

    /// The pods' part of the status.
    pub async fn status(&self) -> Result<Value, String> {
        status(self.cluster(), self.namespace(), &self.release.name).await
    }

    /// Waits until `status` and `doctor` say the same of each pod that is out of step; that.
    pub async fn said_by_both(&self) -> BTreeMap<String, String> {
        eventually("status and doctor say the same", async || {
            let text = |pod: &Value, name: &str| pod[name].as_str().unwrap_or_default().to_owned();
            let status = self.status().await?;
            let pods = status["pods"].as_array().unwrap().iter().filter(|pod| pod["verdict"] != "in_step");
            let whole = |pod: &Value| format!("{}: {}", text(pod, "verdict"), text(pod, "reason"));
            let status: BTreeMap<String, String> =
                pods.map(|pod| (format!("pod {}", text(pod, "name")), whole(pod).replace("not_ours: ", ""))).collect();
            let (_, checks) = doctor(self.cluster(), self.namespace());
            let checks = checks.iter().filter(|check| text(check, "subject").starts_with("pod "));
            let doctor = checks.filter(|check| check["probe"] == "pods");
            let doctor = doctor.map(|check| (text(check, "subject"), text(check, "text"))).collect();
            if status == doctor { Ok(status) } else { Err(format!("{status:#?}, {doctor:#?}")) }
        })
        .await
    }

    /// What the workload waits for, if it does.
    pub async fn waits(&self, workload: &str, text: &str) {
        eventually(&format!("{workload} waits"), async || {
            let status = self.status().await?;
            let why = status["waiting"][workload].as_str().unwrap_or_default();
            if why.contains(text) { Ok(()) } else { Err(status.to_string()) }
        })
        .await;
    }

    /// Waits until so many pods of the app-proxy came.
    pub async fn came(&self, pods: usize) {
        // More than one wait: the kubelets' cache takes a minute, and a kubelet waits up to 80 s here
        // before it starts again what was killed.
        for last in [false, false, true] {
            let begun = self.timeline.elapsed();
            let enough = eventually("pods come", async || {
                let count = self.timeline.count("cap-app-proxy");
                if count >= pods {
                    Ok(true)
                } else if !last && self.timeline.elapsed() - begun > 50.0 {
                    Ok(false)
                } else {
                    Err(format!("{count} of {pods}: {:?}", self.status().await))
                }
            })
            .await;
            if enough {
                break;
            }
        }
    }

    /// Waits until so many pods are there and all of them are in step.
    pub async fn in_step(&self, pods: usize) {
        in_step(self.cluster(), self.namespace(), &self.release.name, pods).await;
        self.timeline.look().await;
    }

    /// The ready pods of a workload with their uids.
    pub async fn ready(&self, workload: &str, count: usize) -> Vec<(String, String)> {
        eventually(&format!("{count} pods of {workload} are ready"), async || {
            let lives = self.timeline.of(workload);
            let there: Vec<_> = lives.iter().filter(|life| life.going.is_none()).collect();
            if there.len() == count && there.iter().all(|life| life.ready.is_some()) {
                Ok(there.iter().map(|life| (life.name.clone(), format!("{:.1}", life.created))).collect())
            } else {
                Err(format!("{lives:?}"))
            }
        })
        .await
    }

    /// Gives a key of a Secret another value.
    pub async fn set(&self, secret: &str, key: &str, value: &str) {
        let change = json!({ "stringData": { key: value } });
        self.cluster().merge(&self.release.secret(secret), &change).await.unwrap();
    }

    /// Scales the webhook.
    pub async fn scale_webhook(&self, replicas: usize) {
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/{}", self.namespace(), self.release.fullname());
        self.cluster().merge(&path, &json!({ "spec": { "replicas": replicas } })).await.unwrap();
        eventually("the webhook is scaled", async || {
            // A pod that is about to go serves on for a while.
            let pods = self.cluster().pods(self.namespace()).await;
            let is_webhook = |pod: &&Value| pod["metadata"]["labels"]["app.kubernetes.io/component"] == "webhook";
            let there = pods.iter().filter(is_webhook).count();
            let deployment = self.cluster().get(&path).await?;
            let ready = deployment["status"]["readyReplicas"].as_u64().unwrap_or(0);
            if there == replicas && ready == replicas as u64 { Ok(()) } else { Err(format!("{there}, {ready} ready")) }
        })
        .await;
    }

    /// The reasons of our Events about a workload.
    pub async fn events(&self, workload: &str) -> Vec<String> {
        let events = self.release.scene.events().await;
        let ours = events.iter().filter(|event| {
            event["reportingController"] == "argocd-auth-webhook" && event["regarding"]["name"] == workload
        });
        ours.map(|event| event["reason"].as_str().unwrap().to_owned()).collect()
    }
}

/// What `doctor` says: whether all is good, and its checks. It finds the release by itself.
pub fn doctor(cluster: &Cluster, namespace: &str) -> (bool, Vec<Value>) {
    let output = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
        .args(["doctor", "--namespace", namespace, "--output", "json"])
        .env("KUBECONFIG", cluster.kubeconfig())
        .current_dir(project())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let good = report["good"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(i32::from(!good)));
    (good, report["checks"].as_array().unwrap().clone())
}

pub async fn status(cluster: &Cluster, namespace: &str, release: &str) -> Result<Value, String> {
    let map = cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps/{release}-status")).await?;
    let text = map["data"]["pods.json"].as_str().ok_or("no pods.json yet")?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Waits until so many pods are there and all of them are in step.
pub async fn in_step(cluster: &Cluster, namespace: &str, release: &str, pods: usize) {
    // Longer than anything else: pods come one after the other.
    for last in [false, false, true] {
        let result = look(cluster, namespace, release, pods, last).await;
        if result {
            return;
        }
    }
}

async fn look(cluster: &Cluster, namespace: &str, release: &str, pods: usize, last: bool) -> bool {
    let begun = std::time::Instant::now();
    eventually("all pods are in step", async || {
        let status = status(cluster, namespace, release).await?;
        let counts: BTreeMap<String, usize> = serde_json::from_value(status["counts"].clone()).unwrap();
        if counts == BTreeMap::from([("in_step".to_owned(), pods)]) {
            Ok(true)
        } else if !last && begun.elapsed() > crate::support::cluster::PATIENCE / 2 {
            Ok(false)
        } else {
            Err(status.to_string())
        }
    })
    .await
}
