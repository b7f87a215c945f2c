//! A login is recorded before it is sent, and its end afterwards.

use super::*;
use crate::argocd::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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
        StateSecret::open(&scene.context).await.unwrap();
        let tried = |credential: &str| json!({ "credential": credential, "at": now() - 5, "end": { "refused": "no" } });
        let record = json!({ "tries": [tried("a"), tried("b"), tried("c")] }).to_string();
        scene.server.merge(&secret("rel-state"), &json!({ "data": { "login": STANDARD.encode(record) } }));
        scene.execute(Action::Login).await.unwrap();
        let sent = scene.argocd.calls().iter().filter(|call| *call == "POST /api/v1/session").count();
        assert_eq!(sent, logins, "three, five seconds ago, with a wait of {wait}");
    }
}

/// An Argo CD that says its version, once, and is gone then.
async fn gone_after_its_version() -> Server {
    use crate::argocd::{Base, Proxies, Target};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Base::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(listener);
        let _ = stream.read(&mut [0; 4096]).await.unwrap();
        let (head, body) =
            ("HTTP/1.1 200 OK\r\ncontent-type: application/json", json!({ "Version": "v3" }).to_string());
        let answer = format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    });
    Server::new(Target { proxies: Proxies::none(), ..Target::new(base) }).unwrap()
}

#[tokio::test]
async fn a_login_that_was_never_sent_counts_for_nothing() {
    let mut scene = Scene::new(&[]).await;
    scene.client = gone_after_its_version().await;
    StateSecret::open(&scene.context).await.unwrap();
    let tried = json!({ "user": "u", "credential": "another", "at": now() - 5, "end": { "refused": "no" } });
    let before = json!({ "tries": [tried] });
    let entry = json!({ "data": { "login": STANDARD.encode(before.to_string()) } });
    scene.server.merge(&secret("rel-state"), &entry);
    assert!(matches!(scene.execute(Action::Login).await, Err(ExecuteError::ArgoCd(_))));
    assert_eq!(scene.server.writes(), ["PATCH rel-state"; 2], "written down, and taken back");
    assert_eq!(scene.remembered(LOGIN_ENTRY), before);
}

#[tokio::test]
async fn white_space_is_blamed_only_where_there_is_some() {
    for (password, blamed) in [("wrong", false), ("wrong\n", true), (" wrong", true)] {
        let mut scene = Scene::new(&[]).await;
        scene.server.put(&secret("argocd-initial-admin-secret"), data("password", password));
        scene.execute(Action::Login).await.unwrap();
        let said = scene.remembered(LOGIN_ENTRY)["tries"][0]["end"]["refused"].clone();
        assert_eq!(said.as_str().unwrap().contains("white space"), blamed, "{password:?}: {said}");
    }
}

#[tokio::test]
async fn how_a_login_ended_is_tried_to_be_written_six_times_and_only_against_others_writes() {
    // How many of the writes after the login meet another one, or fail; how many there are; how it ends.
    for (conflicts, failures, writes, written) in [(5, 0, 6, true), (20, 0, 6, false), (0, 1, 1, false)] {
        let mut scene = Scene::new(&[]).await;
        let puts = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&puts);
        scene.server.script(move |call, objects| {
            if !call.is("PATCH", "/rel-state") || call.body["data"].get("login").is_none() {
                return None;
            }
            let mut puts = counted.lock().unwrap();
            *puts += 1;
            // The first stands before the login.
            let after = *puts - 1;
            if (1..=conflicts).contains(&after) {
                objects.merge(&call.path, &json!({ "data": { "values": STANDARD.encode(puts.to_string()) } }));
            }
            (1..=failures).contains(&after).then_some(Answer::Status(500, "etcd"))
        });
        let result = scene.execute(Action::Login).await;
        assert_eq!(result.is_ok(), written, "{conflicts} {failures}: {result:?}");
        assert_eq!(*puts.lock().unwrap() - 1, writes, "{conflicts} {failures}");
        assert_eq!(scene.remembered(LOGIN_ENTRY).is_null(), written);
    }
}
