//! Which probes succeed, for how long their results hold, and which fail, against a scripted API server.

use super::*;
use crate::cluster::scripted::{ApiServer, NAMESPACE};
use crate::controller::scripted::{Lease, bounded, context};
use crate::core::Engine;
use serde_json::json;
use tokio::time::advance;

const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rel-codefresh";

struct Scene {
    server: ApiServer,
    context: Context,
    _lease: Lease,
    injector: Injector,
    results: ProbeResults,
}

impl Scene {
    fn new() -> Self {
        let server = ApiServer::default();
        let (context, lease) = context(&server, "");
        let injector = context.settings.injector(Engine::Webhook);
        Self { server, context, _lease: lease, injector, results: ProbeResults::default() }
    }

    /// A registration for the app-proxy, written at this time by the API server's clock.
    fn register(&self, written: Option<&str>) {
        let service = self.injector.services().find(|service| service.name == "app-proxy").unwrap();
        let fields = written.map(|time| json!([{ "manager": "helm", "operation": "Apply", "time": time }]));
        let entry = json!({
            "name": "a.example.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {},
            "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }],
            "objectSelector": { "matchLabels": sample::labels_of(service) },
        });
        self.server.put(REGISTRATION, json!({ "metadata": { "managedFields": fields }, "webhooks": [entry] }));
    }

    /// A Service with one pod behind it that doesn't listen.
    fn serve(&self, ready: bool) {
        let port = json!({ "name": "https", "port": 443 });
        let path = |kind: &str, name: &str| format!("{kind}/namespaces/{NAMESPACE}/{name}");
        self.server.put(&path("/api/v1", "services/hook"), json!({ "spec": { "ports": [port] } }));
        let slice = json!({
            "metadata": { "labels": { "kubernetes.io/service-name": "hook" } }, "addressType": "IPv4",
            "ports": [{ "name": "https", "port": 1 }],
            "endpoints": [{ "addresses": ["127.0.0.1"], "conditions": { "ready": ready } }],
        });
        self.server.put(&path("/apis/discovery.k8s.io/v1", "endpointslices/hook-1"), slice);
    }

    /// Probes, and returns why it failed; `None` if it succeeded.
    async fn why(&mut self) -> Option<String> {
        let services = BTreeSet::from(["app-proxy".to_owned()]);
        bounded(Box::pin(self.results.show(&self.context, &self.injector, &services))).await.unwrap();
        let (_, result) = &self.results.shown["app-proxy"];
        result.clone().err()
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_registration_nothing_is_shown_and_it_is_tried_less_and_less_often() {
    let mut scene = Scene::new();
    for wait in [2, 4, 6, 8, 10, 12, 14, 16, 16] {
        let why = scene.why().await.unwrap();
        assert_eq!(why, "there is no MutatingWebhookConfiguration rel-codefresh");
        advance(Duration::from_secs(wait).saturating_sub(Duration::from_millis(1))).await;
        assert_eq!(scene.results.now()["app-proxy"], Err(why), "{wait} s");
        advance(Duration::from_millis(1)).await;
        assert!(scene.results.now().is_empty(), "{wait} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_shown_holds_for_ten_seconds() {
    let results = ProbeResults::shown(["app-proxy".to_owned()].into_iter());
    advance(MAX_PROOF_AGE.saturating_sub(Duration::from_millis(1))).await;
    assert_eq!(results.now()["app-proxy"], Ok(()));
    advance(Duration::from_millis(1)).await;
    assert!(results.now().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_changed_just_now_is_given_time_and_one_of_long_ago_is_not() {
    let mut scene = Scene::new();
    let just_now = "it was registered just now; every API server has to learn of it";
    let nobody = "no ready pod is behind Service hook";
    for written in [None, Some("2999-01-01T00:00:00Z")] {
        scene.register(written);
        assert_eq!(scene.why().await.as_deref(), Some(just_now));
        advance(REGISTRATION_PROPAGATION).await;
        assert_eq!(scene.why().await.as_deref(), Some(nobody));
    }
    scene.register(Some("2020-01-01T00:00:00Z"));
    assert_eq!(scene.why().await.as_deref(), Some(nobody), "every API server knows that one");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_no_entry_selects_or_behind_which_nobody_answers_is_not_shown() {
    let mut scene = Scene::new();
    scene.register(Some("2020-01-01T00:00:00Z"));
    scene.serve(false);
    assert_eq!(scene.why().await.as_deref(), Some("no ready pod is behind Service hook"));
    scene.serve(true);
    let why = scene.why().await.unwrap();
    assert!(why.starts_with("127.0.0.1:1: "), "a ready one that is away counts: {why}");
    let services = BTreeSet::from(["gitops-operator".to_owned()]);
    bounded(Box::pin(scene.results.show(&scene.context, &scene.injector, &services))).await.unwrap();
    let (_, left_out) = &scene.results.shown["gitops-operator"];
    assert!(left_out.as_ref().unwrap_err().contains("no entry of"), "{left_out:?}");
}
