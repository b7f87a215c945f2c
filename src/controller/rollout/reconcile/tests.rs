//! Whole passes against a scripted API server: what is recorded before what is done.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

use super::super::persisted::ROLLOUT_ENTRY;
use super::*;
use crate::cluster::Cause;
use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE, secret};
use crate::controller::scripted::{Lease, bounded, context};
use crate::core::{Engine, Pod};
use crate::webhook_probe::sample;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const POD: &str = "/api/v1/namespaces/codefresh/pods/proxy-1-a";
const UID: &str = "0123456789ab";

fn apps(kind: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}/{name}")
}

/// Pods may be replaced for a credential that exists, whether or not it was seen to work.
const UNVERIFIED: &str = "rollout: { requireVerified: false }";

/// A Deployment with one pod that was never injected, and the Secrets that its successor would use.
fn cluster(settings: &str) -> (ApiServer, Context, Lease) {
    let server = ApiServer::default();
    let (context, lease) = context(&server, settings);
    for (name, key) in [("argocd-initial-admin-secret", "password"), ("argocd-token", "token")] {
        server.put(&secret(name), json!({ "data": { key: "c29tZXRoaW5n" } }));
    }
    let service = context.settings.services[0].clone();
    let mut pod = sample::of(&service);
    let owner = |kind: &str, name: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true }]);
    pod["metadata"]["uid"] = UID.into();
    pod["metadata"]["ownerReferences"] = owner("ReplicaSet", "proxy-1");
    pod["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    server.put(POD, pod);
    let replica_set = json!({ "metadata": { "ownerReferences": owner("Deployment", "proxy") } });
    server.put(&apps("replicasets", "proxy-1"), replica_set);
    let status = json!({ "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
    let spec = json!({ "replicas": 1, "selector": {}, "template": {} });
    server.put(&apps("deployments", "proxy"), json!({ "spec": spec, "status": status }));
    (server, context, lease)
}

/// Lists everything, and reconciles until something is done or refused, at most this many times.
async fn passes(context: &Context, times: usize) -> Result<(), ClusterError> {
    passes_between(context, times, |_| {}).await
}

/// Like [`passes`], calling `before` ahead of each pass.
async fn passes_between(context: &Context, times: usize, mut before: impl FnMut(usize)) -> Result<(), ClusterError> {
    let (store, subjects) = (Store::default(), TrackedKeys::new(&context.settings));
    let services = subjects.injector.services().map(|service| service.name.clone());
    let mut reconciler = RolloutReconciler::new(context, &subjects, &store);
    reconciler.proofs = ProbeResults::shown(services);
    let passes = async {
        while store.pods(subjects.injector.services().len()).is_none() {
            store.wake.notified().await;
        }
        for place in 0..times {
            before(place);
            store.mark_secrets_changed();
            reconciler.pass().await?;
        }
        Ok(())
    };
    bounded(async {
        tokio::select! {
            () = store.follow(context, &subjects) => unreachable!("it never ends"),
            result = passes => result,
        }
    })
    .await
}

/// The record in the cluster.
fn record(state: Option<&Value>) -> Value {
    let entry = state.and_then(|state| state["data"][ROLLOUT_ENTRY].as_str());
    entry.map(|text| serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_act_is_written_down_before_it_is_done() {
    let (server, context, _lease) = cluster(UNVERIFIED);
    server.script(|call, objects| {
        if call.path.ends_with("/eviction") {
            let written = record(objects.get(&secret("rel-state")));
            assert_eq!(written["rounds"]["Deployment/proxy"]["acts"][0][0], UID, "{written}");
        }
        None
    });
    passes(&context, 1).await.unwrap();
    assert!(server.get(POD).is_null(), "evicted");
    assert!(server.events().iter().any(|event| event.starts_with("PodReplaced: evicted pod")));
}

#[tokio::test(start_paused = true)]
async fn an_act_that_can_not_be_written_down_is_not_done() {
    for status in [409, 500] {
        let (server, context, _lease) = cluster(UNVERIFIED);
        server.script(move |call, _| {
            let is_record = call.is("PATCH", "/rel-state") && call.body["data"].get(ROLLOUT_ENTRY).is_some();
            is_record.then_some(Answer::Status(status, "no"))
        });
        passes(&context, 1).await.unwrap_err();
        assert!(!server.get(POD).is_null(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_after_the_record_was_written_stops_the_act() {
    let (server, context, lease) = cluster(UNVERIFIED);
    server.script(move |call, _| {
        if call.is("PATCH", "/rel-state") && call.body["data"].get(ROLLOUT_ENTRY).is_some() {
            lease.lose();
        }
        None
    });
    assert_eq!(passes(&context, 1).await.unwrap_err().cause, Cause::NotLeading);
    assert!(!server.get(POD).is_null());
    assert!(record(Some(&server.get(&secret("rel-state"))))["rounds"].is_object(), "counted all the same");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_taken_away_is_not_taken_away_again_before_the_watch_says_so() {
    let (server, context, _lease) = cluster(UNVERIFIED);
    let refused = |call: &crate::cluster::scripted::Call| call.path.ends_with("/eviction");
    passes(&context, 3).await.unwrap();
    assert_eq!(server.calls().iter().filter(|call| refused(call)).count(), 1);
    // If a budget keeps the pod, it is left alone for a while.
    let (server, context, _lease) = cluster(UNVERIFIED);
    server.script(move |call, _| refused(call).then_some(Answer::Status(429, "the budget")));
    passes(&context, 3).await.unwrap();
    assert_eq!(server.calls().iter().filter(|call| refused(call)).count(), 1);
    assert!(!server.get(POD).is_null());
}

#[tokio::test(start_paused = true)]
async fn no_pod_goes_for_a_credential_that_nobody_has_seen_to_work() {
    let (server, context, _lease) = cluster("");
    passes(&context, 2).await.unwrap();
    assert!(!server.get(POD).is_null());
    assert!(*context.login_wanted.borrow());
    let (server, context, _lease) = cluster(UNVERIFIED);
    server.remove(&secret("argocd-token"));
    passes(&context, 2).await.unwrap();
    assert!(!server.get(POD).is_null(), "there is none");
}

#[tokio::test(start_paused = true)]
async fn who_only_reports_changes_no_workload_and_no_pod() {
    let (server, context, _lease) = cluster("rollout: report");
    passes(&context, 2).await.unwrap();
    assert!(!server.get(POD).is_null());
    let theirs = |call: &&crate::cluster::scripted::Call| {
        call.method != "GET" && !call.path.ends_with("/rel-state") && !call.path.ends_with("/rel-status")
    };
    assert_eq!(server.calls().iter().find(theirs).map(|call| call.path.clone()), None);
}

/// The pod after an injection, with a container running since `started`.
fn injected(context: &Context, pod: &Value, started: &str) -> Value {
    let injector = context.settings.injector(Engine::Webhook);
    let patch = injector.decide(&Pod::from_json(&pod.to_string()).unwrap()).patch.unwrap();
    let mut pod = pod.clone();
    let patch: json_patch::Patch = serde_json::from_str(&patch).unwrap();
    json_patch::patch(&mut pod, &patch).unwrap();
    let name = pod["spec"]["containers"][0]["name"].clone();
    pod["status"]["containerStatuses"] = json!([{
        "name": name, "ready": true, "restartCount": 0, "image": "a", "imageID": "a",
        "state": { "running": { "startedAt": started } },
    }]);
    pod
}

#[tokio::test(start_paused = true)]
async fn who_holds_an_earlier_value_is_told_of_before_its_key_may_go() {
    let (server, context, _lease) = cluster("rollout: report");
    let pod = injected(&context, &server.get(POD), "2026-01-01T00:00:00Z");
    server.put(POD, pod);
    let consumers = || *context.consumers.borrow();
    assert_eq!(consumers(), Consumers::Unknown);
    passes(&context, 1).await.unwrap();
    assert_eq!(consumers(), Consumers::InStep);
    // Another password: the container has taken the former one.
    let another = json!({ "data": { "password": STANDARD.encode("another") } });
    passes_between(&context, 2, |place| {
        if place == 1 {
            server.put(&secret("argocd-initial-admin-secret"), another.clone());
        }
    })
    .await
    .unwrap();
    assert_eq!(consumers(), Consumers::Stale(1));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stands_by_knows_nothing_of_who_holds_what() {
    let (_server, context, _lease) = cluster("rollout: report");
    passes(&context, 1).await.unwrap();
    assert_ne!(*context.consumers.borrow(), Consumers::Unknown);
    assert!(state::is_remembered(&context));
    let (store, subjects) = (Store::default(), TrackedKeys::new(&context.settings));
    RolloutReconciler::new(&context, &subjects, &store).stand_by();
    assert_eq!(*context.consumers.borrow(), Consumers::Unknown, "nobody retires a key on its word");
    assert!(!state::is_remembered(&context));
}

#[tokio::test(start_paused = true)]
async fn an_event_names_the_workload_by_the_uid_that_it_has() {
    let (server, context, _lease) = cluster(UNVERIFIED);
    passes(&context, 1).await.unwrap();
    let calls = server.calls();
    let event = calls.iter().find(|call| call.is("POST", "/events")).map(|call| &call.body).unwrap();
    let uid = &server.get(&apps("deployments", "proxy"))["metadata"]["uid"];
    assert!(uid.is_string());
    let about =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "proxy", "namespace": NAMESPACE, "uid": uid });
    assert_eq!(event["regarding"], about);
}
