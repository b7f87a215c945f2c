//! The state Secret against a scripted API server: created once, changed only as it was read, and restored if
//! lost.

use super::*;
use crate::cluster::FIELD_MANAGER;
use crate::cluster::leader_election::MANAGED_BY;
use crate::cluster::scripted::{ApiServer, secret};
use crate::controller::scripted::context;
use std::sync::Arc;

fn path() -> String {
    secret("rel-state")
}

fn labelled(data: &Value) -> Value {
    json!({ "metadata": { "labels": { MANAGED_BY: FIELD_MANAGER } }, "data": data })
}

fn entry(server: &ApiServer, name: &str) -> Value {
    server.get(&path())["data"][name].clone()
}

#[tokio::test(start_paused = true)]
async fn it_is_made_with_a_key_of_its_own_that_stays() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let state = StateSecret::open(&context).await.unwrap();
    let made = server.get(&path());
    assert_eq!(made["metadata"]["labels"]["app.kubernetes.io/instance"], "rel");
    let key = STANDARD.decode(entry(&server, HASH_KEY).as_str().unwrap()).unwrap();
    assert_eq!(key.len(), HASH_KEY_LENGTH);
    assert_ne!(key, [0; HASH_KEY_LENGTH]);
    server.calls();
    let again = StateSecret::open(&context).await.unwrap();
    assert!(server.writes().is_empty());
    assert_eq!(state.digest(&[b"a"]), again.digest(&[b"a"]));
    assert_ne!(state.digest(&[b"ab", b"c"]), state.digest(&[b"a", b"bc"]), "parts are told apart");
    let other = ApiServer::default();
    let (other, _lease) = super::super::scripted::context(&other, "");
    assert_ne!(StateSecret::open(&other).await.unwrap().digest(&[b"a"]), state.digest(&[b"a"]), "each has its own key");
}

