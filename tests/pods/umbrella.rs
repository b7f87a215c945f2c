//! The Runtime's workloads come first, and the webhook last, as Helm has it in one chart that holds
//! both. There it is a race of milliseconds; here the workloads have all their pods before.

use crate::support::cluster::{eventually, say};
use crate::support::helm::Helm;
use crate::support::release::chart;
use crate::support::timeline::Timeline;
use crate::support::watched::{Watched, in_step, status, token};
use crate::support::workloads::{CLASSIC, needy, workload};
use std::fs;
use tempfile::TempDir;

const REPLICAS: [(&str, usize); 4] =
    [("cap-app-proxy", 2), ("gitops-operator", 1), ("event-reporter", 2), ("sources-server", 1)];

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_came_before_the_webhook_are_in_step_without_a_person() {
    let scene = Watched::prepared("umbrella").await;
    let (cluster, namespace) = (scene.cluster.clone(), scene.namespace().to_owned());
    // The StatefulSet's container ends without its credential, and the set makes one pod after the
    // other: it would wait for the first one for ever.
    let mut reporter = needy("event-reporter", 2, "ARGO_CD_TOKEN_SECRET_NAME");
    reporter["spec"]["podManagementPolicy"] = "OrderedReady".into();
    let workloads = [
        workload("app-proxy", 2).to_string(),
        needy("gitops-operator", 1, "ARGO_CD_TOKEN_SECRET_NAME").to_string(),
        reporter.to_string(),
        workload("sources-server", 1).to_string(),
    ];
    let runtime = TempDir::new().unwrap();
    fs::write(runtime.path().join("Chart.yaml"), "apiVersion: v2\nname: runtime\nversion: 0.1.0\n").unwrap();
    fs::create_dir(runtime.path().join("templates")).unwrap();
    fs::write(runtime.path().join("templates/runtime.yaml"), workloads.join("\n---\n")).unwrap();

    let timeline = Timeline::start(&cluster, &namespace);
    scene.helm_of(Helm::Four, "install", "runtime", runtime.path().to_str().unwrap(), "", &[]).unwrap();
    eventually("every workload has pods", async || {
        let counts = CLASSIC.map(|name| timeline.count(name));
        // The set has its first one, and its second only if the first looked ready before it ended.
        if matches!(counts, [2, 1, 1 | 2, 1]) { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
    scene.helm_of(Helm::Four, "install", "auth", chart().to_str().unwrap(), &token(""), &[]).unwrap();
    let installed = timeline.elapsed();
    in_step(&cluster, &namespace, "auth", 6).await;
    timeline.look().await;
    eventually("all are ready", async || {
        let lives: Vec<_> = CLASSIC.iter().flat_map(|name| timeline.of(name)).collect();
        let ready = lives.iter().filter(|life| life.going.is_none() && life.ready.is_some()).count();
        if ready == 6 { Ok(()) } else { Err(format!("{ready} of 6")) }
    })
    .await;
    let took = timeline.elapsed();
    timeline.tell("umbrella install", &CLASSIC);
    say(&format!(
        "umbrella install: helm was done after {installed:.1} s, all six pods in step and ready after {took:.1} s"
    ));
    let told = status(&cluster, &namespace, "auth").await.unwrap();
    assert_eq!(told["waiting"], serde_json::json!({}), "{told}");
    let mut missed = 0;
    for (name, replicas) in REPLICAS {
        let lives = timeline.of(name);
        let without = lives.iter().filter(|life| !life.injected).count();
        missed += without;
        assert_eq!(lives.len() - without, replicas, "{name}: each pod is replaced once: {lives:?}");
    }
    assert!(matches!(missed, 5 | 6), "the workloads came first: {missed}");
    say(&format!("umbrella install: {missed} pods were missed, and each was replaced once"));
    for release in ["auth", "runtime"] {
        Helm::Four.run(&cluster, &["uninstall", release, "--namespace", &namespace]).unwrap();
    }
}
