//! Each action against a scripted API server and a scripted Argo CD: what is written in which order, under
//! which precondition, and what is left alone.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

mod health;
mod logins;
mod looks;
mod told;

use super::super::argocd_probe::FreshKey;
use super::super::scripted::{CLUSTER, Scene, data, ours};
use super::super::snapshot::Check;
use super::super::source;
use super::*;
use crate::argocd::scripted::{ACCOUNT, ArgoCd, PASSWORD, refusal, token, token_of_session};
use crate::cluster::Cause as ClusterCause;
use crate::cluster::scripted::{Answer, NAMESPACE, secret};
use crate::controller::scripted::{bounded, context};
use crate::time::now;
use serde_json::Value;
use std::sync::{Arc, Mutex};

const UUID: &str = "0123abcd-0123-4123-8123-0123456789ab";

fn cause(result: Result<(), ExecuteError>) -> ClusterCause {
    match result {
        Err(ExecuteError::Cluster(error)) => error.cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_somebody_else_wrote_meanwhile_is_not_written_over() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.server.put(&secret("argocd-token"), data("token", "rubbish"));
    scene.server.script(|call, objects| {
        if call.is("PATCH", "/argocd-token") {
            objects.merge(&call.path, &data("token", "theirs"));
        }
        None
    });
    assert_eq!(cause(scene.execute(Action::Store(MintReason::Refused)).await), ClusterCause::Conflict);
    assert_eq!(scene.stored(), STANDARD.encode("theirs"));
    assert!(scene.memory.fresh.is_some(), "whether it is needed is planned again");
}

#[tokio::test]
async fn a_fresh_key_is_written_into_a_secret_that_is_made_for_it() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    let wanted = scene.memory.fresh.as_ref().map(|fresh| STANDARD.encode(fresh.token.expose_secret())).unwrap();
    scene.execute(Action::Store(MintReason::Refused)).await.unwrap();
    assert_eq!(scene.stored(), wanted);
    assert!(scene.memory.fresh.is_none());
    let made = scene.server.get(&secret("argocd-token"));
    assert!(made["metadata"].get("ownerReferences").is_none(), "the Runtime goes on with it");
    assert!(scene.server.events().iter().any(|event| event.starts_with("CredentialReplaced: wrote API key")));
    assert!(scene.server.events().iter().all(|event| !event.contains(&wanted)));
}

#[tokio::test]
async fn a_secret_that_somebody_else_made_and_filled_first_is_left_to_them() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.server.script(|call, objects| {
        if call.is("PATCH", "/argocd-token") && objects.get(&call.path).is_none() {
            objects.put(&call.path, data("token", "theirs"));
        }
        None
    });
    scene.execute(Action::Store(MintReason::Refused)).await.unwrap();
    assert_eq!(scene.stored(), STANDARD.encode("theirs"));
    // Likewise if it is filled between creation and writing.
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.server.script(|call, objects| {
        if call.is("PATCH", "/argocd-token") && objects.get(&call.path).is_some() {
            objects.merge(&call.path, &data("token", "theirs"));
        }
        None
    });
    assert_eq!(cause(scene.execute(Action::Store(MintReason::Refused)).await), ClusterCause::Conflict);
    assert_eq!(scene.stored(), STANDARD.encode("theirs"));
}

#[tokio::test]
async fn other_keys_of_the_secret_stay() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.server.put(&secret("argocd-token"), data("other", "stays"));
    scene.execute(Action::Store(MintReason::Refused)).await.unwrap();
    let data = scene.server.get(&secret("argocd-token"))["data"].clone();
    assert_eq!(data["other"], STANDARD.encode("stays"));
    assert!(data["token"].is_string());
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_is_noticed_by_the_next_look() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.server.put(&secret("argocd-token"), data("token", "rubbish"));
    scene.server.script(|call, _| call.is("PATCH", "/argocd-token").then_some(Answer::Lost));
    assert!(matches!(cause(scene.execute(Action::Store(MintReason::Refused)).await), ClusterCause::Unavailable(_)));
    scene.server.script(|_, _| None);
    let state = StateSecret::open(&scene.context).await.unwrap();
    let sources = source::read(&scene.context).await.unwrap();
    let seen = scene.observe(&state, &sources).await.snapshot;
    assert!(matches!(seen.key, Key::Works { .. }) && seen.fresh.is_none() && seen.held_is_ours);
}

