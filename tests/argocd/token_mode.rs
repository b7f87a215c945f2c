//! Token mode: the key is watched and never made; and what happens when the mode changes.

use super::account::id_of;
use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use crate::support::cluster::{eventually, say};
use crate::support::proxy::Proxy;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

const MIRROR: &str = "credentials: {followAfter: 2s, checkInterval: 2s, mirrorToken: true}\n";
const TOKEN_MODE: &str = "auth: {type: token, tokenSecretKeyRef: {name: own, key: token}}\n";

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_kind_of_token_is_named_and_nothing_is_made() {
    let scene = Runtime::new("wrong-kinds").await;
    let session = scene.argocd.session().await;
    let proxy = Proxy::before(scene.argocd.port).await;
    let good = scene.argocd.make(&session, "good", 0);
    let revoked = scene.argocd.make(&session, "revoked", 0);
    scene.argocd.revoke(&session, "revoked");
    let controller = scene.controller_at(&proxy.url(), &format!("{TOKEN_MODE}{QUICK}")).await;
    let status = scene.is("missing").await;
    say(&format!("no Secret: {} ({})", status["message"], status["advice"]));
    scene.put("own", "token", &good).await;
    scene.is("valid").await;
    let saying = |issuer: &str, subject: &str| {
        use base64::Engine;
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({ "iss": issuer, "sub": subject, "jti": "x", "iat": now });
        let [head, body] = [json!({ "alg": "HS256" }), claims].map(|part| engine.encode(part.to_string()));
        format!("{head}.{body}.{}", engine.encode("signature"))
    };
    for (what, token, state, says) in [
        ("a session", session.clone(), "wrong_kind", "session"),
        ("white space before it", format!(" {good}"), "wrong_kind", "white space"),
        ("a newline after it", format!("{good}\n"), "wrong_kind", "newline"),
        ("base64 twice", super::server::encoded(&good), "wrong_kind", "base64"),
        ("another issuer", saying("https://dex", "admin"), "wrong_kind", "issuer"),
        ("a project's token", saying("argocd", "proj:default:ci"), "wrong_kind", "project"),
        ("rubbish", "rubbish".to_owned(), "wrong_kind", "no token"),
        ("nothing", String::new(), "missing", "empty"),
        ("a revoked key", revoked, "refused", "refused, or the server is broken"),
    ] {
        scene.put("own", "token", &token).await;
        let status = eventually(what, async || match scene.status().await {
            Ok(status) if status["state"] == state && status["message"].as_str().unwrap().contains(says) => Ok(status),
            other => Err(format!("{other:?}")),
        })
        .await;
        say(&format!("{what}: {} ({})", status["message"], status["advice"]));
        controller.counts("argocd_auth_webhook_credential_valid", 0).await;
        scene.put("own", "token", &good).await;
        scene.is("valid").await;
    }
    let expires = scene.argocd.make(&session, "expires", 3600);
    scene.put("own", "token", &expires).await;
    let status = scene.is("expires").await;
    say(&format!("an expiring key: {} ({})", status["message"], status["advice"]));
    assert!(status["expiresAt"].is_string());
    assert!(controller.metric("argocd_auth_webhook_credential_expiry_timestamp_seconds") > 0);
    assert_eq!(proxy.count("POST"), 0, "nothing is ever made: {:?}", proxy.seen());
    assert!(!scene.events_of("CredentialWrongKind").await.is_empty());
    assert!(scene.cluster.get(&scene.path("secret", "argocd-token")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn changing_the_mode_both_ways_retires_what_was_ours_and_nothing_else() {
    let scene = Runtime::new("modes").await;
    let session = scene.argocd.session().await;
    let theirs = scene.argocd.make(&session, "pasted-by-somebody", 0);
    scene.put("own", "token", &theirs).await;
    let mut controller = scene.quick().await;
    let key = scene.works().await;
    scene.is("valid").await;
    controller.kill();
    scene.free_lease().await;

    let mut controller = scene.controller(&format!("{TOKEN_MODE}{QUICK}")).await;
    let status = eventually("token mode", async || match scene.status().await {
        Ok(status) if status["mode"] == "token" && status["state"] == "valid" => Ok(status),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(status["keyId"], "pasted-by-somebody");
    eventually("our key is retired", async || match scene.argocd.ours(&session) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("{some:?}")),
    })
    .await;
    assert!(!scene.argocd.accepts(&key));
    assert_eq!(scene.stored().await.unwrap(), "", "it doesn't stay there to look alive");
    assert_eq!(scene.events_of("FormerKeyCleared").await.len(), 1);
    controller.kill();
    scene.free_lease().await;

    let mut controller = scene.controller(&format!("{TOKEN_MODE}{MIRROR}")).await;
    eventually("the copy", async || match scene.stored().await {
        Some(copy) if copy == theirs => Ok(()),
        _ => Err("not yet".to_owned()),
    })
    .await;
    // What somebody else writes there is mended, and a token that doesn't work is copied nowhere.
    scene.store("rubbish").await;
    eventually("the copy again", async || match scene.stored().await {
        Some(copy) if copy == theirs => Ok(()),
        _ => Err("not yet".to_owned()),
    })
    .await;
    let revoked = scene.argocd.make(&session, "soon-revoked", 0);
    scene.argocd.revoke(&session, "soon-revoked");
    scene.put("own", "token", &revoked).await;
    scene.is("refused").await;
    assert_eq!(scene.stored().await.unwrap(), theirs);
    controller.kill();
    scene.free_lease().await;
    scene.store(&key).await;

    let _controller = scene.controller(&format!("{PASSWORD_MODE}{QUICK}")).await;
    let key = scene.replaced(&key).await;
    assert_eq!(scene.argocd.ours(&session), [id_of(&key)]);
    assert!(scene.argocd.accepts(&theirs), "what a person pasted is theirs");
}
