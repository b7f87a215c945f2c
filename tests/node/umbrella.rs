//! One chart that holds the Runtime and ours: Helm registers the webhook last, so that pods may be
//! there before it.

use super::owners::umbrella_chart;
use crate::support::cluster::say;
use crate::support::credentials::plain_token;
use crate::support::fixtures::{self, Arrives};
use crate::support::helm::Helm;
use crate::support::machine::{environment, running_process};
use crate::support::runtime::{app_proxy_to_run, runnable, running, surroundings};
use crate::support::scene::Scene;
use serde_json::Value;
use std::collections::BTreeSet;
use tempfile::TempDir;

/// What `doctor` says: whether all is good, and its checks.
pub fn doctor(scene: &Scene) -> (bool, Vec<Value>) {
    crate::support::watched::doctor(&scene.cluster, scene.namespace())
}

/// The subjects of a probe's problems, with their text.
pub fn problems(checks: &[Value], probe: &str) -> Vec<(String, String)> {
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    let found = checks.iter().filter(|check| check["probe"] == probe && check["result"] == "problem");
    found.map(|check| (text(check, "subject"), format!("{}; {}", text(check, "text"), text(check, "advice")))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_that_were_there_before_the_webhook_are_named_and_injected_when_they_come_again() {
    let scene = Scene::new("umbrella").await;
    let (cluster, namespace) = (&scene.cluster, scene.namespace());
    let fixtures: Vec<_> = fixtures::all().into_iter().filter(|fixture| fixture.generation == "current").collect();
    surroundings(cluster, namespace, &fixtures).await;
    let mut workloads: Vec<String> =
        fixtures.iter().map(|fixture| runnable(fixture, Arrives::Stripped).to_string()).collect();
    // Whether a workload's pods come before or after the webhook is a race. Helm makes this one itself.
    workloads.push(app_proxy_to_run("early").to_string());
    let chart = TempDir::new().unwrap();
    umbrella_chart(chart.path(), &workloads.join("\n---\n"));
    let values = format!(
        "global: {{external-argo-cd: {{auth: {{type: token, token: {}}}}}}}\nargocd-auth-webhook: {{rollout: report, webhook: {{replicas: 1}}}}",
        plain_token()
    );
    scene
        .helm_of(Helm::Four, "install", "runtime", chart.path().to_str().unwrap(), &values, &["--wait"])
        .unwrap_or_else(|error| panic!("{error}"));

    let mut without = BTreeSet::from(["pod early".to_owned()]);
    for fixture in &fixtures {
        for pod in running(cluster, namespace, fixture).await {
            let pid = running_process(cluster, &pod, fixture.container).await;
            if !environment(pid).keys().any(|name| name.starts_with("ARGO_CD_TOKEN")) {
                without.insert(format!("pod {}", pod["metadata"]["name"].as_str().unwrap()));
            }
        }
    }
    let (_, checks) = doctor(&scene);
    let missed = problems(&checks, "pods");
    for (subject, text) in &missed {
        assert!(text.contains("missed") && (text.contains("kubectl delete pod") || subject == "pod early"), "{text}");
    }
    assert_eq!(missed.into_iter().map(|(subject, _)| subject).collect::<BTreeSet<_>>(), without);
    say(&format!("umbrella: {} pods came before the webhook, and each was named", without.len()));

    for pod in &without {
        let name = pod.strip_prefix("pod ").unwrap();
        cluster.delete(&format!("{}/{name}", crate::support::cluster::pods_path(namespace))).await.unwrap();
    }
    for fixture in &fixtures {
        for pod in running(cluster, namespace, fixture).await {
            let pid = running_process(cluster, &pod, fixture.container).await;
            assert!(
                environment(pid).keys().any(|name| name.starts_with("ARGO_CD_TOKEN")),
                "{}",
                pod["metadata"]["name"]
            );
        }
    }
    let (good, checks) = doctor(&scene);
    assert!(good, "{checks:#?}");
    let arguments = ["uninstall", "runtime", "--namespace", namespace];
    Helm::Four.run(cluster, &arguments).unwrap();
}
