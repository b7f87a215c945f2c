//! Each action against a scripted API server.

use super::super::scripted::{self, workload};
use super::*;
use crate::cluster::FIELD_MANAGER;
use crate::cluster::scripted::{Answer, ApiServer};
use crate::controller::scripted::context;

const POD: &str = "/api/v1/namespaces/codefresh/pods/proxy-1-a";

fn id(kind: Kind) -> WorkloadId {
    WorkloadId { kind, name: "proxy".to_owned() }
}

fn path(kind: Kind) -> String {
    scripted::path(&id(kind))
}

fn replace(uid: &str, how: RemovalMethod) -> Action {
    let (workload, pod) = (id(Kind::Deployment), "proxy-1-a".to_owned());
    Action::Replace { workload, pod, uid: uid.to_owned(), how, drift: None }
}

fn restart(kind: Kind) -> Action {
    Action::Restart { workload: id(kind), value: "2026-03-21T08:05:00Z".to_owned() }
}

/// A workload of each kind, whose template has other content as well.
fn cluster() -> ApiServer {
    let server = ApiServer::default();
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::Rollout, Kind::ReplicaSet] {
        server.put(&path(kind), workload(kind));
    }
    server.put(POD, json!({ "metadata": { "uid": "one" } }));
    server
}

#[tokio::test(start_paused = true)]
async fn a_pod_is_evicted_or_deleted_as_the_plan_says() {
    for (how, call) in [(RemovalMethod::Evict, "POST eviction"), (RemovalMethod::Delete, "DELETE proxy-1-a")] {
        let server = cluster();
        let (context, _lease) = context(&server, "");
        assert_eq!(execute(&context, &replace("another", how)).await, Ok(Executed::Gone));
        assert!(!server.get(POD).is_null(), "one that came after it");
        assert_eq!(execute(&context, &replace("one", how)).await, Ok(Executed::Done));
        assert!(server.get(POD).is_null());
        assert_eq!(server.writes(), [call, call]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_says_why_and_stops_nothing_else() {
    let server = cluster();
    let (context, _lease) = context(&server, "");
    for (status, words) in
        [(429, "a disruption budget allows no eviction"), (500, "can't do it now"), (403, "not allowed")]
    {
        server.script(move |_, _| Some(Answer::Status(status, "because")));
        let executed = execute(&context, &replace("one", RemovalMethod::Evict)).await;
        assert!(matches!(&executed, Ok(Executed::Refused(why)) if why.contains(words) && why.contains("because")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_changes_one_field_and_leaves_the_rest() {
    let value = "2026-03-21T08:05:00Z";
    for kind in [Kind::Deployment, Kind::StatefulSet] {
        let server = cluster();
        let (context, _lease) = context(&server, "");
        let mut expected = server.get(&path(kind));
        assert_eq!(execute(&context, &restart(kind)).await, Ok(Executed::Done));
        let mut found = server.get(&path(kind));
        expected["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT] = value.into();
        expected["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].take();
        found["metadata"]["resourceVersion"] = expected["metadata"]["resourceVersion"].clone();
        assert_eq!(found, expected);
        let call = server.calls().pop().unwrap();
        assert_eq!(call.content_type, "application/merge-patch+json");
        assert!(call.query.contains(&format!("fieldManager={FIELD_MANAGER}")));
    }
    let server = cluster();
    let (context, _lease) = context(&server, "");
    assert_eq!(execute(&context, &restart(Kind::Rollout)).await, Ok(Executed::Done));
    assert_eq!(server.get(&path(Kind::Rollout))["spec"]["restartAt"], value);
    server.calls();
    assert_eq!(execute(&context, &restart(Kind::ReplicaSet)).await, Ok(Executed::Done));
    assert_eq!(execute(&context, &Action::Remember).await, Ok(Executed::Done));
    assert!(server.calls().is_empty(), "a ReplicaSet has no rollout of its own");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_without_the_lease() {
    let server = cluster();
    let (context, lease) = context(&server, "");
    lease.lose();
    let restarts = [Kind::Deployment, Kind::StatefulSet, Kind::Rollout, Kind::ReplicaSet].map(restart);
    let replacements = [RemovalMethod::Evict, RemovalMethod::Delete].map(|how| replace("one", how));
    for action in restarts.into_iter().chain(replacements) {
        let error = execute(&context, &action).await.unwrap_err();
        assert_eq!(error.cause, Cause::NotLeading, "{action:?}");
    }
    assert!(server.calls().is_empty());
}
