//! The controller's certificates: two webhooks serve what it makes, and pods are created all the
//! while.
//!
//! There is no node, so the webhook's `EndpointSlices` are made by hand, with an address of this
//! machine (they don't take a loopback one), and the Service is an `ExternalName` of that address.

use super::served::{app_proxy, has_token, token_settings};
use crate::support::cluster::{Cluster, eventually, free_port, pods_path, say};
use crate::support::process::Process;
use crate::support::proxy::{Fate, Proxy};
use crate::support::scene::Scene;
use hyper::{Method, Uri};
use serde_json::{Value, json};
use std::net::{IpAddr, UdpSocket};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

const HELD: &str = "argocd_auth_webhook_lease_held";

/// Two webhooks and what a controller needs. In this order: the configuration goes first, so that no pod
/// waits for a webhook that has ended.
struct Controlled {
    configuration: Configuration,
    scene: Scene,
    webhooks: Vec<Process>,
    host: IpAddr,
    ports: [u16; 2],
    settings: PathBuf,
}

impl Deref for Controlled {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        &self.scene
    }
}

struct Configuration {
    cluster: Cluster,
    name: String,
}

impl Drop for Configuration {
    fn drop(&mut self) {
        self.cluster.clean_up(&["mutatingwebhookconfiguration", &self.name]);
    }
}

/// The address by which this machine would reach others; nothing is sent.
fn address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback() && !address.is_unspecified())
}

impl Controlled {
    /// Two webhooks that wait for their Secret, registered without a `caBundle`. Nothing where this
    /// machine has no address but loopback.
    async fn new(name: &str) -> Option<Self> {
        let Some(host) = address() else {
            say(&format!("NOT RUN: {name}: this machine has only loopback addresses"));
            return None;
        };
        let scene = Scene::new(name).await;
        let (cluster, namespace) = (&scene.cluster, scene.namespace());
        let ports = [free_port(), free_port()];
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": "hook" },
            "spec": {
                "type": "ExternalName", "externalName": host,
                "ports": [{ "name": "https", "port": ports[0] }],
            },
        });
        cluster.create(&format!("/api/v1/namespaces/{namespace}/services"), &service).await.unwrap();
        for (ready, port) in [(true, ports[0]), (false, ports[1])] {
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": { "name": format!("hook-{port}"), "labels": { "kubernetes.io/service-name": "hook" } },
                "addressType": if host.is_ipv4() { "IPv4" } else { "IPv6" },
                "endpoints": [{ "addresses": [host], "conditions": { "ready": ready } }],
                "ports": [{ "name": "https", "port": port }],
            });
            let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
            cluster.create(&path, &slice).await.unwrap();
        }
        let entry = |name: &str, app: &str| {
            json!({
                "name": format!("{name}.argocd-auth-webhook.dev"),
                "clientConfig": {
                    "service": { "name": "hook", "namespace": namespace, "path": "/mutate", "port": ports[0] },
                },
                "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace } },
                "objectSelector": { "matchLabels": { "app": app } },
                "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail",
            })
        };
        let configuration = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": namespace },
            "webhooks": [entry("app-proxy", "cap-app-proxy"), entry("gitops-operator", "gitops-operator")],
        });
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        cluster.create(path, &configuration).await.unwrap();
        let configuration = Configuration { cluster: cluster.clone(), name: namespace.to_owned() };

        let settings = scene.write("config", &token_settings(""));
        let mut scene = Self { configuration, scene, webhooks: Vec::new(), host, ports, settings };
        for port in ports {
            scene.webhooks.push(scene.webhook(port).await);
        }
        Some(scene)
    }

    async fn webhook(&self, port: u16) -> Process {
        let (listen, secret) = (format!("{}:{port}", self.host), format!("{}/hook-serving", self.namespace()));
        let config = self.settings.to_str().unwrap();
        let arguments =
            ["serve", "--config", config, "--tls-secret", &secret, "--listen", &listen, "--drain-delay", "0s"];
        Process::start(Some(&self.cluster.kubeconfig()), &self.output, &arguments).await
    }

    async fn controller(&self) -> Process {
        self.controller_by(&self.cluster.kubeconfig()).await
    }

    /// A controller that reaches the cluster by this kubeconfig.
    async fn controller_by(&self, kubeconfig: &Path) -> Process {
        let (port, config) = (self.ports[0].to_string(), self.settings.to_str().unwrap());
        let place = ["--namespace", self.namespace(), "--release", "hook", "--service-port", &port];
        let terms = ["--webhook-configuration", self.namespace(), "--propagation-time", "2s"];
        let arguments = [&["controller", "--config", config][..], &place, &terms].concat();
        Process::start(Some(kubeconfig), &self.output, &arguments).await
    }

    fn configuration(&self) -> String {
        let name = &self.configuration.name;
        format!("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}")
    }

    /// The CA, if there is one, one leaf of it, and a `caBundle` of nothing else.
    async fn settled(&self) -> Result<String, String> {
        let (ca, serving) =
            (self.cluster.get(&self.secret("hook-ca")).await?, self.cluster.get(&self.secret("hook-serving")).await?);
        let configuration = self.cluster.get(&self.configuration()).await?;
        let current = ca["data"]["ca.crt"].as_str().unwrap_or_default().to_owned();
        let bundles = configuration["webhooks"].as_array().unwrap();
        let all_hold_it = bundles.iter().all(|entry| entry["clientConfig"]["caBundle"] == current.as_str());
        let annotations = ca["metadata"]["annotations"].as_object().is_none_or(serde_json::Map::is_empty);
        if all_hold_it
            && !current.is_empty()
            && serving["data"]["ca.crt"] == current.as_str()
            && ca["data"]["next-ca.crt"].is_null()
            && annotations
        {
            Ok(current)
        } else {
            Err(format!("CA Secret: {:?}, in every caBundle: {all_hold_it}", ca["metadata"]["annotations"]))
        }
    }

    async fn ask_for(&self, what: &str) {
        let change = json!({ "metadata": { "annotations": { "argocd-auth-webhook/rotate": what } } });
        self.cluster.merge(&self.secret("hook-ca"), &change).await.unwrap();
    }
}

