//! How each kind of workload is read.

use super::*;
use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE};
use serde_json::json;

/// A workload's spec or status with these changes; null removes a field.
fn merged(base: Value, patch: &Value) -> Value {
    let mut base = base;
    json_patch::merge(&mut base, patch);
    base
}

fn a_deployment(patch: &Value) -> Workload {
    let base = json!({
        "metadata": { "generation": 3 },
        "spec": { "replicas": 2, "selector": {}, "template": {} },
        "status": { "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2 },
    });
    deployment(&serde_json::from_value(merged(base, patch)).unwrap()).0
}

fn a_stateful_set(patch: &Value) -> Workload {
    let base = json!({
        "metadata": { "generation": 3 },
        "spec": { "replicas": 2, "selector": {}, "serviceName": "s", "template": {} },
        "status": {
            "observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            "currentRevision": "r1", "updateRevision": "r1",
        },
    });
    stateful(&serde_json::from_value(merged(base, patch)).unwrap()).0
}

fn a_rollout(patch: &Value) -> Workload {
    let base = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": "r" },
        "spec": { "replicas": 2 },
        "status": { "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "phase": "Healthy" },
    });
    rollout(&serde_json::from_value(merged(base, patch)).unwrap()).0
}

fn condition(kind: &str, status: &str) -> Value {
    json!({ "status": { "conditions": [{ "type": kind, "status": status, "message": "because" }] } })
}

#[test]
fn a_paused_workload_is_known_as_one() {
    let paused = json!({ "spec": { "paused": true } });
    assert!(a_deployment(&paused).paused && a_rollout(&paused).paused);
    for not in [json!({}), json!({ "spec": { "paused": false } })] {
        assert!(!a_deployment(&not).paused && !a_rollout(&not).paused);
    }
}

#[test]
fn only_the_word_false_on_the_workload_keeps_its_pods() {
    for (value, opted_out) in [("false", true), ("true", false), ("False", false), ("", false)] {
        let annotated = json!({ "metadata": { "annotations": { ROLLOUT: value } } });
        assert_eq!(a_deployment(&annotated).opted_out, opted_out, "{value}");
        assert_eq!(a_stateful_set(&annotated).opted_out, opted_out, "{value}");
        assert_eq!(a_rollout(&annotated).opted_out, opted_out, "{value}");
        let set: ReplicaSet = serde_json::from_value(annotated).unwrap();
        assert_eq!(replicas(&set).0.opted_out, opted_out, "{value}");
    }
}

#[test]
fn what_a_deployment_says_of_an_earlier_generation_says_nothing() {
    let steady = a_deployment(&json!({}));
    assert!(steady.progress == RolloutProgress::Done && steady.whole && steady.rolls && steady.desired == 2);
    let behind = a_deployment(&json!({ "metadata": { "generation": 4 } }));
    assert!(behind.progress == RolloutProgress::Going && !behind.whole);
    for (counts, whole) in [
        (json!({ "replicas": 3 }), false),
        (json!({ "updatedReplicas": 1 }), false),
        (json!({ "availableReplicas": 1 }), true),
    ] {
        let going = a_deployment(&json!({ "status": counts }));
        assert!(going.progress == RolloutProgress::Going && going.whole == whole, "{counts}");
    }
    assert_eq!(
        a_deployment(&condition("Progressing", "False")).progress,
        RolloutProgress::Failed("because".to_owned())
    );
    assert_eq!(a_deployment(&condition("Progressing", "True")).progress, RolloutProgress::Done);
    assert_eq!(a_deployment(&condition("ReplicaFailure", "True")).refused.as_deref(), Some("because"));
    assert_eq!(a_deployment(&condition("ReplicaFailure", "False")).refused, None);
    assert_eq!(a_deployment(&json!({ "spec": { "replicas": null } })).desired, 1, "the API's default");
}

#[test]
fn a_stateful_set_says_its_revision_and_whether_it_rolls_by_itself() {
    let steady = a_stateful_set(&json!({}));
    assert!(steady.progress == RolloutProgress::Done && steady.whole && steady.rolls);
    assert_eq!(steady.revision.as_deref(), Some("r1"));
    let behind = a_stateful_set(&json!({ "metadata": { "generation": 4 } }));
    assert!(behind.progress == RolloutProgress::Going && !behind.whole && behind.revision.is_none());
    let rolling = a_stateful_set(&json!({ "status": { "updateRevision": "r2", "updatedReplicas": 1 } }));
    assert!(rolling.progress == RolloutProgress::Going && !rolling.whole);
    let unavailable = a_stateful_set(&json!({ "status": { "availableReplicas": 1 } }));
    assert!(unavailable.progress == RolloutProgress::Going && unavailable.whole);
    let fewer = a_stateful_set(&json!({ "status": { "replicas": 1 } }));
    assert!(fewer.progress == RolloutProgress::Going && !fewer.whole);
    let strategy = |strategy: Value| a_stateful_set(&json!({ "spec": { "updateStrategy": strategy } })).rolls;
    assert!(!strategy(json!({ "type": "OnDelete" })));
    assert!(!strategy(json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 1 } })));
    assert!(strategy(json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } })));
}

