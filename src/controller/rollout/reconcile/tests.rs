//! Whole passes at a scripted API server: what is written down before what is done.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

use super::*;
use crate::cluster::Cause;
use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE, secret};
use crate::controller::scripted::{Lease, bounded, context};
use crate::webhook_probe::sample;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const POD: &str = "/api/v1/namespaces/codefresh/pods/proxy-1-a";
const UID: &str = "0123456789ab";

fn apps(kind: &str, name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{NAMESPACE}/{kind}/{name}")
}

/// A Deployment of one pod that was never injected.
fn cluster(settings: &str) -> (ApiServer, Context, Lease) {
    let server = ApiServer::default();
    let (context, lease) = context(&server, settings);
    let service = context.settings.services[0].clone();
    let mut pod = sample::of(&service);
    let owner = |kind: &str, name: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "u", "controller": true }]);
    pod["metadata"]["uid"] = UID.into();
    pod["metadata"]["ownerReferences"] = owner("ReplicaSet", "proxy-1");
    pod["status"] = json!({ "conditions": [{ "type": "Ready", "status": "True" }] });
    server.put(POD, pod);
    for (name, key) in [("argocd-initial-admin-secret", "password"), ("argocd-token", "token")] {
        server.put(&secret(name), json!({ "data": { key: STANDARD.encode("value") } }));
    }
    let replica_set = json!({ "metadata": { "ownerReferences": owner("Deployment", "proxy") } });
    server.put(&apps("replicasets", "proxy-1"), replica_set);
    let status = json!({ "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1 });
    let spec = json!({ "replicas": 1, "selector": {}, "template": {} });
    server.put(&apps("deployments", "proxy"), json!({ "spec": spec, "status": status }));
    (server, context, lease)
}

/// Lists everything and reconciles until something is done or refused, at most so many times.
async fn passes(context: &Context, times: usize) -> Result<(), ClusterError> {
    let (store, subjects) = (Store::default(), TrackedKeys::new(&context.settings));
    let services = subjects.injector.services().map(|service| service.name.clone());
    let mut reconciler = RolloutReconciler {
        context,
        subjects: &subjects,
        store: &store,
        memory: None,
        known: Known::default(),
        proofs: ProbeResults::shown(services),
        reporter: StatusPublisher::default(),
        held_back: BTreeMap::new(),
        required: Required::default(),
    };
    let passes = async {
        while store.pods(subjects.injector.services().len()).is_none() {
            store.bell.notified().await;
        }
        for _ in 0..times {
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

/// The record as it stands in the cluster.
fn record(state: Option<&Value>) -> Value {
    let entry = state.and_then(|state| state["data"][LEDGER].as_str());
    entry.map(|text| serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn an_act_is_written_down_before_it_is_done() {
    let (server, context, _lease) = cluster("rollout: {requireVerified: false}");
    server.script(|call, objects| {
        if call.path.ends_with("/eviction") {
            let written = record(objects.get(&secret("rel-state")));
            assert_eq!(written["waves"]["Deployment/proxy"]["acts"][0][0], UID, "{written}");
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
        let (server, context, _lease) = cluster("rollout: {requireVerified: false}");
        server.script(move |call, _| {
            let is_record = call.is("PATCH", "/rel-state") && call.body["data"].get(LEDGER).is_some();
            is_record.then_some(Answer::Status(status, "no"))
        });
        passes(&context, 1).await.unwrap_err();
        assert!(!server.get(POD).is_null(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_after_the_record_was_written_stops_the_act() {
    let (server, context, lease) = cluster("rollout: {requireVerified: false}");
    server.script(move |call, _| {
        if call.is("PATCH", "/rel-state") && call.body["data"].get(LEDGER).is_some() {
            lease.lose();
        }
        None
    });
    assert_eq!(passes(&context, 1).await.unwrap_err().cause, Cause::NotLeading);
    assert!(!server.get(POD).is_null());
    assert!(record(Some(&server.get(&secret("rel-state"))))["waves"].is_object(), "counted all the same");
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_taken_away_is_not_taken_away_again_before_the_watch_says_so() {
    let (server, context, _lease) = cluster("rollout: {requireVerified: false}");
    let refused = |call: &crate::cluster::scripted::Call| call.path.ends_with("/eviction");
    passes(&context, 3).await.unwrap();
    assert_eq!(server.calls().iter().filter(|call| refused(call)).count(), 1);
    // One that a budget keeps is left alone for a while.
    let (server, context, _lease) = cluster("rollout: {requireVerified: false}");
    server.script(move |call, _| refused(call).then_some(Answer::Status(429, "the budget")));
    passes(&context, 3).await.unwrap();
    assert_eq!(server.calls().iter().filter(|call| refused(call)).count(), 1);
    assert!(!server.get(POD).is_null());
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
