//! A clock that is off: a key made by one that is ahead is refused until Argo CD's own is there.

use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use super::server::{decoded, encoded, secret_value};
use crate::support::cluster::{eventually, say};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

impl Runtime {
    /// A key of `admin` as a server whose clock is ahead by so many seconds makes it: listed, and with
    /// the signature of this one.
    async fn key_of_a_clock_ahead(&self, id: &str, ahead: u64) -> String {
        let path = self.path("secret", "argocd-secret");
        let secret = self.cluster.get(&path).await.unwrap();
        let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + ahead;
        let claims = json!({ "iss": "argocd", "sub": "admin:apiKey", "nbf": at, "iat": at, "jti": id });
        let head = json!({ "alg": "HS256", "typ": "JWT" });
        let text = [head, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signing = decoded(&secret["data"]["server.secretkey"]).unwrap();
        let signing = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, signing.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&signing, text.as_bytes()));
        let listed = decoded(&secret["data"]["admin.tokens"]).unwrap_or_else(|| "[]".to_owned());
        let mut listed: Vec<serde_json::Value> = serde_json::from_str(&listed).unwrap();
        listed.push(json!({ "id": id, "iat": at }));
        let listed = json!({ "data": { "admin.tokens": encoded(&json!(listed).to_string()) } });
        self.cluster.merge(&path, &listed).await.unwrap();
        secret_value(format!("{text}.{signature}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_clock_that_is_a_minute_ahead_is_waited_for_and_nothing_is_made() {
    let scene = Runtime::new("clock").await;
    let session = scene.argocd.session().await;
    // What a clock that is not ahead makes is taken at once: the signature is right.
    let now = scene.key_of_a_clock_ahead("in-time", 0).await;
    eventually("a key of this clock", async || if scene.argocd.accepts(&now) { Ok(()) } else { Err(String::new()) })
        .await;
    let ahead = scene.key_of_a_clock_ahead("ahead", 60).await;
    assert!(!scene.argocd.accepts(&ahead));
    scene.store(&ahead).await;
    let begun = Instant::now();
    let controller = scene.controller(&format!("{PASSWORD_MODE}{QUICK}")).await;
    let status = scene.is("not_yet_valid").await;
    say(&format!("a minute ahead: {} ({})", status["message"], status["advice"]));
    let regenerated = || controller.metric("argocd_auth_webhook_credential_regenerations_total{reason=\"refused\"}");
    // Longer than what other things are waited for.
    let valid = "argocd_auth_webhook_credential_valid";
    while controller.metric(valid) == 0 {
        assert!(begun.elapsed().as_secs() < 90, "it did not come back");
        assert_eq!((scene.argocd.ours(&session), regenerated()), (Vec::new(), 0));
        let looks = || controller.metric("argocd_auth_webhook_argocd_call_duration_seconds_count{call=\"userinfo\"}");
        let before = looks();
        eventually("another look", async || if looks() > before { Ok(()) } else { Err(String::new()) }).await;
    }
    say(&format!("a minute ahead: valid again after {:?}, and nothing was made", begun.elapsed()));
    assert_eq!(scene.stored().await.as_deref(), Some(ahead.as_str()));
    assert!(scene.argocd.accepts(&ahead));
    assert_eq!((scene.argocd.ours(&session), regenerated()), (Vec::new(), 0));
}
