//! The settings change under running pods.

use crate::support::cluster::{eventually, say};
use crate::support::watched::{QUICK, Watched, password, token};
use crate::support::workloads::{create, workload};
use serde_json::json;

const NAMES: [&str; 3] = ["cap-app-proxy", "gitops-operator", "event-reporter"];

/// Where nothing is replaced, what is out of step stays to be looked at.
#[tokio::test(flavor = "multi_thread")]
async fn status_and_doctor_say_the_same_of_pods_that_were_injected_under_other_settings() {
    let of = |key: &str| {
        format!(
            "global: {{external-argo-cd: {{auth: {{type: token, tokenSecretKeyRef: {{name: mine, key: {key}}}}}}}}}\nrollout: report\n"
        )
    };
    let scene = Watched::new("verdicts", &of("token")).await;
    create(scene.cluster(), scene.namespace(), &workload("app-proxy", 1)).await;
    create(scene.cluster(), scene.namespace(), &workload("gitops-operator", 1)).await;
    // What stands in a template is a person's, and kept.
    let mut own = workload("sources-server", 1);
    let env = own["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    env.push(json!({ "name": "ARGO_CD_TOKEN_SECRET_NAME", "value": "theirs" }));
    create(scene.cluster(), scene.namespace(), &own).await;
    for name in ["cap-app-proxy", "gitops-operator", "sources-server"] {
        scene.ready(name, 1).await;
    }
    scene.release.upgrade(&of("password"), &[]).unwrap();
    eventually("they are outdated", async || {
        let counts = scene.status().await?["counts"].clone();
        if counts["outdated"] == 2 { Ok(()) } else { Err(counts.to_string()) }
    })
    .await;
    let both = scene.said_by_both().await;
    let said: Vec<&str> = both.values().map(String::as_str).collect();
    let outdated = "outdated: it carries something else than the settings say";
    assert_eq!(said.iter().filter(|text| **text == outdated).count(), 2, "{both:#?}");
    say(&format!("rollout: report, another Secret: {both:?}"));
    let pods = ["cap-app-proxy", "gitops-operator", "sources-server"].map(|name| scene.timeline.count(name));
    assert_eq!(pods, [1; 3], "nothing is replaced");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_token_to_password_and_back_each_pod_is_replaced_once() {
    let scene = Watched::new("upgrade", &token(QUICK)).await;
    for service in ["app-proxy", "gitops-operator", "event-reporter"] {
        create(scene.cluster(), scene.namespace(), &workload(service, 2)).await;
    }
    for name in NAMES {
        scene.ready(name, 2).await;
    }
    scene.in_step(6).await;
    for (turn, values) in [(1, password(QUICK)), (2, token(QUICK))] {
        let begun = scene.timeline.elapsed();
        scene.release.upgrade(&values, &[]).unwrap();
        for name in NAMES {
            eventually(&format!("{name} is replaced"), async || {
                let count = scene.timeline.count(name);
                if count == 2 + 2 * turn { Ok(()) } else { Err(format!("{count}: {:?}", scene.status().await)) }
            })
            .await;
            scene.ready(name, 2).await;
        }
        scene.in_step(6).await;
        scene.release.stands().await;
        let took = scene.timeline.elapsed() - begun;
        say(&format!(
            "helm upgrade to the {} mode: six pods replaced once each, in step after {took:.1} s",
            ["", "password", "token"][turn]
        ));
        assert_eq!(NAMES.map(|name| scene.timeline.count(name)), [2 + 2 * turn; 3]);
    }
    scene.timeline.tell("token to password and back", &NAMES);
}
