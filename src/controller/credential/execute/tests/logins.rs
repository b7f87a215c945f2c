//! A login is recorded before it is sent, and its end afterwards.

use super::*;

#[tokio::test]
async fn the_attempt_is_written_down_before_the_login_and_taken_away_after_it() {
    let mut scene = Scene::new(&[]).await;
    let (server, seen) = (scene.server.clone(), Arc::new(Mutex::new(Vec::new())));
    let at_login = Arc::clone(&seen);
    scene.argocd.script(move |method, path, _| {
        if (method, path) == ("POST", "/api/v1/session") {
            at_login.lock().unwrap().push(server.get(&secret("rel-state"))["data"]["login"].clone());
        }
        None
    });
    scene.execute(Action::Login).await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert!(matches!(seen.as_slice(), [Value::String(_)]), "written before Argo CD was asked: {seen:?}");
    assert_eq!(scene.remembered(LOGIN_ENTRY), Value::Null);
    assert!(scene.memory.session.is_some() && scene.memory.succeeded.is_none());
}

#[tokio::test]
async fn an_attempt_that_can_not_be_written_down_is_not_made() {
    for status in [409, 500] {
        let mut scene = Scene::new(&[]).await;
        scene.server.script(move |call, _| {
            let entry = call.is("PATCH", "/rel-state") && call.body["data"].get("login").is_some();
            entry.then_some(Answer::Status(status, "no"))
        });
        scene.execute(Action::Login).await.unwrap_err();
        assert!(scene.argocd.calls().iter().all(|call| !call.starts_with("POST")), "{status}");
    }
}

#[tokio::test]
async fn a_refused_login_stays_written_down_with_what_was_said() {
    let mut scene = Scene::new(&[]).await;
    scene.server.put(&secret("argocd-initial-admin-secret"), data("password", "wrong "));
    scene.execute(Action::Login).await.unwrap();
    let attempt = scene.remembered(LOGIN_ENTRY);
    let said = attempt["tries"][0]["end"]["refused"].as_str().unwrap();
    assert!(said.contains("Invalid username or password") && said.contains("white space"), "{said}");
    assert!(!attempt.to_string().contains("wrong"), "only a keyed hash of it");
    assert!(scene.memory.session.is_none());
}

#[tokio::test]
async fn how_a_login_ended_is_written_though_others_write_the_same_secret() {
    let mut scene = Scene::new(&[]).await;
    let mut puts = 0;
    scene.server.script(move |call, objects| {
        if call.is("PATCH", "/rel-state") && call.body["data"].get("login").is_some() {
            puts += 1;
            // Not before the first write, which precedes the login.
            if (2..=4).contains(&puts) {
                objects.merge(&call.path, &json!({ "data": { "values": STANDARD.encode(puts.to_string()) } }));
            }
        }
        None
    });
    scene.execute(Action::Login).await.unwrap();
    assert_eq!(scene.remembered(LOGIN_ENTRY), Value::Null);
    assert_eq!(scene.remembered("values"), 4, "and theirs stays");
}

#[tokio::test]
async fn a_login_counts_whoever_answered_it_and_with_what() {
    let mut scene = Scene::new(&[]).await;
    scene.argocd.script(|_, path, _| (path == "/api/v1/session").then(|| refusal(429, "later")));
    assert!(matches!(scene.execute(Action::Login).await, Err(ExecuteError::ArgoCd(_))));
    assert_eq!(scene.remembered(LOGIN_ENTRY)["tries"][0]["end"], "unheard");
}

#[tokio::test]
async fn a_login_that_the_record_forbids_is_not_sent_whatever_is_planned() {
    let mut scene = Scene::new(&[]).await;
    let sent = |scene: &Scene| scene.argocd.calls().iter().filter(|call| *call == "POST /api/v1/session").count();
    let password = |scene: &Scene, word: &str| {
        scene.server.put(&secret("argocd-initial-admin-secret"), data("password", word));
    };
    for (word, logins) in [("one", 1), ("one", 0), ("two", 1), ("three", 1), ("four", 0), (PASSWORD, 0)] {
        password(&scene, word);
        let before = scene.remembered(LOGIN_ENTRY);
        scene.execute(Action::Login).await.unwrap();
        assert_eq!(sent(&scene), logins, "{word}");
        assert_eq!(scene.remembered(LOGIN_ENTRY) == before, logins == 0, "{word}");
    }
    assert!(scene.memory.session.is_none(), "no, not with the right one either");
}

#[tokio::test]
async fn before_a_login_it_is_asked_whether_argocd_is_there_at_all() {
    let mut scene = Scene::new(&[]).await;
    // Another program's server, which has no such API.
    scene.argocd.script(|_, path, _| (path == "/api/version").then(|| (502, json!("a page"))));
    assert!(matches!(scene.execute(Action::Login).await, Err(ExecuteError::ArgoCd(_))));
    assert!(scene.argocd.calls().iter().all(|call| !call.starts_with("POST")));
    assert_eq!(scene.remembered(LOGIN_ENTRY), Value::Null, "none of the few is used up");
}

#[tokio::test]
async fn a_login_that_fails_beside_a_key_that_works_takes_nothing_from_the_key() {
    let id = ours('a');
    let mut scene = Scene::new(&[&id]).await;
    scene.holds(&id);
    scene.argocd.script(|_, path, _| (path == "/api/v1/session").then(|| refusal(429, "later")));
    assert!(matches!(scene.execute(Action::Login).await, Err(ExecuteError::Minor(_))));
    assert_eq!(scene.remembered(LOGIN_ENTRY)["tries"][0]["end"], "unheard", "and counts");
}

#[tokio::test]
async fn the_wait_between_logins_is_the_settings() {
    for (wait, logins) in [("1s", 1), ("310s", 0)] {
        let mut scene = Scene::new(&[]).await;
        let settings = format!("argocd: {{ url: '{}' }}\ncredentials: {{ loginWait: {wait} }}", scene.argocd.url());
        (scene.context, scene.lease) = context(&scene.server, &settings);
        State::open(&scene.context).await.unwrap();
        let tried = |credential: &str| json!({ "credential": credential, "at": now() - 5, "end": { "refused": "no" } });
        let record = json!({ "tries": [tried("a"), tried("b"), tried("c")] }).to_string();
        scene.server.merge(&secret("rel-state"), &json!({ "data": { "login": STANDARD.encode(record) } }));
        scene.execute(Action::Login).await.unwrap();
        let sent = scene.argocd.calls().iter().filter(|call| *call == "POST /api/v1/session").count();
        assert_eq!(sent, logins, "three, five seconds ago, with a wait of {wait}");
    }
}
