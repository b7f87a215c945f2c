//! What a real server does too seldom for a test: updates that are lost, ids that are taken, answers
//! that break off, and calls that go on after their client has left.

use super::account::id_of;
use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use super::server::call;
use crate::support::cluster::{eventually, say};
use crate::support::proxy::{Fate, Proxy};
use hyper::{Method, Uri};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn is_creation(method: &Method, uri: &Uri) -> bool {
    *method == Method::POST && uri.path().ends_with("/token")
}

/// Lets the first creations meet this fate.
fn first_creations(proxy: &Proxy, count: usize, fate: Fate) {
    let seen = AtomicUsize::new(0);
    proxy.rule(move |method, uri| {
        if is_creation(method, uri) && seen.fetch_add(1, Ordering::SeqCst) < count { fate.clone() } else { Fate::Pass }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_goes_wrong_in_any_way_is_made_up_for() {
    let scene = Runtime::new("writes").await;
    let session = scene.argocd.session().await;
    scene.argocd.make(&session, "somebody-elses", 0);
    let proxy = Proxy::before(scene.argocd.port).await;
    let _controller = scene.controller_at(&proxy.url(), &format!("{PASSWORD_MODE}{QUICK}")).await;
    let mut key = scene.works().await;
    let lost = {
        // The answer is 200, and the key is gone: as when another writer's update wins.
        let (port, session) = (scene.argocd.port, session.clone());
        let prefix = format!("argocd-auth-webhook-{}-", scene.namespace());
        let known = scene.argocd.ours(&session);
        Fate::PassThen(Arc::new(move || {
            let account = call(port, "GET", "/api/v1/account/admin", Some(&session), None).unwrap();
            for token in account.body["tokens"].as_array().unwrap() {
                let id = token["id"].as_str().unwrap();
                if id.starts_with(&prefix) && !known.iter().any(|known| known == id) {
                    let path = format!("/api/v1/account/admin/token/{id}");
                    assert_eq!(call(port, "DELETE", &path, Some(&session), None).unwrap().status, 200);
                }
            }
        }))
    };
    let taken = json!({ "error": "x", "code": 2, "message": "failed to update account with new token: account already has token with id 'x'" });
    let conflict = json!({ "error": "x", "code": 10, "message": "the object has been modified" });
    let answer = |status, body: &serde_json::Value| Fate::Answer(status, "application/json", body.to_string(), None);
    for (what, fate) in [
        ("an update that is lost and answers 200", lost),
        ("an id that is taken", answer(500, &taken)),
        ("a conflict", answer(409, &conflict)),
        ("429", answer(429, &json!({}))),
        ("an answer that breaks off", Fate::Cut),
        ("done, and answered with 500", Fate::DoneBut(500)),
        ("done after the client has gone", Fate::LateBut(Duration::from_secs(3), 504)),
    ] {
        let before = proxy.count("POST /api/v1/account/admin/token");
        first_creations(&proxy, 2, fate);
        scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap();
        key = scene.replaced(&key).await;
        let made = proxy.count("POST /api/v1/account/admin/token") - before;
        assert_eq!(made, 3, "{what}");
        // What nobody ever had is deleted soon, also where it appears late.
        let ours = eventually(what, async || match scene.argocd.ours(&session) {
            ours if ours.len() <= 3 && ours.contains(&id_of(&key)) => Ok(ours),
            ours => Err(format!("{ours:?}")),
        })
        .await;
        say(&format!("{what}, twice: a key with the third; {} of ours are listed", ours.len()));
    }
    assert!(scene.argocd.keys(&session).iter().any(|key| key.id == "somebody-elses"));
}