/// Creations as long as this is there; each must succeed and be injected.
struct Stream {
    created: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Stream {
    fn start(scene: &Controlled) -> Self {
        let (created, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (cluster, path) = (scene.cluster.clone(), format!("{}?dryRun=All", pods_path(scene.namespace())));
        let (count, ended) = (Arc::clone(&created), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                let pod = cluster.create(&path, &app_proxy("pod")).await.unwrap();
                assert!(has_token(&pod));
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { created, stop, task }
    }

    async fn end(self, what: &str) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        let created = self.created.load(Ordering::Relaxed);
        assert!(created > 100, "{created}");
        say(&format!("{what}: {created} pods were created meanwhile, and none was refused"));
    }
}

/// A write that is a step of a rotation. Leases, the status and Events come whenever they like.
fn is_step(method: &Method, uri: &Uri) -> bool {
    let objects = ["/secrets/hook-ca", "/secrets/hook-serving", "/mutatingwebhookconfigurations/"];
    *method != Method::GET && objects.iter().any(|object| uri.path().contains(object))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_rotates_while_the_controller_is_killed_again_and_again() {
    let Some(scene) = Controlled::new("controller-killed").await else { return };
    assert!(
        scene.webhooks[0].readiness().contains("no serving certificate: Secret"),
        "{}",
        scene.webhooks[0].readiness()
    );
    let mut controller = scene.controller().await;
    let first = eventually("the first certificates", async || scene.settled().await).await;
    eventually("every webhook is ready", async || {
        let not = scene.webhooks.iter().map(Process::readiness).find(|text| !text.contains("ready; serving"));
        not.map_or(Ok(()), Err)
    })
    .await;
    assert_eq!(controller.metric("argocd_auth_webhook_repairs_total{what=\"ca\"}"), 0);
    let stream = Stream::start(&scene);
    scene.ask_for("ca").await;
    controller.kill();
    let proxy = Proxy::before_cluster(&scene.cluster).await;
    let kubeconfig = proxy.kubeconfig(scene.folder());
    let mut kills = 0;
    // Killed before each step of the rotation and after it, until there is no step left.
    let second = loop {
        let stopped: Arc<Mutex<Option<String>>> = Arc::default();
        let (after, at) = (kills % 2 == 1, Arc::clone(&stopped));
        proxy.rule(move |method, uri| {
            if !is_step(method, uri) {
                return Fate::Pass;
            }
            let first = at.lock().unwrap().replace(format!("{method} {}", uri.path())).is_none();
            if after && first { Fate::Unanswered } else { Fate::Lost }
        });
        scene.free_lease().await;
        let mut controller = scene.controller_by(&kubeconfig).await;
        let done = eventually("it gets to a step or is done", async || {
            if stopped.lock().unwrap().is_some() {
                return Ok(None);
            }
            match scene.settled().await? {
                now if now == first => Err("the same CA".to_owned()),
                now => Ok(Some(now)),
            }
        })
        .await;
        controller.kill();
        if let Some(now) = done {
            break now;
        }
        kills += 1;
        assert!(kills < 50, "the rotation comes to no end");
    };
    say(&format!("a rotation of the CA: killed {kills} times, before and after each of its writes"));
    assert!(kills >= 8, "{kills}");
    scene.free_lease().await;
    let mut controller = scene.controller().await;
    scene.ask_for("leaf").await;
    eventually("the request is answered", async || {
        scene.settled().await?;
        let renewed = controller.metric("argocd_auth_webhook_rotations_total{what=\"leaf\"}");
        if renewed > 0 { Ok(()) } else { Err("no new leaf".to_owned()) }
    })
    .await;
    assert_eq!(scene.settled().await.unwrap(), second, "a leaf is renewed by the same CA");
    stream.end("a controller killed in rotations").await;
    controller.terminate().await;
    let lease = scene.cluster.get(&scene.lease()).await.unwrap();
    assert!(lease["spec"]["holderIdentity"].as_str().is_none_or(str::is_empty), "{lease}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_or_damaged_is_mended_and_no_creation_fails() {
    let Some(scene) = Controlled::new("controller-damage").await else { return };
    let controller = scene.controller().await;
    let mut ca = eventually("the first certificates", async || scene.settled().await).await;
    eventually("the webhook is ready", async || {
        let text = scene.webhooks[0].readiness();
        if text.contains("ready; serving") { Ok(()) } else { Err(text) }
    })
    .await;
    let stream = Stream::start(&scene);
    let set = |key: &str, value: Value| json!({ "data": { key: value } });
    for (secret, change, new_ca) in [
        ("hook-serving", None, false),
        ("hook-serving", Some(set("tls.crt", json!("Z2FyYmFnZQ=="))), false),
        ("hook-serving", Some(set("tls.key", json!(""))), false),
        ("hook-ca", None, true),
        ("hook-ca", Some(set("ca.key", json!("Z2FyYmFnZQ=="))), true),
        ("hook-ca", Some(set("ca.crt", Value::Null)), true),
    ] {
        let before = scene.cluster.get(&scene.secret("hook-serving")).await.unwrap()["data"]["tls.crt"].clone();
        match &change {
            None => scene.cluster.delete(&scene.secret(secret)).await.unwrap(),
            Some(change) => scene.cluster.merge(&scene.secret(secret), change).await.unwrap(),
        };
        let now = eventually("it is mended", async || {
            let now = scene.settled().await?;
            let serving = scene.cluster.get(&scene.secret("hook-serving")).await?;
            let key = serving["data"]["tls.key"].as_str().is_some_and(|key| !key.is_empty());
            // What the test put there is none.
            let certificate = serving["data"]["tls.crt"] != before && serving["data"]["tls.crt"] != "Z2FyYmFnZQ==";
            if certificate && key && (now != ca) == new_ca { Ok(now) } else { Err(now) }
        })
        .await;
        ca = now;
    }
    stream.end("Secrets lost and damaged").await;
    assert!(controller.metric("argocd_auth_webhook_repairs_total{what=\"ca\"}") >= 3);
    // The first came so early that it could have belonged to the bootstrap.
    assert!(controller.metric("argocd_auth_webhook_repairs_total{what=\"leaf\"}") >= 2);

    // Somebody takes caBundle away. Creations fail meanwhile, so there is no stream.
    let path = scene.configuration();
    let mut configuration = scene.cluster.get(&path).await.unwrap();
    for entry in configuration["webhooks"].as_array_mut().unwrap() {
        entry["clientConfig"].as_object_mut().unwrap().remove("caBundle");
    }
    let change = json!({ "webhooks": configuration["webhooks"] });
    scene.cluster.merge(&path, &change).await.unwrap();
    assert_eq!(eventually("caBundle is back", async || scene.settled().await).await, ca);
    eventually("the repair is counted", async || {
        let repairs = controller.metric("argocd_auth_webhook_repairs_total{what=\"bundle\"}");
        if repairs > 0 { Ok(()) } else { Err("0".to_owned()) }
    })
    .await;

    let events = scene.events().await;
    let warnings: Vec<&Value> = events.iter().filter(|event| event["type"] == "Warning").collect();
    assert!(warnings.iter().any(|event| event["regarding"]["name"] == "hook-ca"), "{warnings:?}");
    assert!(warnings.iter().any(|event| event["regarding"]["name"] == "hook-serving"), "{warnings:?}");
    assert!(!Value::from(events).to_string().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_one_writes_and_the_other_takes_over() {
    let Some(scene) = Controlled::new("controller-twice").await else { return };
    let mut first = scene.controller().await;
    eventually("the first certificates", async || scene.settled().await).await;
    let second = scene.controller().await;
    assert_eq!((first.metric(HELD), second.metric(HELD)), (1, 0));
    assert!(second.readiness().contains("ready"), "ready without the Lease");
    first.terminate().await;
    // A Lease that was given back names nobody who would have to be waited for.
    let lease = scene.cluster.get(&scene.lease()).await.unwrap();
    let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
    assert!(!holder.ends_with(&format!("_{}", first.id())), "{lease}");
    eventually("the second takes over", async || match second.metric(HELD) {
        1 => Ok(()),
        _ => Err("not yet".to_owned()),
    })
    .await;
    assert!(!second.printed().contains("made a"), "what stands is carried on from");
}
