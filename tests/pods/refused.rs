//! What stands in the way of a replacement.

use crate::support::cluster::{eventually, say};
use crate::support::watched::{QUICK, Watched, api_key, token};
use crate::support::workloads::{create, path, workload};
use serde_json::json;

async fn missed(test: &str, service: &str, replicas: usize) -> Watched {
    let scene = Watched::new(test, &token(&format!("webhook: {{failurePolicy: Ignore, replicas: 1}}\n{QUICK}"))).await;
    scene.scale_webhook(0).await;
    create(scene.cluster(), scene.namespace(), &workload(service, replicas)).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disruption_budget_that_allows_nothing_is_waited_for() {
    let scene = missed("budget", "app-proxy", 2).await;
    scene.ready("cap-app-proxy", 2).await;
    let budget = json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "none" },
        "spec": { "maxUnavailable": 0, "selector": { "matchLabels": { "app": "cap-app-proxy" } } },
    });
    let budgets = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", scene.namespace());
    scene.cluster().create(&budgets, &budget).await.unwrap();
    eventually("the budget counts", async || {
        let status = scene.cluster().get(&format!("{budgets}/none")).await?["status"].clone();
        if status["expectedPods"] == 2 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.scale_webhook(1).await;
    scene.waits("Deployment/cap-app-proxy", "disruption budget").await;
    eventually("an Event says so", async || {
        let events = scene.events("cap-app-proxy").await;
        if events.iter().any(|reason| reason == "Refused") { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 2);
    scene.cluster().delete(&format!("{budgets}/none")).await.unwrap();
    scene.in_step(2).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 4);
    say("a budget that allows nothing: nobody was replaced until it went; then each pod once");
}

/// The API server answers such an eviction with an error of its own, as if it were in trouble.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_two_disruption_budgets_keeps_no_other_waiting() {
    let scene = missed("budgets", "app-proxy", 1).await;
    create(scene.cluster(), scene.namespace(), &workload("gitops-operator", 1)).await;
    scene.ready("cap-app-proxy", 1).await;
    scene.ready("gitops-operator", 1).await;
    let budgets = format!("/apis/policy/v1/namespaces/{}/poddisruptionbudgets", scene.namespace());
    for name in ["one", "two"] {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": name },
            "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": "cap-app-proxy" } } },
        });
        scene.cluster().create(&budgets, &budget).await.unwrap();
    }
    scene.scale_webhook(1).await;
    scene.waits("Deployment/cap-app-proxy", "more than one PodDisruptionBudget").await;
    eventually("the other one is replaced", async || {
        let count = scene.timeline.count("gitops-operator");
        if count == 2 { Ok(()) } else { Err(format!("{count}: {:?}", scene.status().await)) }
    })
    .await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 1);
    scene.cluster().delete(&format!("{budgets}/two")).await.unwrap();
    scene.in_step(2).await;
    assert_eq!(["cap-app-proxy", "gitops-operator"].map(|name| scene.timeline.count(name)), [2, 2]);
    say("two budgets for one pod: explained, and the other workload was replaced meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_refuses_costs_the_namespace_one_pod_at_most() {
    let scene = missed("quota", "app-proxy", 3).await;
    create(scene.cluster(), scene.namespace(), &workload("gitops-operator", 1)).await;
    scene.ready("cap-app-proxy", 3).await;
    scene.ready("gitops-operator", 1).await;
    let quotas = format!("/api/v1/namespaces/{}/resourcequotas", scene.namespace());
    // The release's own pods ask for resources: they don't count.
    let spec = json!({ "hard": { "pods": "1" }, "scopes": ["BestEffort"] });
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "few" }, "spec": spec });
    scene.cluster().create(&quotas, &quota).await.unwrap();
    eventually("the quota counts", async || {
        let status = scene.cluster().get(&format!("{quotas}/few")).await?["status"].clone();
        if status["used"]["pods"] == "4" { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.scale_webhook(1).await;
    eventually("one is refused a new pod, and the other one waits for it", async || {
        let waiting = scene.status().await?["waiting"].clone();
        let says = |workload: &str, text: &str| waiting[workload].as_str().is_some_and(|said| said.contains(text));
        let both = ["Deployment/cap-app-proxy", "Deployment/gitops-operator"];
        let refused = |one: &str, other: &str| {
            says(one, "new pods are refused") && says(other, &format!("waits for a new pod of {one}"))
        };
        if refused(both[0], both[1]) || refused(both[1], both[0]) { Ok(()) } else { Err(waiting.to_string()) }
    })
    .await;
    let lives = [scene.timeline.of("cap-app-proxy"), scene.timeline.of("gitops-operator")].concat();
    let gone = lives.iter().filter(|life| life.going.is_some()).count();
    assert!(gone <= 1, "{gone} pods were taken away under a quota that refuses new ones");
    scene.cluster().delete(&format!("{quotas}/few")).await.unwrap();
    scene.in_step(4).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 6);
    assert_eq!(scene.timeline.count("gitops-operator"), 2);
    say(&format!(
        "a quota that refuses: {gone} pod of two workloads was taken away, and the rest when it went; each pod once"
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_failing_bare_and_unwilling_ones_are_explained_and_left_alone() {
    let scene = Watched::new("left-alone", &token(QUICK)).await;
    let (cluster, namespace) = (scene.cluster(), scene.namespace());
    let mut unwilling = workload("sources-server", 1);
    unwilling["metadata"]["annotations"] = json!({ "argocd-auth-webhook/rollout": "false" });
    // It reads the token itself, so that it can be stale.
    let reads = json!({ "name": "T", "valueFrom": { "secretKeyRef": { "name": "mine", "key": "token" } } });
    unwilling["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap().push(reads.clone());
    create(cluster, namespace, &unwilling).await;
    let mut failing = workload("gitops-operator", 1);
    failing["spec"]["progressDeadlineSeconds"] = json!(5);
    for container in failing["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap() {
        container["env"].as_array_mut().unwrap().push(reads.clone());
    }
    create(cluster, namespace, &failing).await;
    let paused = workload("app-proxy", 1);
    create(cluster, namespace, &paused).await;
    let mut bare = crate::support::runtime::app_proxy_to_run("bare");
    bare["metadata"]["labels"]["bare"] = json!("true");
    cluster.create(&crate::support::cluster::pods_path(namespace), &bare).await.unwrap();
    for name in ["sources-server", "gitops-operator", "cap-app-proxy", "bare"] {
        scene.ready(name, 1).await;
    }
    scene.in_step(4).await;

    cluster.merge(&path(namespace, &paused), &json!({ "spec": { "paused": true } })).await.unwrap();
    let image =
        json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "cluster.local/none:1" }]);
    let arguments = [
        "patch",
        "deployment",
        "gitops-operator",
        "--namespace",
        namespace,
        "--type=json",
        "--patch",
        &image.to_string(),
    ];
    assert!(cluster.kubectl(&arguments, None).success);
    let failing = path(namespace, &failing);
    eventually("the rollout fails", async || {
        let status = cluster.get(&failing).await?["status"].clone();
        let failed = status.to_string().contains("ProgressDeadlineExceeded");
        if failed { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    scene.set("mine", "token", &api_key("another")).await;
    scene.waits("Deployment/cap-app-proxy", "paused").await;
    scene.waits("Deployment/gitops-operator", "didn't succeed").await;
    let status = scene.status().await.unwrap();
    let pods = status["pods"].as_array().unwrap();
    let of = |name: &str| pods.iter().find(|pod| pod["name"].as_str().unwrap().starts_with(name)).unwrap();
    assert_eq!(of("bare")["reason"], "stale, but a bare pod: nobody would make it again");
    assert_eq!(
        of("sources-server")["reason"],
        "stale, but its workload has the annotation argocd-auth-webhook/rollout: \"false\""
    );
    // Two of the operator's: the one that runs and the one that can't start.
    let counts = ["sources-server", "gitops-operator", "cap-app-proxy", "bare"].map(|name| scene.timeline.count(name));
    assert_eq!(counts, [1, 2, 1, 1]);

    let both = scene.said_by_both().await;
    assert!(both.contains_key("pod bare") && both.len() >= 4, "{both:#?}");

    cluster.merge(&path(namespace, &paused), &json!({ "spec": { "paused": false } })).await.unwrap();
    eventually("it is restarted", async || {
        let count = scene.timeline.count("cap-app-proxy");
        if count == 2 { Ok(()) } else { Err(format!("{count}")) }
    })
    .await;
    scene.ready("cap-app-proxy", 1).await;
    let counts = ["sources-server", "gitops-operator", "cap-app-proxy", "bare"].map(|name| scene.timeline.count(name));
    assert_eq!(counts, [1, 2, 2, 1]);
    say("stale and paused, of a failed rollout, bare, or unwilling: none was touched; resumed, it was restarted once");
}
