//! Other mutating webhooks in the same cluster, and the reviews that one of them records.

use super::other_webhook::{Habit, OtherWebhook};
use super::served::{Served, app_proxy, has_token, token_settings};
use crate::support::cluster::{Cluster, Namespaces, eventually, say, workloads_path};
use crate::support::fixtures::{self, Arrives};
use crate::support::scene::unique;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{env, fs};

async fn beside_one_that_adds_a_sidecar(test: &str, other: &str, expected: &[(&str, u64)]) {
    // Both deliveries change lists by place, and the sidecar shifts the places.
    let scene = Served::new(test, &token_settings("delivery: volume")).await;
    let alone = scene.create_pod(&app_proxy("alone")).await.unwrap();
    let counts = || expected.iter().map(|(outcome, _)| scene.webhook.count("app-proxy", outcome)).collect::<Vec<_>>();
    let before = counts();
    let other = format!("{other}-{}", scene.name);
    let _other = OtherWebhook::start(&scene.cluster, &other, scene.namespaces(), Habit::AddSidecar).await;
    let together = scene.create_pod(&app_proxy("together")).await.unwrap();

    let containers = together["spec"]["containers"].as_array().unwrap();
    let names: Vec<_> = containers.iter().map(|container| container["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["sidecar", "cap-app-proxy"]);
    for part in ["env", "volumeMounts"] {
        let without_token = |list: &Value| -> Vec<Value> {
            let of_account = |item: &&Value| item["mountPath"] != "/var/run/secrets/kubernetes.io/serviceaccount";
            list.as_array().unwrap().iter().filter(of_account).cloned().collect()
        };
        let mine = without_token(&containers[1][part]);
        assert_eq!(mine, without_token(&alone["spec"]["containers"][0][part]), "{part}");
        assert!(!mine.is_empty());
    }
    let volumes = together["spec"]["volumes"].as_array().unwrap();
    assert_eq!(volumes.iter().filter(|volume| volume["name"] == "argocd-auth").count(), 1);
    let sidecar = containers[0].to_string();
    assert!(!sidecar.contains("ARGO_CD") && !sidecar.contains("argocd-auth"), "{sidecar}");

    let more: Vec<_> = counts().iter().zip(before).map(|(after, before)| after - before).collect();
    assert_eq!(more, expected.iter().map(|(_, number)| *number).collect::<Vec<_>>(), "{expected:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_again_after_another_webhook_it_changes_nothing_more() {
    // "z" comes after ours, so that ours is asked once more.
    beside_one_that_adds_a_sidecar("before_another", "z", &[("injected", 1), ("already_right", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_injects_into_what_another_webhook_made_of_the_pod() {
    // Whether ours is asked again is not asserted: the API server itself adds a mount to the sidecar.
    beside_one_that_adds_a_sidecar("after_another", "a", &[("injected", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_right_already_gets_no_patch() {
    let scene = Served::new("already_right", &token_settings("")).await;
    let first = scene.create_pod(&app_proxy("first")).await.unwrap();
    assert!(has_token(&first));
    let mut second = app_proxy("second");
    second["spec"]["containers"][0]["env"] = first["spec"]["containers"][0]["env"].clone();
    let second = scene.create_pod(&second).await.unwrap();
    assert_eq!(second["spec"]["containers"][0]["env"], first["spec"]["containers"][0]["env"]);
    assert_eq!(second["metadata"].get("annotations"), None, "not even the status annotation");
    assert_eq!(scene.webhook.count("app-proxy", "already_right"), 1);
}

fn recorded(service: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/reviews/recorded-{service}.json"))
}

/// The minor version of the API server that sent the recorded reviews.
const RECORDED_BY: u32 = 36;

/// Every path in a JSON value, with the places in lists left out.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            // Written as null by older API servers, and left out by newer ones.
            if key == "creationTimestamp" && value.is_null() {
                return;
            }
            // The managed fields name an owner by its uid, which is another one each time.
            let key = if key.starts_with("k:{\"uid\"") { "k:{uid}" } else { key };
            paths(value, &format!("{at}/{key}"), found);
        }),
        Value::Array(list) => list.iter().for_each(|value| paths(value, &format!("{at}/*"), found)),
        _ => {}
    }
}

/// The recorded reviews are what other tests play to the router, so they must be what an API server
/// really sends.
#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_reviews_are_like_those_of_this_api_server() {
    let cluster = Cluster::connect().await;
    let name = unique("recorded-reviews");
    let namespaces = Namespaces::create(&cluster, vec![format!("{name}-classic"), format!("{name}-current")]).await;
    let recorder = OtherWebhook::start(&cluster, &name, &namespaces.names, Habit::Keep).await;
    let fixtures = fixtures::all();
    // Each service once; the app-proxy and the operator are alike in both generations.
    let services: BTreeMap<_, _> = fixtures.iter().map(|fixture| (fixture.service, fixture)).collect();
    for fixture in services.values() {
        let namespace = &namespaces.names[usize::from(fixture.generation == "current")];
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": fixture.service_account() } });
        cluster.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await.unwrap();
        let workload = fixture.arriving(Arrives::Stripped);
        let path = workloads_path(namespace, workload["kind"].as_str().unwrap());
        cluster.create(&path, &workload).await.unwrap();
    }
    let mut reviews: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    eventually("a review of each service", async || {
        for body in recorder.take_reviews() {
            let review: Value = serde_json::from_slice(&body).unwrap();
            let fixture = services.values().find(|fixture| fixture.owns(&review["request"]["object"])).unwrap();
            reviews.insert(fixture.service, body);
        }
        if reviews.len() == services.len() { Ok(()) } else { Err(format!("there are {:?}", reviews.keys())) }
    })
    .await;

    // An older API server drops fields that it doesn't know.
    let version = cluster.get("/version").await.unwrap();
    let minor = version["minor"].as_str().unwrap().trim_end_matches('+');
    let older = minor.parse::<u32>().unwrap() < RECORDED_BY;
    let renew = env::var_os("RECORD_REVIEWS").is_some();
    for (service, body) in reviews {
        let path = recorded(service);
        if renew {
            fs::write(&path, &body).unwrap();
            say(&format!("recorded {}", path.display()));
        }
        let (mut kept, mut sent) = (BTreeSet::new(), BTreeSet::new());
        paths(&serde_json::from_slice(&fs::read(&path).unwrap()).unwrap(), "", &mut kept);
        paths(&serde_json::from_slice(&body).unwrap(), "", &mut sent);
        let dropped = kept.difference(&sent).filter(|_| !older);
        let missing: Vec<_> = sent.difference(&kept).chain(dropped).collect();
        assert!(
            missing.is_empty(),
            "{}: the recorded review and what this API server sends differ in {missing:?}; RECORD_REVIEWS=1 records \
             them anew",
            path.display()
        );
    }
}
