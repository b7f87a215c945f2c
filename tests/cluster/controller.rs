//! The controller's certificates: two webhooks serve what it makes, and pods are created all the
//! while.
//!
//! There is no node, so the webhook's `EndpointSlices` are made by hand, with an address of this
//! machine (they don't take a loopback one), and the Service is an `ExternalName` of that address.

use crate::cluster::{Cluster, Namespaces, eventually, output, pods_path, say};
use crate::process::Process;
use crate::scene::{app_proxy, has_token, token_settings, unique};
use crate::webhook::{free_port, write_config};
use serde_json::{Value, json};
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const HELD: &str = "argocd_auth_webhook_lease_held";

/// In this order: the configuration goes first, so that no pod waits for a webhook that has ended.
struct Scene {
    configuration: Configuration,
    namespaces: Namespaces,
    webhooks: Vec<Process>,
    cluster: Cluster,
    host: IpAddr,
    ports: [u16; 2],
    settings: PathBuf,
    output: PathBuf,
    _files: TempDir,
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

impl Scene {
    /// Two webhooks that wait for their Secret, registered without a `caBundle`. Nothing where this
    /// machine has no address but loopback.
    async fn new(name: &str) -> Option<Self> {
        let Some(host) = address() else {
            say(&format!("NOT RUN: {name}: this machine has only loopback addresses"));
            return None;
        };
        let cluster = Cluster::connect().await;
        let output = output(name);
        let namespaces = Namespaces::create(&cluster, vec![unique(name)]).await;
        let namespace = &namespaces.names[0];
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
        let configuration = Configuration { cluster: cluster.clone(), name: namespace.clone() };

        let files = TempDir::new().unwrap();
        let settings = write_config(files.path(), &token_settings(""));
        let mut scene = Self {
            configuration,
            namespaces,
            webhooks: Vec::new(),
            cluster,
            host,
            ports,
            settings,
            output,
            _files: files,
        };
        for port in ports {
            scene.webhooks.push(scene.webhook(port).await);
        }
        Some(scene)
    }

    fn namespace(&self) -> &str {
        &self.namespaces.names[0]
    }

    async fn webhook(&self, port: u16) -> Process {
        let (listen, secret) = (format!("{}:{port}", self.host), format!("{}/hook-serving", self.namespace()));
        let config = self.settings.to_str().unwrap();
        let arguments =
            ["serve", "--config", config, "--tls-secret", &secret, "--listen", &listen, "--drain-delay", "0s"];
        Process::start(&self.cluster.kubeconfig(), &self.output, &arguments).await
    }

    async fn controller(&self) -> Process {
        let (port, config) = (self.ports[0].to_string(), self.settings.to_str().unwrap());
        let place = ["--namespace", self.namespace(), "--release", "hook", "--service-port", &port];
        let terms = ["--webhook-configuration", self.namespace(), "--propagation-time", "2s"];
        let arguments = [&["controller", "--config", config][..], &place, &terms].concat();
        Process::start(&self.cluster.kubeconfig(), &self.output, &arguments).await
    }

    fn secret(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace())
    }

    fn lease(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/argocd-auth-webhook", self.namespace())
    }

    /// Nobody has to wait for the Lease of a process that is known to be dead. It may have died before it
    /// had one.
    async fn free_lease(&self) {
        if let Err(error) = self.cluster.delete(&self.lease()).await {
            assert!(error.contains("not found"), "{error}");
        }
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

    /// Waits for it to be settled with another CA than this.
    async fn rotated(&self, before: &str) -> String {
        eventually("another CA", async || match self.settled().await {
            Ok(now) if now != before => Ok(now),
            Ok(_) => Err("the same CA".to_owned()),
            Err(error) => Err(error),
        })
        .await
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
    fn start(scene: &Scene) -> Self {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_rotates_while_the_controller_is_killed_again_and_again() {
    let Some(scene) = Scene::new("controller-killed").await else { return };
    assert!(
        scene.webhooks[0].readiness().contains("no serving certificate: Secret"),
        "{}",
        scene.webhooks[0].readiness()
    );
    let controller = scene.controller().await;
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
    for turn in 0..12_u64 {
        scene.free_lease().await;
        let controller = scene.controller().await;
        // Not long enough for a rotation, and another moment of it each time.
        tokio::time::sleep(std::time::Duration::from_millis(300 + 370 * (turn % 4))).await;
        controller.kill();
    }
    scene.free_lease().await;
    let controller = scene.controller().await;
    let second = scene.rotated(&first).await;
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
    let Some(scene) = Scene::new("controller-damage").await else { return };
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

    let events =
        scene.cluster.get(&format!("/apis/events.k8s.io/v1/namespaces/{}/events", scene.namespace())).await.unwrap();
    let warnings: Vec<&Value> =
        events["items"].as_array().unwrap().iter().filter(|event| event["type"] == "Warning").collect();
    assert!(warnings.iter().any(|event| event["regarding"]["name"] == "hook-ca"), "{warnings:?}");
    assert!(warnings.iter().any(|event| event["regarding"]["name"] == "hook-serving"), "{warnings:?}");
    assert!(!events.to_string().contains("PRIVATE KEY"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_one_writes_and_the_other_takes_over() {
    let Some(scene) = Scene::new("controller-twice").await else { return };
    let first = scene.controller().await;
    eventually("the first certificates", async || scene.settled().await).await;
    let second = scene.controller().await;
    assert_eq!((first.metric(HELD), second.metric(HELD)), (1, 0));
    assert!(second.readiness().contains("ready"), "ready without the Lease");
    first.terminate().await;
    let begun = std::time::Instant::now();
    eventually("the second takes over", async || match second.metric(HELD) {
        1 => Ok(()),
        _ => Err("not yet".to_owned()),
    })
    .await;
    assert!(begun.elapsed().as_secs() < 10, "a Lease that was given back needs no waiting for: {:?}", begun.elapsed());
    assert!(!second.printed().contains("made a"), "what stands is carried on from");
}