#[tokio::test]
async fn a_key_that_is_made_has_an_id_of_ours_and_no_end() {
    let mut scene = Scene::new(&[]).await;
    scene.memory.session = Some(SecretString::from(token_of_session()));
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let made = Arc::clone(&bodies);
    scene.argocd.script(move |method, path, body| {
        if method == "POST" && path.ends_with("/token") {
            made.lock().unwrap().push(body.clone());
        }
        None
    });
    scene.execute(Action::Mint(MintReason::Absent)).await.unwrap();
    let fresh = scene.memory.fresh.as_ref().unwrap();
    assert_eq!(*bodies.lock().unwrap(), [json!({ "id": fresh.id, "expiresIn": 0 })]);
    assert!(scene.prefix.is_ours(&fresh.id));
    assert!(scene.server.writes().is_empty(), "a key isn't written before it was seen to work");
}

#[tokio::test]
async fn a_key_that_may_have_been_made_all_the_same_is_looked_for_from_then_on() {
    let mut scene = Scene::new(&[]).await;
    scene.memory.session = Some(SecretString::from(token_of_session()));
    let asked = Arc::new(Mutex::new(String::new()));
    let id = Arc::clone(&asked);
    scene.argocd.script(move |method, path, body| {
        (method == "POST" && path.ends_with("/token")).then(|| {
            *id.lock().unwrap() = body["id"].as_str().unwrap().to_owned();
            refusal(503, "away")
        })
    });
    assert!(matches!(scene.execute(Action::Mint(MintReason::Absent)).await, Err(ExecuteError::ArgoCd(_))));
    assert!(scene.memory.fresh.is_none());
    // The key is listed later.
    let id = asked.lock().unwrap().clone();
    let listed: crate::argocd::Account =
        serde_json::from_value(json!({ "name": ACCOUNT, "tokens": [{ "id": id }] })).unwrap();
    let left: Vec<_> =
        super::super::argocd_probe::left(&listed, |id| scene.prefix.is_ours(id), [None; 2], &scene.memory).collect();
    assert!(matches!(left.as_slice(), [key] if key.never_delivered));
}

#[tokio::test]
async fn a_fresh_key_counts_only_as_the_one_that_was_asked_for() {
    let (asked, other) = (ours('a'), ours('b'));
    let now = now();
    for (id, account, works) in [
        (&asked, ACCOUNT, true),
        // Argo CD returned another key's token; storing it would get the key in use retired as superseded.
        (&other, ACCOUNT, false),
        (&asked, "somebody", false),
    ] {
        let argocd = ArgoCd::start(&[&asked, &other]).await;
        // The account lists both keys, so only the token's own claims tell which one it is.
        let listed = [&asked, &other].map(|id| json!({ "id": id, "issuedAt": now }));
        argocd.script(move |_, path, _| {
            let name = path.strip_prefix("/api/v1/account/")?;
            let account = json!({ "name": name, "enabled": true, "capabilities": ["apiKey"], "tokens": listed });
            Some((200, account))
        });
        let server = argocd.client();
        let metrics = crate::controller::ControllerMetrics::default();
        let asking = MeteredServer { server: &server, metrics: &metrics.credential };
        let key = FreshKey { id: asked.clone(), token: SecretString::from(token("apiKey", id)), since: now };
        let fresh = bounded(super::super::argocd_probe::fresh(&asking, &key, account, now)).await;
        assert_eq!(fresh.check == Check::Works, works, "{id} {account}: {:?}", fresh.check);
    }
}

#[tokio::test]
async fn a_superseded_key_of_ours_is_deleted_and_no_other() {
    let (held, old) = (ours('a'), ours('b'));
    let foreign = "argocd-auth-webhook-codefresh";
    let of_another = format!("argocd-auth-webhook-other-{CLUSTER}-{UUID}");
    let of_another_cluster = format!("argocd-auth-webhook-{NAMESPACE}-0000abcd-{UUID}");
    // An id of the older form, without the cluster's part.
    let of_nobody_knows = format!("argocd-auth-webhook-{NAMESPACE}-{UUID}");
    let mut scene = Scene::new(&[&held, &old, foreign, &of_another, &of_another_cluster, &of_nobody_knows]).await;
    scene.holds(&held);
    for id in [foreign, &of_another, &of_another_cluster, &of_nobody_knows, &held] {
        let retire = Action::Retire(ACCOUNT.to_owned(), id.to_owned(), RetireReason::Superseded);
        scene.execute(retire).await.unwrap();
        assert_eq!(scene.argocd.calls(), Vec::<String>::new(), "{id}");
    }
    let retire = Action::Retire(ACCOUNT.to_owned(), old.clone(), RetireReason::Superseded);
    scene.execute(retire).await.unwrap();
    assert_eq!(scene.argocd.keys(), [held.as_str(), foreign, &of_another, &of_another_cluster, &of_nobody_knows]);
    assert!(scene.server.events().iter().any(|event| event.contains(&format!("deleted API key {old}"))));
}