#[tokio::test(start_paused = true)]
async fn of_two_that_make_it_at_once_both_end_up_with_one_key() {
    let server = ApiServer::default();
    let (one, _lease) = context(&server, "");
    let (other, _other) = context(&server, "");
    let first = Arc::new(std::sync::Mutex::new(false));
    let theirs = STANDARD.encode([7; HASH_KEY_LENGTH]);
    let done = Arc::clone(&first);
    server.script(move |call, objects| {
        // Another process's key is written between creation and filling.
        if call.is("PATCH", "/rel-state") && call.body.get("data").is_some() && !*done.lock().unwrap() {
            *done.lock().unwrap() = true;
            objects.merge(&call.path, &json!({ "data": { HASH_KEY: theirs } }));
        }
        None
    });
    let error = StateSecret::open(&one).await.err().unwrap();
    assert_eq!(error.cause, Cause::Conflict);
    let (one, other) = (StateSecret::open(&one).await.unwrap(), StateSecret::open(&other).await.unwrap());
    assert_eq!(one.digest(&[b"a"]), other.digest(&[b"a"]));
    assert_eq!(entry(&server, HASH_KEY), STANDARD.encode([7; HASH_KEY_LENGTH]));
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_written_only_over_what_was_read() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let (mut one, mut other) = (StateSecret::open(&context).await.unwrap(), StateSecret::open(&context).await.unwrap());
    one.put(&context, "a", Some(&1)).await.unwrap();
    let error = other.put(&context, "a", Some(&2)).await.unwrap_err();
    assert_eq!(error.cause, Cause::Conflict);
    assert_eq!(StateSecret::open(&context).await.unwrap().get::<u32>("a"), Some(1));
    one.put(&context, "b", Some(&3)).await.unwrap();
    one.put::<u32>(&context, "a", None).await.unwrap();
    let read = StateSecret::open(&context).await.unwrap();
    assert_eq!((read.get::<u32>("a"), read.get::<u32>("b")), (None, Some(3)), "its own writes are no conflict");
    assert_eq!(read.get::<String>("b"), None, "what can't be read counts as nothing");
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_new_is_not_written() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut state = StateSecret::open(&context).await.unwrap();
    state.put(&context, "a", Some(&1)).await.unwrap();
    server.calls();
    state.put(&context, "a", Some(&1)).await.unwrap();
    state.put::<u32>(&context, "b", None).await.unwrap();
    assert!(server.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_nothing_of_it_is_written() {
    let server = ApiServer::default();
    let (context, lease) = context(&server, "");
    lease.lose();
    assert_eq!(StateSecret::open(&context).await.err().unwrap().cause, Cause::NotLeading);
    assert!(server.writes().is_empty(), "not made");
    server.put(&path(), labelled(&json!({ "a": "MQ==" })));
    assert_eq!(StateSecret::open(&context).await.err().unwrap().cause, Cause::NotLeading);
    assert!(server.writes().is_empty(), "not given a key");
    server.put(&path(), labelled(&json!({ HASH_KEY: STANDARD.encode([7; HASH_KEY_LENGTH]) })));
    let mut state = StateSecret::open(&context).await.unwrap();
    assert_eq!(state.put(&context, "a", Some(&1)).await.unwrap_err().cause, Cause::NotLeading);
    server.remove(&path());
    server.put(&path(), json!({}));
    assert_eq!(StateSecret::open(&context).await.err().unwrap().cause, Cause::NotLeading, "not restored");
    assert!(server.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_it_was_lost_the_process_that_knows_it_writes_it_again() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut state = StateSecret::open(&context).await.unwrap();
    state.put(&context, "a", Some(&1)).await.unwrap();
    let digest = state.digest(&[b"a"]);
    for loss in ["gone", "emptied", "key damaged"] {
        match loss {
            "gone" => drop(server.remove(&path())),
            "emptied" => server.put(&path(), json!({})),
            _ => server.merge(&path(), &json!({ "data": { HASH_KEY: "c2hvcnQ=" } })),
        }
        let restored = StateSecret::open(&context).await.unwrap();
        assert_eq!(restored.get::<u32>("a"), Some(1), "{loss}");
        assert_eq!(restored.digest(&[b"a"]), digest, "{loss}");
        assert_eq!(entry(&server, "a"), "MQ==", "{loss}");
    }
    // If another process was faster, its content stays.
    server.put(&path(), json!({}));
    server.script(|call, objects| {
        if call.is("PATCH", "/rel-state") {
            objects.merge(&call.path, &json!({ "data": { "a": "OQ==" } }));
        }
        None
    });
    assert_eq!(StateSecret::open(&context).await.err().unwrap().cause, Cause::Conflict);
    assert_eq!(entry(&server, "a"), "OQ==");
}

#[tokio::test(start_paused = true)]
async fn what_another_process_may_have_changed_is_not_restored() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    let mut state = StateSecret::open(&context).await.unwrap();
    state.put(&context, "a", Some(&1)).await.unwrap();
    forget(&context);
    server.put(&path(), labelled(&json!({ "a": "OQ==" })));
    let state = StateSecret::open(&context).await.unwrap();
    assert_eq!(state.get::<u32>("a"), None, "hashes of a lost key mean nothing, and go with it");
    assert_eq!(entry(&server, "a"), Value::Null);
    assert!(entry(&server, HASH_KEY).is_string());
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_secret_of_this_name_is_left_alone_and_an_empty_one_becomes_ours() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(&path(), json!({ "data": { HASH_KEY: STANDARD.encode([7; HASH_KEY_LENGTH]), "a": "OQ==" } }));
    let error = StateSecret::open(&context).await.err().unwrap();
    assert_eq!(error.cause, Cause::NotOurs);
    assert!(error.to_string().contains("Secret codefresh/rel-state"), "{error}");
    assert!(server.writes().is_empty());
    server.remove(&path());
    server.put(&path(), json!({}));
    StateSecret::open(&context).await.unwrap();
    assert_eq!(server.get(&path())["metadata"]["labels"][MANAGED_BY], FIELD_MANAGER);
}

#[test]
fn every_entry_is_in_the_documents_table_and_no_other() {
    let page = include_str!("../../../docs/architecture.md");
    let (_, section) = page.split_once("\n## What stands in Secret `RELEASE-state`\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let listed: Vec<&str> =
        section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    assert_eq!(listed, [HASH_KEY, CREDENTIAL_ENTRY, LOGIN_ENTRY, LOGIN_PROOF_ENTRY, VALUES_ENTRY, ROLLOUT_ENTRY]);
}
