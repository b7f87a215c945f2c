//! The controller, or the API server, goes away in the middle.

use crate::support::cluster::{eventually, say};
use crate::support::machine::{kill, process, restart_api_server};
use crate::support::watched::{QUICK, Watched, api_key, token};
use crate::support::workloads::{create, workload};
use serde_json::json;

async fn kill_controller(scene: &Watched) {
    let pid = eventually("the controller runs", async || {
        let pods = scene.release.pods("controller").await;
        pods.iter().find_map(|pod| process(scene.cluster(), pod, "controller")).ok_or_else(|| "it does not".to_owned())
    })
    .await;
    kill(pid);
}

async fn missed(test: &str, controllers: usize) -> Watched {
    let scene = Watched::new(test, &token(&format!("webhook: {{failurePolicy: Ignore, replicas: 1}}\n{QUICK}"))).await;
    if controllers > 1 {
        let path = format!(
            "/apis/apps/v1/namespaces/{}/deployments/{}-controller",
            scene.namespace(),
            scene.release.fullname()
        );
        scene.cluster().merge(&path, &json!({ "spec": { "replicas": controllers } })).await.unwrap();
        scene.release.stands().await;
    }
    scene.scale_webhook(0).await;
    create(scene.cluster(), scene.namespace(), &workload("app-proxy", 4)).await;
    scene.ready("cap-app-proxy", 4).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_in_the_middle_does_nothing_twice() {
    let scene = missed("killed", 1).await;
    scene.scale_webhook(1).await;
    for pods in [5, 6, 7] {
        scene.came(pods).await;
        kill_controller(&scene).await;
    }
    scene.in_step(4).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 8);
    scene.timeline.tell("the controller killed three times while pods are replaced", &["cap-app-proxy"]);

    scene.set("mine", "token", &api_key("another-token")).await;
    eventually("it is noticed", async || {
        let noticed =
            scene.status().await?["counts"]["stale"] != json!(null) || scene.timeline.count("cap-app-proxy") > 8;
        if noticed { Ok(()) } else { Err("it is not".to_owned()) }
    })
    .await;
    kill_controller(&scene).await;
    scene.came(9).await;
    kill_controller(&scene).await;
    scene.came(12).await;
    scene.ready("cap-app-proxy", 4).await;
    scene.in_step(4).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 12);
    say("the controller killed twice in a restart: each pod was replaced once");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_one_replaces_pods() {
    let scene = missed("twice", 2).await;
    scene.scale_webhook(1).await;
    scene.came(5).await;
    kill_controller(&scene).await;
    scene.in_step(4).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 8);
    say("two controllers, one of them killed in the middle: each pod was replaced once");
}

#[tokio::test(flavor = "multi_thread")]
async fn alone_the_api_server_is_restarted_in_the_middle() {
    let mut scene = missed("restarted", 1).await;
    scene.scale_webhook(1).await;
    scene.came(5).await;
    scene.release.may_be_refused = true;
    restart_api_server(scene.cluster()).await;
    eventually("the API server is back", async || {
        let seen = scene.cluster().kubectl(&["get", "--raw", "/readyz"], None);
        if seen.success { Ok(()) } else { Err(seen.stderr) }
    })
    .await;
    scene.came(8).await;
    scene.in_step(4).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 8);
    say("the API server restarted in the middle: each pod was replaced once");
}
