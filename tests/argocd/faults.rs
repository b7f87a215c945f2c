//! What goes wrong with Argo CD, with the account and with the network: nothing is made that needn't
//! be, nothing is lost, and it comes right by itself.

use super::account::id_of;
use super::runtime::{PASSWORD_MODE, QUICK, Runtime};
use crate::support::cluster::{eventually, say};
use crate::support::process::Process;
use crate::support::proxy::{Fate, Proxy};
use hyper::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A controller that has made its key.
async fn settled(scene: &Runtime) -> (Process, String) {
    let controller = scene.quick().await;
    let key = scene.works().await;
    scene.is("valid").await;
    (controller, key)
}

/// That nothing was made and the key still works.
async fn unharmed(scene: &Runtime, key: &str, controller: &Process) {
    scene.is("valid").await;
    assert_eq!(scene.stored().await.as_deref(), Some(key));
    assert!(scene.argocd.accepts(key));
    let session = scene.argocd.session().await;
    assert_eq!(scene.argocd.keys(&session).len(), 1, "{:?}", scene.argocd.keys(&session));
    assert_eq!(controller.metric("argocd_auth_webhook_credential_regenerations_total{reason=\"refused\"}"), 0);
}

/// Some more looks at a key that is refused now.
async fn looked_on(controller: &Process) {
    let calls = || controller.metric("argocd_auth_webhook_argocd_call_duration_seconds_count{call=\"userinfo\"}");
    let before = calls();
    eventually("some more looks", async || match calls() {
        now if now >= before + 3 => Ok(()),
        now => Err(format!("{now} of {before} + 3")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_refuses_good_keys_makes_nobody_mint() {
    let scene = Runtime::new("broken").await;
    let (controller, key) = settled(&scene).await;
    let label = |value: Value| json!({ "metadata": { "labels": { "app.kubernetes.io/part-of": value } } });
    let flag = |value: Value| json!({ "data": { "accounts.other.enabled": value } });
    let time = |value: Value| json!({ "stringData": { "admin.passwordMtime": value } });
    let secret = scene.cluster.get(&scene.path("secret", "argocd-secret")).await.unwrap();
    let before = super::server::decoded(&secret["data"]["admin.passwordMtime"]).unwrap();
    let data = |key: &str, value: Value| json!({ "data": { key: value } });
    let was = |key: &str| data(key, secret["data"][key].clone());
    for (what, kind, name, damage, mend) in [
        (
            "a non-boolean accounts.other.enabled",
            "configmap",
            "argocd-cm",
            flag(json!("yes please")),
            flag(Value::Null),
        ),
        ("argocd-cm without its label", "configmap", "argocd-cm", label(Value::Null), label(json!("argocd"))),
        (
            "passwordMtime in the future",
            "secret",
            "argocd-secret",
            time(json!("2099-01-01T00:00:00Z")),
            time(json!(before)),
        ),
        (
            "garbage in admin.tokens",
            "secret",
            "argocd-secret",
            data("admin.tokens", json!(super::server::encoded("[garbage"))),
            was("admin.tokens"),
        ),
        (
            "server.secretkey taken away",
            "secret",
            "argocd-secret",
            data("server.secretkey", Value::Null),
            was("server.secretkey"),
        ),
    ] {
        scene.argocd.configure(kind, name, &damage).await;
        eventually("the key is refused", async || if scene.argocd.accepts(&key) { Err(String::new()) } else { Ok(()) })
            .await;
        let status = eventually("it is noticed", async || match scene.status().await {
            Ok(status) if status["state"] != "valid" => Ok(status),
            other => Err(format!("{other:?}")),
        })
        .await;
        looked_on(&controller).await;
        say(&format!("{what}: {} ({})", status["state"], status["message"].as_str().unwrap_or_default()));
        scene.argocd.configure(kind, name, &mend).await;
        unharmed(&scene, &key, &controller).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_from_the_account_is_waited_for() {
    let scene = Runtime::new("account").await;
    let (controller, key) = settled(&scene).await;
    let capabilities = |value: &str| json!({ "data": { "accounts.admin": value } });
    scene.argocd.configure("configmap", "argocd-cm", &capabilities("login")).await;
    let status = scene.is("no_api_key").await;
    looked_on(&controller).await;
    say(&format!("apiKey taken away: {}", status["message"]));
    scene.argocd.configure("configmap", "argocd-cm", &capabilities("apiKey, login")).await;
    unharmed(&scene, &key, &controller).await;

    let enabled = |value: Value| json!({ "data": { "accounts.admin.enabled": value } });
    scene.argocd.configure("configmap", "argocd-cm", &enabled(json!("false"))).await;
    let status = scene.is("login_refused").await;
    looked_on(&controller).await;
    say(&format!("account disabled: {}", status["message"]));
    scene.argocd.configure("configmap", "argocd-cm", &enabled(Value::Null)).await;
    unharmed(&scene, &key, &controller).await;
    assert_eq!(scene.events_of("AccountWithoutApiKey").await.len(), 1, "one Event, not one a try");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_argocd_that_is_away_or_answers_nonsense_changes_nothing() {
    let mut scene = Runtime::new("away").await;
    let proxy = Proxy::before(scene.argocd.port).await;
    let config = format!("{PASSWORD_MODE}{QUICK}");
    let controller = scene.controller_at(&proxy.url(), &config).await;
    let key = scene.works().await;
    scene.is("valid").await;
    scene.argocd.kill();
    let status = scene.is("unavailable").await;
    say(&format!("away: {}", status["message"]));
    scene.argocd.run().await;
    unharmed(&scene, &key, &controller).await;

    let html = || Fate::Answer(200, "text/html", "<html>hello</html>".to_owned(), None);
    let error = |status| {
        Fate::Answer(status, "application/json", json!({ "error": "x", "code": 2, "message": "x" }).to_string(), None)
    };
    let location = |to: &str| Fate::Answer(307, "text/html", String::new(), Some(("location", to.to_owned())));
    let wait = Fate::Answer(429, "application/json", "{}".to_owned(), Some(("retry-after", "3".to_owned())));
    let cut = Fate::Answer(200, "application/json", "{\"loggedIn\":tr".to_owned(), None);
    for (what, fate) in [
        ("500", error(500)),
        ("503", error(503)),
        ("JSON 404", error(404)),
        ("HTML with 200", html()),
        ("a redirect to https", location("https://argocd.example/api")),
        ("a redirect to another path", location("//api")),
        ("429 with Retry-After", wait),
        ("429 without", error(429)),
        ("a body that is cut off", cut),
        ("no answer at all", Fate::Lost),
    ] {
        proxy.rule(move |_, _| fate.clone());
        let status = scene.is("unavailable").await;
        say(&format!("{what}: {}", status["message"]));
        proxy.rule(|_, _| Fate::Pass);
        unharmed(&scene, &key, &controller).await;
    }
    assert!(controller.metric("argocd_auth_webhook_argocd_errors_total{kind=\"not_argocd\"}") > 0);
    assert!(controller.metric("argocd_auth_webhook_argocd_errors_total{kind=\"redirect\"}") > 0);
    assert!(controller.metric("argocd_auth_webhook_argocd_errors_total{kind=\"too_many_requests\"}") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_is_followed_whenever_the_secret_is() {
    let scene = Runtime::new("password").await;
    let first = scene.argocd.password().await;
    let session = scene.argocd.session_with(&first);
    let proxy = Proxy::before(scene.argocd.port).await;
    scene.put("own", "password", &first).await;
    let auth = "auth: {type: password, passwordSecretKeyRef: {name: own, key: password}}\n";
    // The wait of a real installation: a wrong password must not be tried again within it.
    let times = "credentials: {followAfter: 2s, checkInterval: 1s, loginWait: 310s}\n";
    let controller = scene.controller_at(&proxy.url(), &format!("{auth}{times}")).await;
    let mut key = scene.works().await;

    // The Secret first: nothing happens until the password changes.
    let second = "second-password-of-the-tests";
    scene.put("own", "password", second).await;
    let logins = proxy.count("POST /api/v1/session");
    looked_on(&controller).await;
    assert_eq!(proxy.count("POST /api/v1/session"), logins, "a key that works needs no login");
    scene.argocd.change_password(&session, &first, second);
    key = scene.replaced(&key).await;

    // The password first, and the Secret soon after and long after.
    let mut before = second;
    for after in ["third-password-of-the-tests", "fourth-password-of-the-tests"] {
        let session = scene.argocd.session_with(before);
        scene.argocd.change_password(&session, before, after);
        let status = scene.is("login_refused").await;
        let logins = proxy.count("POST /api/v1/session");
        looked_on(&controller).await;
        looked_on(&controller).await;
        assert_eq!(proxy.count("POST /api/v1/session"), logins, "the same password isn't tried again");
        assert!(status["message"].as_str().unwrap().contains("others have locked the account"), "{status}");
        let begun = Instant::now();
        scene.put("own", "password", after).await;
        key = scene.replaced(&key).await;
        say(&format!("the password changed, then the Secret: a new key {:?} after it", begun.elapsed()));
        // Else the next turn would read the refusal of this one.
        scene.is("valid").await;
        before = after;
    }
    assert!(scene.argocd.accepts(&key) && id_of(&key).starts_with("argocd-auth-webhook-"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_login_is_not_tried_again_by_the_next_process() {
    let scene = Runtime::new("lockout").await;
    scene.put("own", "password", "a-wrong-password-of-the-tests").await;
    let auth = "auth: {type: password, passwordSecretKeyRef: {name: own, key: password}}\n";
    let proxy = Proxy::before(scene.argocd.port).await;
    for turn in 0..3 {
        let mut controller = scene.controller_at(&proxy.url(), auth).await;
        eventually("it says so", async || {
            let state = "argocd_auth_webhook_credential_state{state=\"login_refused\"}";
            if controller.metric(state) == 1 { Ok(()) } else { Err(format!("turn {turn}")) }
        })
        .await;
        controller.kill();
        scene.free_lease().await;
    }
    assert_eq!(proxy.count("POST /api/v1/session"), 1);

    // Whoever writes two wrong ones in turns makes two tries of it, and no lock-out.
    let mut controller =
        scene.controller_at(&proxy.url(), &format!("{auth}credentials: {{checkInterval: 1s}}\n")).await;
    let looks = || controller.printed().matches("\"planned\"").count();
    for _ in 0..3 {
        for password in ["a-second-wrong-password", "a-wrong-password-of-the-tests"] {
            let before = looks();
            scene.put("own", "password", password).await;
            eventually("two more looks", async || match looks() {
                now if now >= before + 2 => Ok(()),
                now => Err(format!("{now} of {before} + 2")),
            })
            .await;
        }
    }
    controller.kill();
    scene.free_lease().await;
    assert_eq!(proxy.count("POST /api/v1/session"), 2);

    // One that ended before it heard the answer leaves the same mark.
    let right = scene.argocd.password().await;
    scene.put("own", "password", &right).await;
    proxy.rule(
        |method, uri| {
            if *method == Method::POST && uri.path() == "/api/v1/session" { Fate::Lost } else { Fate::Pass }
        },
    );
    let mut controller = scene.controller_at(&proxy.url(), auth).await;
    eventually("another login", async || match proxy.count("POST /api/v1/session") {
        3 => Ok(()),
        other => Err(format!("{other}")),
    })
    .await;
    controller.kill();
    scene.free_lease().await;
    proxy.rule(|_, _| Fate::Pass);
    let _controller = scene.controller_at(&proxy.url(), &format!("{auth}credentials: {{loginWait: 8s}}\n")).await;
    let begun = Instant::now();
    scene.works().await;
    say(&format!("killed in a login, with a wait of 8 s: a key after {:?}", begun.elapsed()));
    assert_eq!(proxy.count("POST /api/v1/session"), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_argocd_is_waited_for() {
    let scene = Runtime::new("slow").await;
    let proxy = Proxy::before(scene.argocd.port).await;
    proxy.rule(|_, _| Fate::Slow(Duration::from_secs(2)));
    let begun = Instant::now();
    let controller = scene.controller_at(&proxy.url(), &format!("{PASSWORD_MODE}{QUICK}")).await;
    scene.works().await;
    scene.is("valid").await;
    say(&format!("every answer takes 2 s longer: a first key after {:?}", begun.elapsed()));
    let session = scene.argocd.session().await;
    assert_eq!(scene.argocd.keys(&session).len(), 1);
    assert_eq!(controller.metric("argocd_auth_webhook_argocd_errors_total{kind=\"timed_out\"}"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_password_nothing_is_tried() {
    let scene = Runtime::new("no-password").await;
    let auth = "auth: {type: password, passwordSecretKeyRef: {name: own, key: password}}\n";
    let proxy = Proxy::before(scene.argocd.port).await;
    let _controller = scene.controller_at(&proxy.url(), auth).await;
    let status = scene.is("missing").await;
    say(&format!("no password: {} ({})", status["message"], status["advice"]));
    assert_eq!(proxy.count("POST"), 0);
    let password = scene.argocd.password().await;
    scene.put("own", "password", &password).await;
    scene.works().await;
}
