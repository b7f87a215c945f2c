//! What of the status is shown, and how.

use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000;

fn status(credential: Option<&Value>, pods: Option<&Value>) -> Status {
    let (credential, pods) = (credential.map(Value::to_string), pods.map(Value::to_string));
    let event = Line {
        at: NOW - 200,
        warning: true,
        reason: "CredentialRefused".to_owned(),
        about: "Secret argocd-token".to_owned(),
        note: "a new key is made".to_owned(),
    };
    let place = "codefresh/argocd-auth-webhook-status".to_owned();
    let there = credential.is_some() || pods.is_some();
    let parts = [credential.as_deref(), pods.as_deref(), None];
    let status = Status::new(place, there, parts, Ok(vec![event]), NOW);
    status.led_by(Leader::There("hook-controller-0".to_owned()))
}

#[test]
fn all_of_it_is_one_screen() {
    let time = |ago: i64| crate::time::rfc3339(NOW - ago);
    let credential = json!({
        "mode": "password", "secret": "argocd-token", "key": "token", "account": "admin", "state": "valid",
        "message": "the key works and never expires", "server": "http://argocd-server.codefresh.svc",
        "settings": "auth: password mode, user admin, Secret argocd-initial-admin-secret, key password; by default: Argo CD at Service argocd-server, port 80",
        "checkedAt": time(90), "validSince": time(90_000), "keyId": "argocd-auth-webhook-codefresh-2",
        "keys": [{"id": "argocd-auth-webhook-codefresh-2", "issuedAt": time(90_000), "current": true},
            {"id": "argocd-auth-webhook-codefresh-1", "issuedAt": time(900_000), "current": false}],
    });
    let pod = |number: usize, verdict: &str| json!({"name": format!("pod-{number}"), "service": "app-proxy", "verdict": verdict, "reason": "it was missed"});
    let pods: Vec<Value> = (0..12).map(|number| pod(number, "lacks")).chain([pod(13, "in_step")]).collect();
    let pods = json!({"pods": pods, "counts": {"in_step": 1, "lacks": 12, "odd": 0}, "waiting": {"Deployment a": "it is paused"}});
    let whole = status(Some(&credential), Some(&pods));
    assert!(!whole.is_good(), "pods wait");
    insta::assert_snapshot!(whole.to_string());

    let refused = json!({
        "mode": "token", "secret": "mine", "key": "token", "account": null, "state": "refused", "message": "no",
        "advice": "make a new key", "checkedAt": time(9000), "expiresAt": time(-9000), "keys": [],
    });
    let refused = status(Some(&refused), None);
    assert!(!refused.is_good());
    insta::assert_snapshot!("refused", refused.to_string());
    insta::assert_snapshot!("nothing", status(None, None).to_string());
    assert!(Status { colour: true, ..refused }.to_string().contains("\x1b[31mrefused\x1b[0m"));
    assert_eq!(whole.json()["credential"], credential);
}

