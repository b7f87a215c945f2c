//! What the calls to the cluster guarantee, against a scripted API server.

use super::error::CALL_TIMEOUT;
use super::scripted::{Answer, ApiServer, NAMESPACE, secret};
use super::*;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::Api;
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const POD: &str = "/api/v1/namespaces/codefresh/pods/app-0";

fn with_pod(uid: &str) -> ApiServer {
    let server = ApiServer::default();
    server.put(POD, json!({ "metadata": { "uid": uid } }));
    server
}

fn secrets(server: &ApiServer) -> Api<Secret> {
    Api::namespaced(server.client(), NAMESPACE)
}

#[tokio::test(start_paused = true)]
async fn only_the_pod_that_was_meant_is_evicted() {
    let server = with_pod("old");
    assert_eq!(evict(&server.client(), NAMESPACE, "app-0", "old").await, Ok(Removal::Yes));
    assert!(server.get(POD).is_null());
    // By now another pod has the name.
    let server = with_pod("new");
    assert_eq!(evict(&server.client(), NAMESPACE, "app-0", "old").await, Ok(Removal::Gone));
    assert_eq!(server.get(POD)["metadata"]["uid"], "new");
}

#[tokio::test(start_paused = true)]
async fn only_the_pod_that_was_meant_is_deleted() {
    let server = with_pod("old");
    assert_eq!(delete(&server.client(), NAMESPACE, "app-0", "old").await, Ok(Removal::Yes));
    assert!(server.get(POD).is_null());
    assert_eq!(delete(&server.client(), NAMESPACE, "app-0", "old").await, Ok(Removal::Gone), "it is gone");
    let server = with_pod("new");
    assert_eq!(delete(&server.client(), NAMESPACE, "app-0", "old").await, Ok(Removal::Gone));
    assert_eq!(server.get(POD)["metadata"]["uid"], "new");
}

