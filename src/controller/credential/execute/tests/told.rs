//! What people are told of an act, and about which object.

use super::super::super::record::LostKey;
use super::*;

/// The Events since this was asked last: reason, type, and what each is about.
fn told(scene: &Scene) -> Vec<(String, String, Value)> {
    let calls = scene.server.calls();
    let events = calls.iter().filter(|call| call.is("POST", "/events"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    events.map(|call| (text(&call.body["reason"]), text(&call.body["type"]), call.body["regarding"].clone())).collect()
}

/// The key's Secret, as an Event names it.
fn the_secret(scene: &Scene) -> Value {
    let uid = scene.server.get(&secret("argocd-token"))["metadata"]["uid"].clone();
    assert!(uid.is_string());
    json!({ "apiVersion": "v1", "kind": "Secret", "name": "argocd-token", "namespace": NAMESPACE, "uid": uid })
}

#[tokio::test]
async fn an_event_is_about_the_secret_that_was_written() {
    let mut scene = Scene::with_fresh_key(&[]).await;
    scene.execute(Action::Store(MintReason::Refused)).await.unwrap();
    assert_eq!(told(&scene), [("CredentialReplaced".to_owned(), "Normal".to_owned(), the_secret(&scene))]);
    let text = scene.context.metrics.text().unwrap();
    assert!(text.contains("credential_regenerations_total{reason=\"refused\"} 1"), "{text}");
}

#[tokio::test]
async fn each_key_that_vanished_is_told_of_once() {
    let mut scene = Scene::new(&[]).await;
    scene.holds(&ours('c'));
    let lost = |id: char| LostKey { id: ours(id), at: now(), lived: 12 };
    let record = |lost: Vec<LostKey>| CredentialRecord { lost, ..CredentialRecord::default() };
    let (one, two) = (lost('a'), lost('b'));
    scene.execute(Action::Remember(record(vec![one.clone()]))).await.unwrap();
    let warning = || ("KeyVanished".to_owned(), "Warning".to_owned(), the_secret(&scene));
    assert_eq!(told(&scene), [warning()]);
    scene.execute(Action::Remember(record(vec![one.clone(), two.clone()]))).await.unwrap();
    let warning = || ("KeyVanished".to_owned(), "Warning".to_owned(), the_secret(&scene));
    assert_eq!(told(&scene), [warning()], "the first was told of before");
    let notes = scene.server.events();
    for key in [one, two] {
        let note = format!("KeyVanished: API key {} vanished from Argo CD after it had worked for 12 s", key.id);
        assert!(notes.contains(&note), "{notes:?}");
    }
    assert!(scene.context.metrics.text().unwrap().contains("credential_lost_keys_total 2"));
}