#[test]
fn a_webhook_that_is_not_registered_needs_a_person() {
    let credential = json!({ "state": "valid", "seenAt": crate::time::rfc3339(NOW - 9), "freshFor": 300 });
    let part = |registered: bool| {
        let part =
            json!({ "registered": registered, "message": "gone\x1b[2J", "advice": "bring it back\nController: there" });
        part.as_object().cloned()
    };
    for (webhook, good) in [(None, true), (part(true), true), (part(false), false)] {
        let status = Status { webhook, ..status(Some(&credential), None) };
        let text = status.to_string();
        assert_eq!(status.is_good(), good, "{text}");
        assert_eq!(text.contains("\nWebhook: not registered: gone"), !good, "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("\nController: there"), "{text:?}");
    }
}

#[test]
fn a_reason_that_many_workloads_share_is_said_once() {
    let mut waiting: Map<String, Value> =
        (0..12).map(|n| (format!("Deployment/{n:02}"), json!("not allowed"))).collect();
    waiting.insert("StatefulSet/a".to_owned(), json!("it is paused"));
    let said = status(None, Some(&json!({ "waiting": waiting }))).to_string();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("wait")).collect();
    let wanted = [
        "  StatefulSet/a waits: it is paused",
        "  Deployment/00, Deployment/01, Deployment/02 and 9 more wait: not allowed",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn only_what_was_just_seen_to_work_is_good() {
    let time = |ago: i64| crate::time::rfc3339(NOW - ago);
    let seen =
        |state: &str, ago: i64| json!({"state": state, "checkedAt": time(0), "seenAt": time(ago), "freshFor": 900});
    let good = |credential: &Value, pods: Option<&Value>| {
        let status = status(Some(credential), pods);
        assert_eq!(status.json()["good"], json!(status.is_good()));
        status.is_good()
    };
    assert!(good(&seen("valid", 899), None));
    assert!(!good(&seen("valid", 900), None));
    assert!(good(&seen("valid", -30), None), "a clock that is a little ahead");
    assert!(!good(&seen("valid", -900), None), "a time that hasn't come");
    assert!(status(Some(&seen("valid", 900)), None).to_string().starts_with("Credential: unverified since 20"));
    assert!(!good(&seen("key_lost", 1), None));
    assert!(!good(&json!({"state": "valid", "checkedAt": time(300)}), None), "of an older controller");
    assert!(!good(&json!({"state": "valid"}), None), "nobody knows when");
    for name in ["missed", "outdated", "stale", "not_ready"] {
        assert!(!good(&seen("valid", 1), Some(&json!({"counts": {name: 1}}))), "{name}");
    }
    assert!(!good(&seen("valid", 1), Some(&json!({"counts": {}, "waiting": {"Deployment a": "it is paused"}}))));
    assert!(good(&seen("valid", 1), Some(&json!({"counts": {"in_step": 3, "stale": 0}, "waiting": {}}))));
    assert!(!status(None, None).is_good());
    // Without a running controller nothing is checked any more.
    let works = json!({ "state": "valid", "seenAt": crate::time::rfc3339(NOW - 1) });
    assert!(status(Some(&works), None).is_good());
    for (leader, says) in [
        (Leader::Gone(NOW - 7300), Some("not there: its Lease was renewed 2 h ago")),
        (Leader::Gone(NOW + 7300), Some("not there: its Lease was renewed at 20")),
        (Leader::Never, Some("not there: it has no Lease here")),
        (Leader::Unknown("may not".to_owned()), None),
    ] {
        let led = status(Some(&works), None).led_by(leader);
        assert_eq!(led.is_good(), says.is_none());
        assert_eq!(led.json()["good"], says.is_none());
        let said = led.to_string();
        assert!(said.contains(says.unwrap_or("Controller: not known: may not\n")), "{said}");
    }
}

#[test]
fn nobody_who_writes_the_status_steers_the_terminal_or_forges_a_line() {
    let evil = "x\u{1b}]52;c;x\u{7}\u{202e}\nCredential: valid";
    let text = |names: &[&str]| {
        Value::Object(
            names
                .iter()
                .map(|name| ((*name).to_owned(), evil.into()))
                .chain([("keys".to_owned(), json!([{"id": evil, "issuedAt": evil}]))])
                .collect(),
        )
    };
    let credential = text(&[
        "state",
        "message",
        "advice",
        "mode",
        "account",
        "secret",
        "key",
        "server",
        "settings",
        "keyId",
        "validSince",
        "expiresAt",
        "seenAt",
        "checkedAt",
    ]);
    let pods = json!({"counts": {evil: 1}, "pods": [{"name": evil, "verdict": evil, "reason": evil}], "waiting": {evil: evil}});
    let mut status = status(Some(&credential), Some(&pods));
    if let Ok(events) = &mut status.events {
        events[0] =
            Line { reason: evil.to_owned(), about: evil.to_owned(), note: evil.to_owned(), ..events[0].clone() };
    }
    let said = status.to_string();
    assert!(!said.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}'), "{said}");
    assert!(!said.lines().any(|line| line.starts_with("Credential: valid")), "{said}");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        let names = "(state|keys|id|issuedAt|checkedAt|pods|counts|waiting|name|verdict|expiresAt)";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(names, inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_shape_is_too_strange(credential in any_json(), pods in any_json()) {
        let status = status(Some(&credential), Some(&pods));
        let _ = (status.to_string(), status.json());
    }
}
