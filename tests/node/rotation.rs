//! Password mode beside Argo CD: its account loses a key and then its password. What the running
//! processes hold meanwhile, and who is restarted for it.

use super::port_forward::{apply, argocd, server};
use crate::support::cluster::{Cluster, eventually, pods_path, say};
use crate::support::credentials::another_password;
use crate::support::machine::{environment, process, running_process};
use crate::support::runtime::secret_value;
use crate::support::scene::Scene;
use crate::support::watched::Watched;
use crate::support::workloads::{create, prepare, workload};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const APP_PROXY: &str = "cap-app-proxy";
/// The workloads, of one pod each, and Argo CD itself.
const NOT_RESTARTED: [&str; 3] = ["gitops-operator", "event-reporter", "argo-cd-server"];
const VALUES: &str = "auth: {type: password}\ncredentials: {followAfter: 5s, checkInterval: 2s}\n\
                      controller: {extraArgs: [\"--kubelet-cache=3s\"]}\n";

/// Argo CD at its Service's address. It locks an account after five wrong passwords, so logins are few.
struct ArgoCd(String);

impl ArgoCd {
    async fn of(cluster: &Cluster, namespace: &str) -> Self {
        let service = cluster.get(&format!("/api/v1/namespaces/{namespace}/services/argo-cd-server")).await.unwrap();
        Self(format!("{}:80", service["spec"]["clusterIP"].as_str().unwrap()))
    }

