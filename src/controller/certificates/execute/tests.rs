//! Each action against a scripted API server: what is written, under which precondition, and what is left
//! alone.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

mod told;

use super::super::objects::{adopt, release_field_ownership};
use super::super::scripted::{CONFIGURATION, Scene, decoded};
use super::*;
use crate::cluster::Cause;
use crate::cluster::scripted::secret;
use crate::controller::ROTATE;
use crate::pki::verifies;
use crate::time::now;

const ACCOUNT: &str = "/api/v1/namespaces/codefresh/serviceaccounts/rel";

impl Scene {
    /// Every action that has something to change.
    async fn actions(&self) -> Vec<Action> {
        let mut actions = vec![
            Action::MakeCa(Place::Current, Reason::Absent),
            Action::MakeCa(Place::Next, Reason::Due),
            Action::Promote(Place::Next, Reason::Rotation),
            Action::Promote(Place::Current, Reason::Rotation),
            Action::Remember(RotationRecord::default(), true),
            Action::MakeLeaf(Place::Current, Reason::Due),
            Action::MakeLeaf(Place::Next, Reason::Rotation),
        ];
        actions.push(Action::WriteBundle(self.ids().await, false));
        actions
    }
}

fn cause(result: Result<(), ExecuteError>) -> Cause {
    match result {
        Err(ExecuteError::Cluster(error)) => error.cause,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_ca_and_its_leaf_are_made_where_there_is_nothing() {
    let scene = Scene::empty();
    scene.execute(Action::MakeCa(Place::Current, Reason::Absent)).await.unwrap();
    assert_eq!(scene.server.writes(), ["PATCH rel-ca", "PATCH rel-ca"], "made, then filled");
    let held = scene.data("rel-ca");
    assert!(held["ca.crt"].is_string() && held["ca.key"].is_string() && held.as_object().unwrap().len() == 2);
    scene.execute(Action::MakeLeaf(Place::Current, Reason::Absent)).await.unwrap();
    let serving = scene.server.get(&secret("rel-serving"));
    assert_eq!(serving["type"], "kubernetes.io/tls");
    assert_eq!(serving["data"]["ca.crt"], held["ca.crt"]);
    let ca = Certificate::first_from_pem(&decoded(&held["ca.crt"])).unwrap();
    let (chain, _) = Certificate::all_from_pem(&decoded(&serving["data"]["tls.crt"]));
    let chain: Vec<_> = chain.into_iter().map(|certificate| certificate.der).collect();
    assert!(verifies(&chain, &ca, "hook.codefresh.svc", now()));
    let events = scene.server.events();
    for reason in ["CertificateAuthorityMade: made a CA (there was none)", "ServingCertificateMade: "] {
        assert!(events.iter().any(|event| event.starts_with(reason)), "{events:?}");
    }
    let keys = [&held["ca.key"], &serving["data"]["tls.key"]].map(|key| String::from_utf8(decoded(key)).unwrap());
    assert!(keys.iter().all(|key| events.iter().all(|event| !event.contains(key.lines().nth(1).unwrap()))));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_wrote_meanwhile_is_not_written_over() {
    for action in Scene::whole().actions().await {
        let scene = Scene::whole();
        let action = match action {
            Action::WriteBundle(..) => Action::WriteBundle(scene.ids().await, false),
            action => action,
        };
        let theirs = json!({ "metadata": { "annotations": { "theirs": "yes" } } });
        scene.server.script(move |call, objects| {
            if call.method == "PATCH" {
                objects.merge(&call.path, &theirs);
            }
            None
        });
        let before =
            [scene.data("rel-ca"), scene.data("rel-serving"), scene.server.get(CONFIGURATION)["webhooks"].clone()];
        assert_eq!(cause(scene.execute(action.clone()).await), Cause::Conflict, "{action:?}");
        let after =
            [scene.data("rel-ca"), scene.data("rel-serving"), scene.server.get(CONFIGURATION)["webhooks"].clone()];
        assert_eq!(before, after, "{action:?}");
        assert!(scene.server.events().is_empty(), "nobody is told of what was not done: {action:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_somebody_else_made_and_filled_first_is_left_to_them() {
    for key in [CA, NEXT].as_flattened() {
        let scene = Scene::empty();
        scene.server.script(move |call, objects| {
            if call.is("PATCH", "/rel-ca") && objects.get(&call.path).is_none() {
                objects.put(&call.path, json!({ "data": { *key: "dGhlaXJz" } }));
            }
            None
        });
        scene.execute(Action::MakeCa(Place::Current, Reason::Absent)).await.unwrap();
        assert_eq!(scene.data("rel-ca"), json!({ *key: "dGhlaXJz" }));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_without_the_lease() {
    for scene in [Scene::whole(), Scene::empty()] {
        let actions = Scene::actions(&scene).await;
        scene.lease.lose();
        for action in actions {
            match scene.execute(action.clone()).await {
                Err(ExecuteError::Cluster(error)) => assert_eq!(error.cause, Cause::NotLeading, "{action:?}"),
                // Without a CA nothing can be signed, and no CA can take over.
                Err(ExecuteError::Missing(_)) => assert!(scene.data("rel-ca").is_null(), "{action:?}"),
                other => panic!("{action:?}: {other:?}"),
            }
        }
        assert!(scene.server.writes().is_empty());
        assert!(scene.server.events().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_lost_between_making_and_filling_stops_the_second() {
    let Scene { server, context, lease, terms } = Scene::empty();
    server.script(move |call, _| {
        if call.is("PATCH", "/rel-ca") {
            lease.lose();
        }
        None
    });
    let lease = crate::controller::scripted::context(&server, "").1;
    let scene = Scene { server, context, lease, terms };
    let result = scene.execute(Action::MakeCa(Place::Current, Reason::Absent)).await;
    assert_eq!(cause(result), Cause::NotLeading);
    assert!(scene.data("rel-ca").is_null(), "made, and not filled");
}

#[tokio::test(start_paused = true)]
async fn the_next_ca_stands_beside_takes_over_or_goes() {
    let scene = Scene::whole();
    let before = scene.data("rel-ca");
    scene.server.merge(&secret("rel-ca"), &json!({ "metadata": { "annotations": { ROTATE: "ca" } } }));
    scene.execute(Action::MakeCa(Place::Next, Reason::Requested)).await.unwrap();
    let made = scene.data("rel-ca");
    assert!(CA.iter().all(|key| made[key] == before[key]) && NEXT.iter().all(|key| made[key] != before[key]));
    assert!(scene.server.get(&secret("rel-ca"))["metadata"]["annotations"].get(ROTATE).is_none(), "answered");
    scene.execute(Action::Promote(Place::Next, Reason::Rotation)).await.unwrap();
    let settled = scene.data("rel-ca");
    assert_eq!(settled, json!({ CA[0]: made[NEXT[0]], CA[1]: made[NEXT[1]] }));
    let scene = Scene::whole();
    let before = scene.data("rel-ca");
    scene.execute(Action::Promote(Place::Current, Reason::Rotation)).await.unwrap();
    assert_eq!(scene.data("rel-ca"), json!({ CA[0]: before[CA[0]], CA[1]: before[CA[1]] }));
    let result = scene.execute(Action::Promote(Place::Next, Reason::Rotation)).await;
    assert!(matches!(result, Err(ExecuteError::Missing(_))), "the only CA is not replaced by nothing");
    assert_eq!(scene.data("rel-ca"), json!({ CA[0]: before[CA[0]], CA[1]: before[CA[1]] }));
    let scene = Scene::whole();
    scene.execute(Action::MakeCa(Place::Current, Reason::Absent)).await.unwrap();
    let keys: Vec<_> = scene.data("rel-ca").as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, CA, "a first CA has none beside it");
}

#[tokio::test(start_paused = true)]
async fn a_leaf_ends_with_its_ca_at_the_latest_and_is_of_the_ca_that_was_named() {
    for (place, key) in [(Place::Current, CA[0]), (Place::Next, NEXT[0])] {
        for (leaf, lasts) in [(10_000, 10_000), (200_000, 100_000)] {
            let mut scene = Scene::whole();
            scene.terms.leaf = leaf;
            let begun = now();
            scene.execute(Action::MakeLeaf(place, Reason::Due)).await.unwrap();
            let serving = scene.data("rel-serving");
            assert_eq!(serving["ca.crt"], scene.data("rel-ca")[key]);
            let made = Certificate::first_from_pem(&decoded(&serving["tls.crt"])).unwrap();
            assert!((made.validity.to - begun - lasts).abs() < 10, "{place:?} {leaf}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_bundle_of_every_entry_holds_the_cas_that_were_named_and_nothing_else_changes() {
    let scene = Scene::whole();
    let (before, ids, data) = (scene.server.get(CONFIGURATION), scene.ids().await, scene.data("rel-ca"));
    scene.execute(Action::WriteBundle(ids.clone(), true)).await.unwrap();
    let written = scene.server.get(CONFIGURATION);
    let wanted = [CA[0], NEXT[0]].map(|key| decoded(&data[key])).concat();
    for (index, entry) in written["webhooks"].as_array().unwrap().iter().enumerate() {
        assert_eq!(decoded(&entry["clientConfig"]["caBundle"]), wanted);
        let mut without = entry.clone();
        without["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        let mut was = before["webhooks"][index].clone();
        was["clientConfig"].as_object_mut().unwrap().remove("caBundle");
        assert_eq!(without, was);
    }
    assert!(scene.server.events().iter().any(|event| event.contains("repaired: somebody had removed")));
    assert!(scene.context.metrics.text().unwrap().contains("repairs_total{what=\"bundle\"} 1"));
    let unknown = Action::WriteBundle(vec![Id([7; 32])], false);
    assert!(matches!(scene.execute(unknown).await, Err(ExecuteError::Missing(_))), "not a bundle with less");
    scene.server.remove(CONFIGURATION);
    let result = scene.execute(Action::WriteBundle(ids, false)).await;
    assert!(matches!(result, Err(ExecuteError::Missing(_))));
    assert!(scene.server.get(CONFIGURATION).is_null(), "whoever applies it makes it");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_means_nothing_is_answered_and_one_that_waits_stays() {
    for (answered, told) in [(true, 1), (false, 0)] {
        let scene = Scene::whole();
        scene.server.merge(&secret("rel-ca"), &json!({ "metadata": { "annotations": { ROTATE: "both" } } }));
        let before = scene.data("rel-ca");
        scene.execute(Action::Remember(RotationRecord::default(), answered)).await.unwrap();
        let found = scene.server.get(&secret("rel-ca"));
        assert_eq!(found["metadata"]["annotations"].get(ROTATE).is_none(), answered);
        assert_eq!(scene.server.events().iter().filter(|event| event.starts_with("UnknownRequest")).count(), told);
        assert_eq!(scene.data("rel-ca"), before);
    }
}

#[tokio::test(start_paused = true)]
async fn secrets_without_an_owner_get_ours_if_they_are_as_they_were() {
    let mut scene = Scene::whole();
    std::sync::Arc::make_mut(&mut scene.context.options).service_account = Some("rel".to_owned());
    let objects = scene.objects().await;
    adopt(&scene.context, &objects).await.unwrap();
    assert!(scene.server.writes().is_empty(), "there is no ServiceAccount, and certificates don't wait for it");
    scene.server.put(ACCOUNT, json!({ "metadata": { "uid": "u" } }));
    adopt(&scene.context, &objects).await.unwrap();
    for name in ["rel-ca", "rel-serving"] {
        assert_eq!(scene.server.get(&secret(name))["metadata"]["ownerReferences"][0]["uid"], "u");
    }
    assert_eq!(adopt(&scene.context, &objects).await.unwrap_err().cause, Cause::Conflict);
    scene.server.calls();
    adopt(&scene.context, &scene.objects().await).await.unwrap();
    assert!(scene.server.writes().is_empty(), "once is enough");
    scene.server.put(ACCOUNT, json!({ "metadata": { "uid": "another" } }));
    scene.lease.lose();
    let error = adopt(&scene.context, &scene.objects().await).await.unwrap_err();
    assert_eq!(error.cause, Cause::NotLeading);
    assert!(scene.server.writes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_given_up_by_the_holder_of_the_lease_only() {
    let scene = Scene::whole();
    let managers =
        json!([{ "manager": FIELD_MANAGER, "operation": "Apply" }, { "manager": "helm", "operation": "Apply" }]);
    scene.server.merge(CONFIGURATION, &json!({ "metadata": { "managedFields": managers } }));
    let read = scene.context.configuration().await.unwrap().unwrap();
    scene.lease.lose();
    assert_eq!(release_field_ownership(&scene.context, &read).await.unwrap_err().cause, Cause::NotLeading);
    assert!(scene.server.writes().is_empty());
    let after = scene.server.get(CONFIGURATION);
    assert_eq!(after["metadata"]["managedFields"], managers);
}