#[tokio::test(start_paused = true)]
async fn a_person_waits_for_an_api_server_that_has_just_started_and_for_no_other() {
    const BEGINNER: &str = "no: RBAC: clusterrole.rbac.authorization.k8s.io \"system:basic-user\" not found";
    // How often the call is refused, with what, its final error (`None`: it succeeds), and the number of calls.
    for (refusals, with, wanted, calls) in [
        (3, (403, BEGINNER), None, 4),
        (usize::MAX, (403, BEGINNER), Some("unavailable"), 21),
        (usize::MAX, (403, "no"), Some("forbidden"), 1),
        (usize::MAX, (503, "starting"), Some("unavailable"), 1),
        (usize::MAX, (401, BEGINNER), Some("unauthorized"), 1),
    ] {
        let server = ApiServer::default();
        server.put(&secret("there"), json!({}));
        let mut left = refusals;
        server.script(move |_, _| {
            let refused = left > 0;
            left = left.saturating_sub(1);
            refused.then_some(Answer::Status(with.0, with.1))
        });
        let api = secrets(&server);
        let begun = Instant::now();
        let result = call_patiently("reading it", || api.get("there")).await;
        assert_eq!(result.err().map(|error| error.cause.kind()), wanted, "{with:?}");
        assert_eq!(server.calls().len(), calls, "{with:?}");
        assert!(begun.elapsed() <= Duration::from_secs(11), "{with:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_disruption_budget_is_an_answer_and_other_refusals_are_errors() {
    let server = with_pod("old");
    server.script(|_, _| Some(Answer::Status(429, "the budget needs 2")));
    assert_eq!(
        evict(&server.client(), NAMESPACE, "app-0", "old").await,
        Ok(Removal::Budget("the budget needs 2".to_owned()))
    );
    server.script(|_, _| Some(Answer::Status(403, "not you")));
    let error = evict(&server.client(), NAMESPACE, "app-0", "old").await.unwrap_err();
    assert_eq!(error.cause, Cause::Forbidden("not you".to_owned()));
    assert!(error.to_string().contains("evicting pod codefresh/app-0"), "{error}");
    let error = delete(&server.client(), NAMESPACE, "app-0", "old").await.unwrap_err();
    assert_eq!(error.cause, Cause::Forbidden("not you".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn every_call_ends_in_time() {
    let server = with_pod("old");
    server.script(|_, _| Some(Answer::Never));
    let begun = Instant::now();
    let error = evict(&server.client(), NAMESPACE, "app-0", "old").await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unavailable(_)));
    assert_eq!(begun.elapsed(), CALL_TIMEOUT);
    let error = merge_if::<Secret>(&secrets(&server), "writing", "a", Some("1"), json!({})).await.unwrap_err();
    assert!(matches!(error.cause, Cause::Unavailable(_)));
    let limit = Duration::from_secs(30);
    let begun = Instant::now();
    let secrets = secrets(&server);
    call_within(limit, "reading", secrets.get("a")).await.unwrap_err();
    assert_eq!(begun.elapsed(), limit);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_has_changed_is_not_written_over() {
    let server = ApiServer::default();
    server.put(&secret("a"), json!({ "data": { "k": "b2xk" } }));
    let version = server.get(&secret("a"))["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    let patch = json!({ "data": { "k": "bmV3" } });
    server.merge(&secret("a"), &json!({ "data": { "k": "dGhlaXJz" } }));
    let api = secrets(&server);
    let error = merge_if::<Secret>(&api, "writing", "a", Some(&version), patch.clone()).await.unwrap_err();
    assert_eq!(error.cause, Cause::Conflict);
    assert_eq!(server.get(&secret("a"))["data"]["k"], "dGhlaXJz");
    // A deleted object isn't created again.
    server.remove(&secret("a"));
    let error = merge_if::<Secret>(&api, "writing", "a", Some(&version), patch.clone()).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotFound);
    // Without a version, the patch applies to whatever is there.
    server.put(&secret("a"), json!({ "data": { "other": "eA==" } }));
    merge_if::<Secret>(&api, "writing", "a", None, patch).await.unwrap();
    assert_eq!(server.get(&secret("a"))["data"], json!({ "other": "eA==", "k": "bmV3" }));
}

#[tokio::test(start_paused = true)]
async fn writes_are_made_under_our_name() {
    let server = ApiServer::default();
    let api = secrets(&server);
    let body = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" } });
    ensure::<Secret>(&api, "making", "a", &body).await.unwrap();
    merge_if::<Secret>(&api, "writing", "a", None, json!({})).await.unwrap();
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    for call in &calls {
        assert!(call.query.contains(&format!("fieldManager={FIELD_MANAGER}")), "{}", call.query);
    }
    assert!(calls[0].query.contains("force=true"), "what somebody else took of ours is taken back");
    assert_eq!(calls[0].content_type, "application/apply-patch+yaml", "a Role can allow it for one name");
}

#[tokio::test(start_paused = true)]
async fn making_sure_of_an_object_leaves_what_it_holds() {
    let server = ApiServer::default();
    server.put(&secret("a"), json!({ "data": { "k": "dmFsdWU=" } }));
    let body = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a", "labels": { "l": "m" } } });
    ensure::<Secret>(&secrets(&server), "making", "a", &body).await.unwrap();
    assert_eq!(server.get(&secret("a"))["data"]["k"], "dmFsdWU=");
    assert_eq!(server.get(&secret("a"))["metadata"]["labels"]["l"], "m");
}

#[tokio::test(start_paused = true)]
async fn ownership_is_given_up_only_where_others_have_some_and_nothing_changed() {
    let fields = |managers: &[&str]| -> serde_json::Value {
        managers.iter().map(|manager| json!({ "manager": manager, "operation": "Apply" })).collect()
    };
    let table: [(&[&str], bool); 4] =
        [(&[FIELD_MANAGER, "helm"], true), (&["helm"], false), (&[FIELD_MANAGER], false), (&[], false)];
    for (managers, gives_up) in table {
        let server = ApiServer::default();
        server.put(&secret("a"), json!({ "metadata": { "managedFields": fields(managers) } }));
        let api = secrets(&server);
        let read = api.get("a").await.unwrap();
        assert_eq!(disown(&api, "giving up", "a", &read.metadata).await, Ok(gives_up), "{managers:?}");
        let left = if gives_up { fields(&["helm"]) } else { fields(managers) };
        assert_eq!(server.get(&secret("a"))["metadata"]["managedFields"], left);
    }
    let server = ApiServer::default();
    server.put(&secret("a"), json!({ "metadata": { "managedFields": fields(&[FIELD_MANAGER, "helm"]) } }));
    let api = secrets(&server);
    let read = api.get("a").await.unwrap();
    server.merge(&secret("a"), &json!({ "data": { "k": "eA==" } }));
    let error = disown(&api, "giving up", "a", &read.metadata).await.unwrap_err();
    assert_eq!(error.cause, Cause::Conflict, "others' fields have changed meanwhile");
}

#[tokio::test(start_paused = true)]
async fn an_owner_is_known_by_its_uid() {
    let server = ApiServer::default();
    let path = "/api/v1/namespaces/codefresh/serviceaccounts/rel";
    server.put(path, json!({ "metadata": { "uid": "one" } }));
    let owner = owner_reference(&server.client(), NAMESPACE, "rel").await.unwrap();
    assert_eq!((owner.kind.as_str(), owner.name.as_str(), owner.uid.as_str()), ("ServiceAccount", "rel", "one"));
    assert_eq!(owner.api_version, "v1");
    assert_eq!(owner.block_owner_deletion, None, "that needs a permission of its own");
    let object = |uid: &str| k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
        owner_references: Some(vec![k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference {
            uid: uid.to_owned(),
            ..owner.clone()
        }]),
        ..Default::default()
    };
    assert!(has_owner(&object("one"), &owner));
    assert!(!has_owner(&object("gone"), &owner), "one of that name that is gone");
    server.remove(path);
    let error = owner_reference(&server.client(), NAMESPACE, "rel").await.unwrap_err();
    assert_eq!(error.cause, Cause::NotFound);
}

#[tokio::test(start_paused = true)]
async fn an_event_is_made_where_its_object_is_and_cut_to_what_the_api_takes() {
    let server = ApiServer::default();
    let about = ObjectReference {
        kind: Some("Secret".to_owned()),
        name: Some("a".to_owned()),
        namespace: Some(NAMESPACE.to_owned()),
        ..ObjectReference::default()
    };
    for warning in [false, true] {
        let event = Event { reason: "Reason", action: "Act", note: "a".to_owned() + &"ä".repeat(2000), warning };
        emit(&server.client(), about.clone(), "me", event).await.unwrap();
    }
    let calls = server.calls();
    assert_eq!(calls.len(), 2);
    let [normal, warning] = [&calls[0].body, &calls[1].body];
    assert!(calls[0].is("POST", "/apis/events.k8s.io/v1/namespaces/codefresh/events"), "{}", calls[0].path);
    assert_eq!(normal["note"], "a".to_owned() + &"ä".repeat(511), "1024 bytes, and no half letter");
    assert_eq!((&normal["type"], &warning["type"]), (&json!("Normal"), &json!("Warning")));
    assert_eq!(normal["reportingController"], FIELD_MANAGER);
    assert_eq!(normal["reportingInstance"], "me");
    assert_eq!((&normal["reason"], &normal["action"]), (&json!("Reason"), &json!("Act")));
    assert_eq!(normal["regarding"]["name"], "a");
    assert!(normal["metadata"]["name"].as_str().unwrap().starts_with("a."));
    assert_eq!(normal["metadata"]["namespace"], NAMESPACE);
    assert!(normal["eventTime"].is_string());
}
