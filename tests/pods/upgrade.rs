//! The settings change under running pods.

use crate::cluster::{eventually, say};
use crate::scene::{QUICK, Scene, password, token};
use crate::workloads::{create, workload};

const NAMES: [&str; 3] = ["cap-app-proxy", "gitops-operator", "event-reporter"];

#[tokio::test(flavor = "multi_thread")]
async fn from_token_to_password_and_back_each_pod_is_replaced_once() {
    let scene = Scene::new("upgrade", &token(QUICK)).await;
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
