//! What is kept, what is left to others, and which certificate people are told of.

use super::*;
use crate::cluster::scripted::NAMESPACE;
use crate::time::rfc3339;

#[tokio::test(start_paused = true)]
async fn a_leaf_that_is_to_be_renewed_stays_so_when_a_ca_is_made_beside() {
    const RENEW: &str = "argocd-auth-webhook/renew-leaf";
    for (place, stays) in [(Place::Next, true), (Place::Current, false)] {
        let scene = Scene::whole();
        let leaf = Certificate::first_from_pem(&decoded(&scene.data("rel-serving")["tls.crt"])).unwrap();
        let id = leaf.id.to_string();
        scene.server.merge(&secret("rel-ca"), &json!({ "metadata": { "annotations": { RENEW: id } } }));
        scene.execute(Action::MakeCa(place, Reason::Due)).await.unwrap();
        let annotations = scene.server.get(&secret("rel-ca"))["metadata"]["annotations"].clone();
        assert_eq!(annotations.get(RENEW), stays.then(|| json!(id)).as_ref(), "{place:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_serving_secret_that_somebody_else_made_with_a_ca_in_it_is_left_to_them() {
    let scene = Scene::whole();
    scene.server.remove(&secret("rel-serving"));
    scene.server.script(|call, objects| {
        if call.is("PATCH", "/rel-serving") && objects.get(&call.path).is_none() {
            objects.put(&call.path, json!({ "data": { "ca.crt": "dGhlaXJz" } }));
        }
        None
    });
    scene.execute(Action::MakeLeaf(Place::Current, Reason::Absent)).await.unwrap();
    assert_eq!(scene.data("rel-serving"), json!({ "ca.crt": "dGhlaXJz", SERVING[0]: "", SERVING[1]: "" }));
}

#[tokio::test(start_paused = true)]
async fn an_event_names_the_certificate_that_was_made_and_is_about_its_secret() {
    let made = |scene: &Scene, name: &str, key: &str| {
        let made = Certificate::first_from_pem(&decoded(&scene.data(name)[key])).unwrap();
        format!("{}, expires {}", made.id, rfc3339(made.validity.to))
    };
    for (action, name, key) in [
        (Action::MakeCa(Place::Current, Reason::Due), "rel-ca", CA[0]),
        (Action::MakeCa(Place::Next, Reason::Due), "rel-ca", NEXT[0]),
        (Action::MakeLeaf(Place::Current, Reason::Due), "rel-serving", SERVING[0]),
    ] {
        let scene = Scene::whole();
        scene.execute(action.clone()).await.unwrap();
        let calls = scene.server.calls();
        let event = calls.iter().find(|call| call.is("POST", "/events")).map(|call| call.body.clone()).unwrap();
        let note = event["note"].as_str().unwrap();
        assert!(note.ends_with(&format!(": {}", made(&scene, name, key))), "{action:?}: {note}");
        let uid = &scene.server.get(&secret(name))["metadata"]["uid"];
        let about = json!({ "apiVersion": "v1", "kind": "Secret", "name": name, "namespace": NAMESPACE, "uid": uid });
        assert_eq!(event["regarding"], about, "{action:?}");
    }
}