#[test]
fn a_rollouts_restart_is_over_when_its_status_says_so() {
    let at = "2026-03-21T08:05:00Z";
    assert!(a_rollout(&json!({})).progress == RolloutProgress::Done);
    let begun = a_rollout(&json!({ "spec": { "restartAt": at } }));
    assert!(begun.progress == RolloutProgress::Going && !begun.whole && begun.restarted.as_deref() == Some(at));
    let over = a_rollout(&json!({ "spec": { "restartAt": at }, "status": { "restartedAt": at } }));
    assert!(over.progress == RolloutProgress::Done && over.whole);
    let degraded = a_rollout(&json!({ "status": { "phase": "Degraded", "message": "because" } }));
    assert_eq!(degraded.progress, RolloutProgress::Failed("because".to_owned()));
    for count in ["replicas", "updatedReplicas"] {
        assert!(!a_rollout(&json!({ "status": { count: 1 } })).whole, "{count}");
    }
    assert_eq!(a_rollout(&json!({ "status": { "availableReplicas": 1 } })).progress, RolloutProgress::Going);
}

#[test]
fn what_a_restart_of_ours_left_is_found_again() {
    let template = json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: "then" } } } } });
    assert_eq!(a_deployment(&template).restarted.as_deref(), Some("then"));
    assert_eq!(a_stateful_set(&template).restarted.as_deref(), Some("then"));
    assert_eq!(a_deployment(&json!({})).restarted, None);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_seen_is_unknown_and_what_does_not_answer_is_an_error() {
    let server = ApiServer::default();
    let client = server.client();
    let workloads = Workloads { client: &client, namespace: NAMESPACE };
    let id = WorkloadId { kind: Kind::Deployment, name: "proxy".to_owned() };
    let Ok((Found::Unknown(gone), None)) = workloads.workload(&id).await else { panic!("it is not there") };
    assert!(gone.contains("reading Deployment codefresh/proxy"));
    server.script(|_, _| Some(Answer::Status(403, "no")));
    let Ok((Found::Unknown(text), None)) = workloads.workload(&id).await else { panic!("it may not be seen") };
    assert!(text.contains("controller.workloads"), "{text}");
    assert_eq!(workloads.stateful_template("proxy").await, Ok(None));
    server.script(|_, _| Some(Answer::Status(503, "away")));
    assert!(matches!(workloads.workload(&id).await.unwrap_err().cause, Cause::Unavailable(_)));
    assert!(workloads.stateful_template("proxy").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_workload_behind_a_replica_set_is_the_one_that_controls_it() {
    let server = ApiServer::default();
    let client = server.client();
    let workloads = Workloads { client: &client, namespace: NAMESPACE };
    let owner = |kind: &str| Owner { kind: kind.to_owned(), name: "proxy-1".to_owned() };
    let put = |owner: Value| {
        let object = json!({ "metadata": { "ownerReferences": owner }, "spec": { "selector": {} } });
        server.put(&format!("/apis/apps/v1/namespaces/{NAMESPACE}/replicasets/proxy-1"), object);
    };
    assert_eq!(workloads.workload_of(&owner("ReplicaSet")).await, Ok((None, None)), "it is gone");
    for (api, kind, known) in [
        ("apps/v1", "Deployment", Some(Kind::Deployment)),
        ("argoproj.io/v1alpha1", "Rollout", Some(Kind::Rollout)),
        ("apps/v1", "Strange", None),
        ("other.io/v1", "Deployment", None),
    ] {
        put(json!([{ "apiVersion": api, "kind": kind, "name": "proxy", "uid": "u", "controller": true }]));
        let (found, _) = workloads.workload_of(&owner("ReplicaSet")).await.unwrap();
        assert_eq!(found.map(|id| (id.kind, id.name)), known.map(|kind| (kind, "proxy".to_owned())), "{api} {kind}");
    }
    put(json!([]));
    let (found, _) = workloads.workload_of(&owner("ReplicaSet")).await.unwrap();
    assert_eq!(found.map(|id| (id.kind, id.name)), Some((Kind::ReplicaSet, "proxy-1".to_owned())));
    let (found, _) = workloads.workload_of(&owner("StatefulSet")).await.unwrap();
    assert_eq!(found.map(|id| id.kind), Some(Kind::StatefulSet));
    assert_eq!(workloads.workload_of(&owner("DaemonSet")).await, Ok((None, None)));
}
