//! A key is made, and left alone as long as it works.

use super::account::{claims, id_of};
use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use crate::support::cluster::{eventually, say};
use crate::support::proxy::Proxy;
use k8s_openapi::jiff::Timestamp;
use serde_json::json;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_key_that_answers() {
    let scene = Runtime::new("first-key").await;
    let session = scene.argocd.session().await;
    scene.argocd.make(&session, "somebody-elses", 0);
    let begun = Instant::now();
    let controller = scene.controller(PASSWORD_MODE).await;
    let key = scene.works().await;
    say(&format!("a first key: {:?} after the controller's start", begun.elapsed()));
    let said = claims(&key);
    assert_eq!((&said["sub"], &said["exp"]), (&json!("admin:apiKey"), &json!(null)), "{said}");
    assert_eq!(scene.argocd.ours(&session), [id_of(&key)]);
    assert_eq!(scene.argocd.keys(&session).len(), 2, "the other one is still there");

    let secret = scene.cluster.get(&scene.path("secret", "argocd-token")).await.unwrap();
    assert_eq!(secret["metadata"]["ownerReferences"], json!(null), "it outlives this program");
    let status = scene.is("valid").await;
    assert_eq!(status["keyId"], id_of(&key).as_str());
    assert_eq!(status["keys"].as_array().unwrap().len(), 1, "{status}");
    assert_eq!(
        (&status["mode"], &status["secret"], &status["key"]),
        (&json!("password"), &json!("argocd-token"), &json!("token"))
    );
    controller.counts("argocd_auth_webhook_credential_valid", 1).await;
    controller.counts("argocd_auth_webhook_credential_regenerations_total{reason=\"absent\"}", 1).await;
    assert_eq!(scene.events_of("CredentialReplaced").await.len(), 1);
    // A session is used and thrown away.
    let state = scene.cluster.get(&scene.path("secret", "hook-state")).await.unwrap();
    assert_eq!(state["data"]["login"], json!(null), "the attempt that succeeded is forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_works_is_left_alone_whoever_made_it() {
    let scene = Runtime::new("left-alone").await;
    let session = scene.argocd.session().await;
    let theirs = scene.argocd.make(&session, "app-proxy-made-it", 0);
    scene.store(&theirs).await;
    let proxy = Proxy::before(scene.argocd.port).await;
    let controller = scene.controller_at(&proxy.url(), &format!("{PASSWORD_MODE}{QUICK}")).await;
    scene.is("valid").await;
    let looks = proxy.count("GET /api/v1/session/userinfo");
    eventually("some more looks", async || match proxy.count("GET /api/v1/session/userinfo") {
        now if now >= looks + 3 => Ok(()),
        now => Err(format!("{now} looks")),
    })
    .await;
    assert_eq!(scene.stored().await.unwrap(), theirs);
    assert_eq!(proxy.count("POST"), 0, "no login is needed to look: {:?}", proxy.seen());
    assert_eq!(scene.argocd.keys(&session).len(), 1);
    controller.counts("argocd_auth_webhook_credential_valid", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_stands_in_its_place_is_replaced() {
    let scene = Runtime::new("replaced").await;
    let session = scene.argocd.session().await;
    let controller = scene.quick().await;
    let mut key = scene.works().await;
    let revoked = scene.argocd.make(&session, "revoked", 0);
    scene.argocd.revoke(&session, "revoked");
    let expires = scene.argocd.make(&session, "expires", 600);
    let others = scene.argocd.make_of(&session, "other", "others", 0);
    let good = scene.argocd.make(&session, "good", 0);
    for (what, put) in [
        ("deleted", None),
        ("emptied", Some(String::new())),
        ("rubbish", Some("rubbish".to_owned())),
        ("a key of a revoked id", Some(revoked)),
        ("a session", Some(session.clone())),
        ("an expiring key", Some(expires)),
        ("another account's key", Some(others)),
        ("a key with a newline after it", Some(format!("{good}\n"))),
    ] {
        let begun = Instant::now();
        match &put {
            None => drop(scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap()),
            Some(text) => scene.store(text).await,
        }
        let before = put.unwrap_or(key);
        key = scene.replaced(&before).await;
        say(&format!("{what}: a new key after {:?}", begun.elapsed()));
        assert!(id_of(&key).starts_with(&format!("argocd-auth-webhook-{}-", scene.namespace())));
        assert!(scene.argocd.ours(&session).len() <= 3);
    }
    let ids: Vec<String> = scene.argocd.keys(&session).into_iter().map(|key| key.id).collect();
    assert!(ids.contains(&"expires".to_owned()) && ids.contains(&"good".to_owned()), "{ids:?}");
    assert_eq!(scene.argocd.keys_of(&session, "other").len(), 1);
    controller.counts("argocd_auth_webhook_credential_regenerations_total{reason=\"refused\"}", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_replaced() {
    let scene = Runtime::new("revoked").await;
    let session = scene.argocd.session().await;
    let controller = scene.quick().await;
    let key = scene.works().await;
    scene.is("valid").await;
    let begun = Instant::now();
    scene.argocd.revoke(&session, &id_of(&key));
    let second = scene.replaced(&key).await;
    say(&format!("a revoked key: a new one after {:?}, with a look every 2 s", begun.elapsed()));
    scene.is("valid").await;
    // A second one within an hour looks like something that takes keys away. Who asks doesn't wait.
    scene.argocd.revoke(&session, &id_of(&second));
    let lost = scene.is("key_lost").await;
    say(&lost["message"].to_string());
    assert_eq!(scene.stored().await.unwrap(), second, "the next one is waited with");
    scene.ask("second").await;
    scene.replaced(&second).await;
    controller.counts("argocd_auth_webhook_credential_regenerations_total{reason=\"refused\"}", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_settings_that_say_nothing_a_revoked_key_is_replaced_within_a_minute() {
    let scene = Runtime::new("minute").await;
    let session = scene.argocd.session().await;
    let controller = scene.controller(PASSWORD_MODE).await;
    let key = scene.works().await;
    let status = scene.is("valid").await;
    let since = status["validSince"].as_str().unwrap().parse::<Timestamp>().unwrap().as_second();
    // A fresh key is looked at more often: the last of those looks is half a minute after it was made.
    eventually("only the usual looks are left", async || {
        let seen = controller.metric("argocd_auth_webhook_credential_last_success_timestamp_seconds");
        if i64::try_from(seen).unwrap() >= since + 29 { Ok(()) } else { Err(format!("{since}, {seen}")) }
    })
    .await;
    let begun = Instant::now();
    scene.argocd.revoke(&session, &id_of(&key));
    scene.replaced(&key).await;
    let took = begun.elapsed();
    say(&format!("by default: a revoked key was replaced after {took:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_asks_for_a_look_and_gets_an_answer_once() {
    let scene = Runtime::new("asked").await;
    let mut controller = scene.controller(PASSWORD_MODE).await;
    let key = scene.works().await;
    scene.is("valid").await;
    let session = scene.argocd.session().await;
    scene.argocd.revoke(&session, &id_of(&key));
    // The next look by itself is minutes away.
    let begun = Instant::now();
    let asked = json!({ "metadata": { "annotations": { "argocd-auth-webhook/check": "now" } } });
    let path = scene.path("secret", "argocd-initial-admin-secret");
    scene.ask("now").await;
    scene.replaced(&key).await;
    say(&format!("asked for a look at a revoked key: a new one after {:?}", begun.elapsed()));
    let answers = eventually("an answer", async || match scene.events_of("CredentialChecked").await {
        none if none.is_empty() => Err(String::new()),
        some => Ok(some),
    })
    .await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    let secret = scene.cluster.get(&path).await.unwrap();
    assert_eq!(secret["metadata"]["annotations"]["argocd-auth-webhook/check"], "now", "it isn't ours to edit");
    // On the key's own Secret as well.
    scene.cluster.merge(&scene.path("secret", "argocd-token"), &asked).await.unwrap();
    eventually("another answer", async || match scene.events_of("CredentialChecked").await.len() {
        2 => Ok(()),
        other => Err(other.to_string()),
    })
    .await;
    controller.kill();
    scene.free_lease().await;
    let controller = scene.controller(PASSWORD_MODE).await;
    eventually("the next process looks", async || match controller.metric("argocd_auth_webhook_credential_valid") {
        1 => Ok(()),
        _ => Err(String::new()),
    })
    .await;
    assert_eq!(scene.events_of("CredentialChecked").await.len(), 2, "a request is answered once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_superseded_key_is_retired_after_its_time_and_no_earlier() {
    let scene = Runtime::new("retired").await;
    let session = scene.argocd.session().await;
    let theirs = scene.argocd.make(&session, "somebody-elses", 0);
    let controller =
        scene.controller(&format!("{PASSWORD_MODE}credentials: {{followAfter: 5s, checkInterval: 1s}}\n")).await;
    let before = scene.works().await;
    scene.is("valid").await;
    scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap();
    let begun = Instant::now();
    let key = scene.replaced(&before).await;
    eventually("the superseded key is gone", async || match scene.argocd.ours(&session) {
        ours if ours == [id_of(&key)] => Ok(()),
        ours => {
            assert!(scene.argocd.accepts(&before) || begun.elapsed().as_secs() >= 5, "it was retired too early");
            Err(format!("{ours:?}"))
        }
    })
    .await;
    let took = begun.elapsed();
    say(&format!("with followAfter: 5s a superseded key was retired after {took:?}"));
    assert!(took.as_secs() >= 4, "{took:?}");
    assert!(!scene.argocd.accepts(&before) && scene.argocd.accepts(&key) && scene.argocd.accepts(&theirs));
    controller.counts("argocd_auth_webhook_credential_retired_keys_total", 1).await;
    eventually("the status shows one key", async || match scene.status().await {
        Ok(status) if status["keys"].as_array().unwrap().len() == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}
