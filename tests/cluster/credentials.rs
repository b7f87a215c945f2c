//! Pods of all services, of both generations of the chart, made by their controllers.

use super::expected::{Delivery, ways};
use super::served::Served;
use crate::support::cluster::{Cluster, Namespaces, eventually, workloads_path};
use crate::support::fixtures::{self, Arrives, Fixture, GENERATIONS};
use crate::support::scene::unique;
use serde_json::{Value, json};
use std::collections::HashMap;
use tokio::sync::OnceCell;

/// The namespaces of a test: the two generations use the same names, and so do a workload with the
/// chart's variables and one without.
fn settings_of_namespaces() -> Vec<(&'static str, Arrives)> {
    GENERATIONS.iter().flat_map(|&generation| Arrives::ALL.map(|arrives| (generation, arrives))).collect()
}

fn endings() -> Vec<String> {
    settings_of_namespaces().iter().map(|(generation, arrives)| format!("-{generation}-{}", arrives.as_str())).collect()
}

/// Creates the workloads of a generation in a namespace, and returns their pods with what they are of.
async fn create_and_collect<'f>(
    cluster: &Cluster,
    namespace: &str,
    fixtures: &[&'f Fixture],
    arrives: Arrives,
) -> Vec<(&'f Fixture, Value)> {
    for fixture in fixtures {
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": fixture.service_account() } });
        cluster.create(&format!("/api/v1/namespaces/{namespace}/serviceaccounts"), &account).await.unwrap();
        let workload = fixture.arriving(arrives);
        let kind = workload["kind"].as_str().unwrap();
        cluster.create(&workloads_path(namespace, kind), &workload).await.unwrap();
    }
    let wanted: usize = fixtures.iter().map(|fixture| fixture.replicas()).sum();
    let pods = eventually("the workloads' pods are there", async || {
        let pods = cluster.pods(namespace).await;
        if pods.len() == wanted {
            return Ok(pods);
        }
        let events = cluster.get(&format!("/api/v1/namespaces/{namespace}/events")).await.unwrap();
        let messages: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| &event["message"]).collect();
        Err(format!("{} of {wanted} pods; events: {messages:?}", pods.len()))
    })
    .await;
    let owner = |pod: &Value| *fixtures.iter().find(|fixture| fixture.owns(pod)).unwrap();
    pods.into_iter().map(|pod| (owner(&pod), pod)).collect()
}

type Untouched = HashMap<(&'static str, Arrives, &'static str), Value>;

/// The same pods in namespaces without a webhook, made once for all tests.
async fn untouched() -> &'static Untouched {
    static UNTOUCHED: OnceCell<Untouched> = OnceCell::const_new();
    UNTOUCHED
        .get_or_init(async || {
            let cluster = Cluster::connect().await;
            let name = unique("no-webhook");
            let names = endings().iter().map(|ending| format!("{name}{ending}")).collect();
            let namespaces = Namespaces::create(&cluster, names).await;
            let fixtures = fixtures::all();
            let mut untouched = HashMap::new();
            for ((generation, arrives), namespace) in settings_of_namespaces().into_iter().zip(&namespaces.names) {
                let of_generation: Vec<_> = fixtures.iter().filter(|f| f.generation == generation).collect();
                for (fixture, pod) in create_and_collect(&cluster, namespace, &of_generation, arrives).await {
                    untouched.insert((generation, arrives, fixture.service), pod);
                }
            }
            untouched
        })
        .await
}

async fn every_pod_gets_its_credential(way: &str, delivery: Delivery) {
    let way = ways().into_iter().find(|candidate| candidate.name == way).unwrap();
    let untouched = untouched().await;
    let (ending, settings) = match delivery {
        Delivery::Env => ("env", way.settings.clone()),
        Delivery::Volume => ("volume", format!("{}\ndelivery: volume\n", way.settings)),
    };
    let endings = endings();
    let endings: Vec<_> = endings.iter().map(String::as_str).collect();
    let scene = Served::with_namespaces(&format!("{}-{ending}", way.name), &endings, &settings).await;
    let fixtures = fixtures::all();
    let mut checked = 0;
    for ((generation, arrives), namespace) in settings_of_namespaces().into_iter().zip(scene.namespaces()) {
        let of_generation: Vec<_> = fixtures.iter().filter(|f| f.generation == generation).collect();
        for (fixture, pod) in create_and_collect(&scene.cluster, namespace, &of_generation, arrives).await {
            way.check(&pod, &untouched[&(generation, arrives, fixture.service)], fixture, arrives, delivery);
            checked += 1;
        }
    }
    // One of the nine workloads has two replicas.
    assert_eq!(checked, 20, "each of the workloads was looked at, with and without the chart's variables");
}

macro_rules! ways {
    ($($test:ident: $way:literal, $delivery:ident;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                every_pod_gets_its_credential($way, Delivery::$delivery).await;
            }
        )*
    };
}

ways! {
    a_plain_token_reaches_every_service: "token-plain", Env;
    a_plain_token_reaches_every_service_as_a_file: "token-plain", Volume;
    a_token_of_ones_own_secret_reaches_every_service: "token-reference", Env;
    a_token_of_ones_own_secret_reaches_every_service_as_a_file: "token-reference", Volume;
    a_plain_password_reaches_every_service: "password-plain", Env;
    a_plain_password_reaches_every_service_as_a_file: "password-plain", Volume;
    a_password_of_ones_own_secret_reaches_every_service: "password-reference", Env;
    a_password_of_ones_own_secret_reaches_every_service_as_a_file: "password-reference", Volume;
    the_default_password_reaches_every_service: "password-defaults", Env;
    the_default_password_reaches_every_service_as_a_file: "password-defaults", Volume;
}
