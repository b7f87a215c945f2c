//! Values of Secrets change: who is restarted, and who isn't.

use crate::support::cluster::{eventually, say};
use crate::support::watched::{QUICK, Watched, api_key, password, token};
use crate::support::workloads::{create, workload};

const WORKLOADS: [(&str, usize); 3] = [("cap-app-proxy", 2), ("gitops-operator", 1), ("event-reporter", 1)];

async fn running(test: &str, values: &str) -> Watched {
    let scene = Watched::new(test, values).await;
    for (service, replicas) in [("app-proxy", 2), ("gitops-operator", 1), ("event-reporter", 1)] {
        create(scene.cluster(), scene.namespace(), &workload(service, replicas)).await;
    }
    for (name, replicas) in WORKLOADS {
        scene.ready(name, replicas).await;
    }
    scene.in_step(4).await;
    scene
}

/// How many pods there were of each.
fn counts(scene: &Watched) -> [usize; 3] {
    WORKLOADS.map(|(name, _)| scene.timeline.count(name))
}

/// Waits for the app-proxies to be others than `before` so often; says how long that took.
async fn restarted(scene: &Watched, pods: usize) -> f64 {
    let begun = scene.timeline.elapsed();
    scene.came(pods).await;
    scene.ready("cap-app-proxy", 2).await;
    scene.in_step(4).await;
    scene.timeline.elapsed() - begun
}

#[tokio::test(flavor = "multi_thread")]
async fn in_password_mode_the_password_restarts_the_app_proxy_and_the_key_nobody() {
    let scene = running("password", &password(QUICK)).await;
    scene.set("argocd-token", "token", "second-key").await;
    scene.set("mine", "unrelated", "anything").await;
    scene.set("mine", "password", "second-password").await;
    let took = restarted(&scene, 4).await;
    scene.timeline.tell("password changed", &WORKLOADS.map(|(name, _)| name));
    say(&format!(
        "another key, an unrelated edit, then another password: only the app-proxy was restarted, once, {took:.1} s (3 s of them for the kubelets' cache)"
    ));
    assert_eq!(counts(&scene), [4, 1, 1]);

    // Back to a value of before it is another change.
    scene.set("mine", "password", "first-password").await;
    restarted(&scene, 6).await;
    assert_eq!(counts(&scene), [6, 1, 1]);
    let deployment = scene
        .cluster()
        .get(&format!("/apis/apps/v1/namespaces/{}/deployments/cap-app-proxy", scene.namespace()))
        .await
        .unwrap();
    assert!(deployment["spec"]["template"]["metadata"]["annotations"]["argocd-auth-webhook/restartedAt"].is_string());
    assert_eq!(scene.events("cap-app-proxy").await.iter().filter(|reason| *reason == "Restarted").count(), 2);
}

/// The Secret with what is remembered goes while a restart is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_to_change_is_restarted_for_though_the_state_is_lost() {
    // Long enough to see that it waits.
    let scene = running("state", &password("controller: {extraArgs: [\"--kubelet-cache=30s\"]}")).await;
    scene.set("mine", "password", "second-password").await;
    scene.waits("Deployment/cap-app-proxy", "a value changed").await;
    scene.cluster().delete(&scene.release.secret(&format!("{}-state", scene.release.name))).await.unwrap();
    restarted(&scene, 4).await;
    assert_eq!(counts(&scene), [4, 1, 1]);
    say("the state was lost between a change and the restart: the app-proxy was restarted all the same, once");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_token_mode_the_token_restarts_the_app_proxy() {
    // The kubelets' cache as it is by default.
    let scene = running("token", &token("")).await;
    scene.set("mine", "token", &api_key("another-token")).await;
    scene.waits("Deployment/cap-app-proxy", "a value changed").await;
    let took = restarted(&scene, 4).await;
    scene.timeline.tell("token replaced", &WORKLOADS.map(|(name, _)| name));
    say(&format!(
        "token replaced: only the app-proxy was restarted, once, in step again after {took:.1} s (60 s of them for the kubelets' cache)"
    ));
    assert_eq!(counts(&scene), [4, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_services_read_at_start_only_they_are_restarted_one_after_the_other() {
    let values = password(&format!(
        "rollout: {{mode: automatic, byName: restart, requireVerified: false}}\nlegacyAppProxy: true\n{QUICK}"
    ));
    let scene = running("by-name", &values).await;
    scene.set("argocd-token", "token", "second-key").await;
    restarted(&scene, 4).await;
    for (name, replicas) in WORKLOADS {
        eventually(&format!("{name} is restarted"), async || {
            let count = scene.timeline.count(name);
            if count == 2 * replicas { Ok(()) } else { Err(format!("{count}")) }
        })
        .await;
        scene.ready(name, replicas).await;
    }
    scene.in_step(4).await;
    scene.timeline.tell("another key, byName: restart and the older app-proxy", &WORKLOADS.map(|(name, _)| name));
    assert_eq!(counts(&scene), [4, 2, 2]);
    // One was available before the next began.
    let mut restarts: Vec<(f64, f64)> = WORKLOADS
        .iter()
        .map(|(name, replicas)| {
            let new = scene.timeline.of(name).split_off(*replicas);
            let begun = new.iter().map(|life| life.created).fold(f64::MAX, f64::min);
            (begun, new.iter().filter_map(|life| life.ready).fold(0.0, f64::max))
        })
        .collect();
    restarts.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in restarts.windows(2) {
        // Whoever sees the second one's pod sees that the first one's is ready.
        assert!(pair[0].1 <= pair[1].0, "{restarts:?}");
    }
}