#[tokio::test]
async fn a_key_that_may_not_be_deleted_is_left_and_not_tried_again() {
    let (held, old) = (ours('a'), ours('b'));
    let mut scene = Scene::new(&[&held, &old]).await;
    scene.holds(&held);
    scene.argocd.script(|method, _, _| (method == "DELETE").then(|| refusal(403, "permission denied")));
    let retire = || Action::Retire(ACCOUNT.to_owned(), old.clone(), RetireReason::Superseded);
    scene.execute(retire()).await.unwrap();
    assert!(scene.memory.undeletable.contains(&old));
    scene.argocd.script(|method, _, _| (method == "DELETE").then(|| refusal(503, "away")));
    assert!(matches!(scene.execute(retire()).await, Err(ExecuteError::Minor(_))));
}

#[tokio::test]
async fn what_is_remembered_is_written_over_nobodys_newer_word() {
    let mut scene = Scene::new(&[]).await;
    let record = CredentialRecord { valid: Some(("id".to_owned(), 7)), ..CredentialRecord::default() };
    scene.execute(Action::Remember(record.clone())).await.unwrap();
    assert_eq!(scene.remembered(CREDENTIAL_ENTRY)["valid"], json!(["id", 7]));
    scene.server.script(|call, objects| {
        if call.is("PATCH", "/rel-state") {
            objects.merge(&call.path, &json!({ "data": { "values": STANDARD.encode("1") } }));
        }
        None
    });
    let newer = CredentialRecord { valid: Some(("id".to_owned(), 8)), ..record };
    assert_eq!(cause(scene.execute(Action::Remember(newer)).await), ClusterCause::Conflict);
    assert_eq!(scene.remembered(CREDENTIAL_ENTRY)["valid"], json!(["id", 7]));
}

#[tokio::test]
async fn nothing_is_written_anywhere_without_the_lease() {
    let (held, old) = (ours('a'), ours('b'));
    let actions = [
        Action::Login,
        Action::Mint(MintReason::Absent),
        Action::Store(MintReason::Absent),
        Action::Retire(ACCOUNT.to_owned(), old.clone(), RetireReason::Superseded),
        Action::Remember(CredentialRecord { valid: Some(("id".to_owned(), 7)), ..CredentialRecord::default() }),
    ];
    for there in [false, true] {
        for action in actions.clone() {
            let mut scene = Scene::with_fresh_key(&[&held, &old]).await;
            StateSecret::open(&scene.context).await.unwrap();
            if there {
                scene.server.put(&secret("argocd-token"), data("token", "rubbish"));
            }
            scene.lease.lose();
            assert_eq!(cause(scene.execute(action.clone()).await), ClusterCause::NotLeading, "{action:?}");
            let changing = |call: &String| call.starts_with("POST") || call.starts_with("DELETE");
            assert!(!scene.argocd.calls().iter().any(changing), "{action:?}");
            assert!(scene.server.writes().is_empty(), "{action:?}");
        }
    }
}

#[tokio::test]
async fn a_lease_that_is_lost_between_two_writes_stops_the_second() {
    // The attempt is recorded, and the login isn't sent.
    let mut scene = Scene::new(&[]).await;
    StateSecret::open(&scene.context).await.unwrap();
    let lease = std::mem::replace(&mut scene.lease, context(&scene.server, "").1);
    scene.server.script(move |call, _| {
        if call.is("PATCH", "/rel-state") {
            lease.lose();
        }
        None
    });
    assert_eq!(cause(scene.execute(Action::Login).await), ClusterCause::NotLeading);
    assert!(!scene.argocd.calls().iter().any(|call| call.starts_with("POST")));
    // The Secret is created, and the key isn't written into it.
    let mut scene = Scene::with_fresh_key(&[]).await;
    StateSecret::open(&scene.context).await.unwrap();
    let lease = std::mem::replace(&mut scene.lease, context(&scene.server, "").1);
    scene.server.script(move |call, _| {
        if call.is("PATCH", "/argocd-token") {
            lease.lose();
        }
        None
    });
    assert_eq!(cause(scene.execute(Action::Store(MintReason::Refused)).await), ClusterCause::NotLeading);
    assert_eq!(scene.stored(), Value::Null);
}

#[tokio::test]
async fn a_discarded_key_is_known_as_one_that_nobody_had() {
    let id = ours('f');
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.execute(Action::Discard).await.unwrap();
    assert!(scene.memory.fresh.is_none());
    let state = StateSecret::open(&scene.context).await.unwrap();
    let sources = source::read(&scene.context).await.unwrap();
    let left = scene.observe(&state, &sources).await.snapshot.left;
    assert!(matches!(left.as_slice(), [key] if key.id == id && key.never_delivered), "{left:?}");
}
