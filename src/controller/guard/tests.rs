//! What is restored and reported, against a scripted API server.

use super::*;
use crate::cluster::scripted::{ApiServer, secret};
use crate::controller::scripted::{bounded, context};

const STATUS: &str = "/api/v1/namespaces/codefresh/configmaps/rel-status";
const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/rel-codefresh";

/// A configuration with an entry for each of these services.
fn registered(context: &Context, services: &[&str]) -> Value {
    let injector = context.settings.injector(Engine::Webhook);
    let entries = injector.services().filter(|service| services.contains(&service.name.as_str())).map(|service| {
        json!({
            "name": format!("{}.example.test", service.name), "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "clientConfig": {},
            "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }],
            "objectSelector": { "matchLabels": sample::labels_of(service) },
        })
    });
    json!({ "webhooks": entries.collect::<Vec<_>>() })
}

fn all(context: &Context) -> Vec<String> {
    context.settings.injector(Engine::Webhook).services().map(|service| service.name.clone()).collect()
}

fn whole(context: &Context) -> Value {
    let names = all(context);
    registered(context, &names.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The reasons and notes of the Events since the last call.
fn told(server: &ApiServer) -> Vec<(String, String)> {
    let calls = server.calls();
    let events = calls.iter().filter(|call| call.is("POST", "/events"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.map(|call| (text(&call.body["reason"]), text(&call.body["note"]))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_status_that_is_deleted_is_written_again_whole_and_one_part_of_it_too() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(REGISTRATION, whole(&context));
    let mut guard = Guard::new(&context);
    bounded(Box::pin(guard.pass())).await.unwrap();
    status::publish(&context, "credential", &json!({ "a": 1 })).await.unwrap();
    status::publish(&context, "pods", &json!({ "b": 2 })).await.unwrap();
    let before = server.get(STATUS)["data"].clone();
    server.remove(STATUS);
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert_eq!(server.get(STATUS)["data"], before);
    server.merge(STATUS, &json!({ "data": { "pods.json": null } }));
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert_eq!(server.get(STATUS)["data"], before);
    server.calls();
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert!(server.writes().is_empty(), "what is there is left as it is");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_deleted_is_written_again_as_it_was_and_none_is_made_that_nobody_had() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(REGISTRATION, whole(&context));
    let mut guard = Guard::new(&context);
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert!(server.remove(&secret("rel-state")).is_none());
    let mut state = StateSecret::open(&context).await.unwrap();
    state.put(&context, "values", Some(&json!({ "a": 1 }))).await.unwrap();
    let before = server.get(&secret("rel-state"))["data"].clone();
    server.remove(&secret("rel-state"));
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert_eq!(server.get(&secret("rel-state"))["data"], before);
}

#[tokio::test(start_paused = true)]
async fn a_registration_that_is_gone_or_leaves_services_out_is_said_once_with_the_line_that_brings_it_back() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(REGISTRATION, whole(&context));
    let mut guard = Guard::new(&context);
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert_eq!(told(&server), [], "that all is well at first is no news");
    let part = |server: &ApiServer| -> Value {
        serde_json::from_str(server.get(STATUS)["data"]["webhook.json"].as_str().unwrap()).unwrap()
    };
    assert_eq!(part(&server)["registered"], true);

    server.remove(REGISTRATION);
    for _ in 0..2 {
        bounded(Box::pin(guard.pass())).await.unwrap();
    }
    let said = told(&server);
    assert_eq!(said.len(), 1, "{said:?}");
    let (reason, note) = &said[0];
    assert!(
        reason == "WebhookNotRegistered" && note.contains("there is no MutatingWebhookConfiguration rel-codefresh")
    );
    assert!(note.contains("helm get manifest rel --namespace codefresh | kubectl apply"), "{note}");
    assert_eq!(part(&server)["registered"], false);

    let names = all(&context);
    let some: Vec<&str> = names.iter().map(String::as_str).filter(|name| *name != "app-proxy").collect();
    server.put(REGISTRATION, registered(&context, &some));
    bounded(Box::pin(guard.pass())).await.unwrap();
    let said = told(&server);
    assert!(said[0].1.starts_with("pods of app-proxy are created without a credential: no entry of"), "{said:?}");

    // An entry that can't be evaluated here is no reason to report anything.
    let mut odd = whole(&context);
    for entry in odd["webhooks"].as_array_mut().unwrap() {
        entry["matchConditions"] = json!([{ "name": "c", "expression": "true" }]);
    }
    server.put(REGISTRATION, odd);
    bounded(Box::pin(guard.pass())).await.unwrap();
    assert_eq!(told(&server)[0].0, "WebhookRegistered");
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_nothing_is_written_and_what_was_known_is_forgotten() {
    let server = ApiServer::default();
    let (context, lease) = context(&server, "");
    server.put(REGISTRATION, whole(&context));
    let mut guard = Guard::new(&context);
    bounded(Box::pin(guard.pass())).await.unwrap();
    server.remove(STATUS);
    server.calls();
    lease.lose();
    bounded(Box::pin(guard.pass())).await.unwrap_err();
    assert!(server.writes().is_empty());
    guard.stand_by();
    bounded(Box::pin(status::restore(&context))).await.unwrap();
    assert!(server.writes().is_empty(), "another process publishes now");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_a_warning_and_that_it_is_right_again_is_none() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut guard = Guard::new(&context);
    bounded(Box::pin(guard.pass())).await.unwrap();
    server.put(REGISTRATION, whole(&context));
    bounded(Box::pin(guard.pass())).await.unwrap();
    let calls = server.calls();
    let events = calls.iter().filter(|call| call.is("POST", "/events")).map(|call| &call.body);
    let said: Vec<_> = events.map(|event| (&event["type"], &event["reason"], &event["regarding"]["name"])).collect();
    let [missing, back, service] = ["WebhookNotRegistered", "WebhookRegistered", "hook"].map(Value::from);
    let (warning, normal) = (Value::from("Warning"), Value::from("Normal"));
    assert_eq!(said, [(&warning, &missing, &service), (&normal, &back, &service)]);
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_for_ever_and_follows_what_it_guards_by_name() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(REGISTRATION, whole(&context));
    assert!(tokio::time::timeout(Duration::from_secs(10), Box::pin(run(context))).await.is_err(), "it ended");
    assert!(server.get(STATUS)["data"]["webhook.json"].is_string());
    let calls = server.calls();
    for (kind, name) in
        [("/secrets", "rel-state"), ("/configmaps", "rel-status"), ("/mutatingwebhookconfigurations", "rel-codefresh")]
    {
        let selector = format!("fieldSelector=metadata.name%3D{name}");
        let watched = |call: &&crate::cluster::scripted::Call| {
            call.is("GET", kind) && call.query.contains(&selector) && call.query.contains("watch=true")
        };
        assert!(calls.iter().any(|call| watched(&call)), "{name}");
    }
}

#[tokio::test]
async fn that_an_object_comes_or_goes_is_news_and_that_it_is_written_is_none() {
    let there = || Ok(Some(Secret::default()));
    let broken = || Err(ClusterError { what: "watching".to_owned(), cause: crate::cluster::Cause::Unreadable });
    let seen = [there(), there(), Ok(None), Ok(None), broken(), Ok(None), there(), there()];
    let news: Vec<_> = presence(futures_util::stream::iter(seen)).map(|failed| failed.is_some()).collect().await;
    assert_eq!(news, [false, false, true, false], "it is there, it is gone, the watch broke, it is there");
}