    async fn call(&self, method: Method, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        let stream = TcpStream::connect(&self.0).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", &self.0);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = request.header("content-type", "application/json").body(Full::<Bytes>::from(body)).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    /// Logs in with what a process holds: a session, or the status that refuses it.
    async fn login(&self, holds: &BTreeMap<String, String>) -> Result<String, StatusCode> {
        let body = json!({ "username": holds["ARGO_CD_USERNAME"], "password": holds["ARGO_CD_PASSWORD"] });
        let (status, answer) = self.call(Method::POST, "/api/v1/session", "", &body).await;
        if status == StatusCode::OK { Ok(answer["token"].as_str().unwrap().to_owned()) } else { Err(status) }
    }

    /// Revokes every key of the account.
    async fn revoke(&self, session: &str) {
        let account = "/api/v1/account/admin";
        let (_, answer) = self.call(Method::GET, account, session, &Value::Null).await;
        let keys = answer["tokens"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        for key in keys {
            let path = format!("{account}/token/{}", key["id"].as_str().unwrap());
            assert_eq!(self.call(Method::DELETE, &path, session, &Value::Null).await.0, StatusCode::OK);
        }
    }

    /// Waits for another key in `argocd-token` than this one, which Argo CD takes.
    async fn another_key(&self, scene: &Watched, before: &str) -> String {
        let path = scene.release.secret("argocd-token");
        eventually("another key that Argo CD takes", async || {
            let secret = scene.cluster().get(&path).await?;
            if secret["data"]["token"].as_str().unwrap_or_default().is_empty() {
                return Err("none".to_owned());
            }
            let key = secret_value(scene.cluster(), scene.namespace(), "argocd-token", "token").await;
            if key == before {
                return Err("the one before".to_owned());
            }
            let (status, _) = self.call(Method::GET, "/api/v1/applications", &key, &Value::Null).await;
            if status == StatusCode::OK { Ok(key) } else { Err(status.to_string()) }
        })
        .await
    }
}

/// The pods that the app-proxy's Service would send a request to.
async fn serving(cluster: &Cluster, namespace: &str) -> Vec<Value> {
    let path = format!("{}?labelSelector=app%3D{APP_PROXY}", pods_path(namespace));
    let list = cluster.get(&path).await.unwrap();
    let ready = |pod: &&Value| {
        let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
        pod["metadata"]["deletionTimestamp"].is_null()
            && conditions.into_iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
    };
    list["items"].as_array().unwrap().iter().filter(ready).cloned().collect()
}

/// What the only process of the app-proxy holds.
async fn held(scene: &Watched) -> BTreeMap<String, String> {
    let pods = serving(scene.cluster(), scene.namespace()).await;
    assert_eq!(pods.len(), 1);
    environment(running_process(scene.cluster(), &pods[0], APP_PROXY).await)
}

/// One look of the client: when, at which pod, and whether its password is the one that Argo CD takes.
#[derive(Clone, Debug)]
struct Look {
    at: f64,
    pod: String,
    taken: bool,
}

/// Uses the credentials of the running processes all the while.
struct Client {
    /// The password that Argo CD takes.
    taken: Arc<Mutex<String>>,
    looks: Arc<Mutex<Vec<Look>>>,
    task: JoinHandle<()>,
}

impl Client {
    fn start(scene: &Watched, password: String) -> Self {
        let (taken, looks) = (Arc::new(Mutex::new(password)), Arc::<Mutex<Vec<Look>>>::default());
        let (cluster, namespace) = (scene.cluster().clone(), scene.namespace().to_owned());
        let (begun, before) = (Instant::now(), scene.timeline.elapsed());
        let (its_taken, its_looks) = (Arc::clone(&taken), Arc::clone(&looks));
        let task = tokio::spawn(async move {
            let mut processes: BTreeMap<String, u32> = BTreeMap::new();
            loop {
                // In this order: a look that knows of the change is dated after it, and none is dated
                // after what it saw, however long it takes.
                let password = its_taken.lock().unwrap().clone();
                let at = before + begun.elapsed().as_secs_f64();
                for pod in serving(&cluster, &namespace).await {
                    let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
                    let known = processes.get(&name).copied();
                    let Some(pid) = known.or_else(|| process(&cluster, &pod, APP_PROXY)) else { continue };
                    processes.insert(name.clone(), pid);
                    // It may have ended since.
                    let Ok(held) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
                    if password != *its_taken.lock().unwrap() {
                        continue;
                    }
                    let expected = format!("ARGO_CD_PASSWORD={password}");
                    let taken = held.split(|byte| *byte == 0).any(|variable| variable == expected.as_bytes());
                    its_looks.lock().unwrap().push(Look { at, pod: name, taken });
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        });
        Self { taken, looks, task }
    }

    /// Everything that it saw.
    fn end(self) -> Vec<Look> {
        assert!(!self.task.is_finished(), "the client ended early");
        self.task.abort();
        self.looks.lock().unwrap().clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_argo_cd_another_key_restarts_nobody_and_another_password_the_app_proxy_once() {
    let Some(server) = server() else {
        return say("NOT RUN: rotations beside an Argo CD in a pod (tests/argocd/build.sh builds its server)");
    };
    let scene = Scene::new("rotation").await;
    argocd(&scene, &server).await;
    let fit = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "argocd-cm", "labels": { "app.kubernetes.io/part-of": "argocd" } },
        "data": { "accounts.admin": "apiKey, login" },
    });
    apply(&scene.cluster, scene.namespace(), &fit);
    prepare(&scene.cluster, scene.namespace()).await;
    let scene = Watched::install(scene, VALUES).await;
    let (cluster, namespace, timeline) = (scene.cluster(), scene.namespace(), &scene.timeline);
    let argocd = ArgoCd::of(cluster, namespace).await;
    let first = argocd.another_key(&scene, "").await;
    for service in ["app-proxy", "gitops-operator", "event-reporter"] {
        create(cluster, namespace, &workload(service, 1)).await;
    }
    for name in [APP_PROXY, "gitops-operator", "event-reporter"] {
        scene.ready(name, 1).await;
    }
    scene.in_step(3).await;

    let old = secret_value(cluster, namespace, "argocd-initial-admin-secret", "password").await;
    let client = Client::start(&scene, old.clone());
    let session = argocd.login(&held(&scene).await).await.unwrap();
    argocd.revoke(&session).await;
    let revoked = timeline.elapsed();
    let second = argocd.another_key(&scene, &first).await;
    let replaced = timeline.elapsed();
    scene.in_step(3).await;
    assert_eq!(timeline.count(APP_PROXY), 1, "another key restarts nobody");

    let body = json!({ "name": "admin", "currentPassword": old, "newPassword": another_password() });
    let (status, _) = argocd.call(Method::PUT, "/api/v1/account/password", &session, &body).await;
    assert_eq!(status, StatusCode::OK);
    let changed = timeline.elapsed();
    another_password().clone_into(&mut client.taken.lock().unwrap());
    // Before the Secret says so: nobody is restarted yet.
    let holds = held(&scene).await;
    scene.set("argocd-initial-admin-secret", "password", another_password()).await;
    let updated = timeline.elapsed();
    assert_eq!(argocd.login(&holds).await, Err(StatusCode::UNAUTHORIZED), "the process is as before");
    argocd.another_key(&scene, &second).await;
    let third = timeline.elapsed();
    eventually("the app-proxy is restarted", async || {
        let lives = timeline.of(APP_PROXY);
        if lives.len() == 2 && lives[0].going.is_some() { Ok(()) } else { Err(format!("{lives:?}")) }
    })
    .await;
    scene.ready(APP_PROXY, 1).await;
    scene.in_step(3).await;
    argocd.login(&held(&scene).await).await.expect("the new process's credentials are taken");

    let looks = client.end();
    let lives = timeline.of(APP_PROXY);
    let (restarted, ready, going) = (lives[1].created, lives[1].ready.unwrap(), lives[0].going.unwrap());
    let refused: Vec<&Look> = looks.iter().filter(|look| !look.taken).collect();
    let (since, until) = (refused.first().unwrap().at, refused.last().unwrap().at);
    timeline.tell("a key revoked, then the password changed", &[&[APP_PROXY], &NOT_RESTARTED[..]].concat());
    let mut told = [
        (revoked, "key revoked in Argo CD"),
        (replaced, "another key in argocd-token, which Argo CD takes; nobody restarted"),
        (changed, "password changed in Argo CD"),
        (updated, "password updated in the Secret"),
        (third, "another key in argocd-token, which Argo CD takes"),
        (restarted, "the app-proxy is restarted (3 s are for the kubelets' cache)"),
        (ready, "its new pod is ready"),
        (going, "the one before is taken away"),
    ];
    told.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, what) in told {
        say(&format!("  {at:5.1}s  {what}"));
    }
    say(&format!(
        "  the client: {} looks, {} of them with credentials that Argo CD refuses, {since:.1}s to {until:.1}s",
        looks.len(),
        refused.len()
    ));

    assert!(looks.iter().filter(|look| look.at < changed).all(|look| look.taken), "{looks:?}");
    assert!(refused.iter().all(|look| look.pod == lives[0].name), "{looks:?}");
    assert!(until <= going, "{looks:?}");
    assert!(looks.iter().any(|look| look.at > until && look.pod == lives[1].name), "{looks:?}");
    assert_eq!((lives.len(), NOT_RESTARTED.map(|name| timeline.count(name))), (2, [1; 3]));
    let restarts: Vec<String> = scene.events(APP_PROXY).await;
    assert_eq!(restarts.iter().filter(|reason| *reason == "Restarted").count(), 1, "{restarts:?}");
    for pod in cluster.pods(namespace).await {
        let containers = pod["status"]["containerStatuses"].as_array().into_iter().flatten();
        let again = containers.into_iter().any(|status| status["restartCount"] != 0);
        assert!(!again, "{}", pod["status"]);
    }
}
