//! What is no workload that is known, and who answers in the webhook's place.

use crate::support::cluster::{eventually, say};
use crate::support::watched::{QUICK, Watched, token};
use crate::support::workloads::{create, workload};
use serde_json::{Value, json};

async fn away(test: &str) -> Watched {
    let scene = Watched::new(test, &token(&format!("webhook: {{failurePolicy: Ignore, replicas: 1}}\n{QUICK}"))).await;
    scene.scale_webhook(0).await;
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_set_of_its_own_are_replaced_and_those_of_daemons_and_jobs_reported() {
    let scene = away("kinds").await;
    let template = workload("app-proxy", 1)["spec"]["template"].clone();
    let paths = [
        ("apps/v1", "ReplicaSet", "replicasets", "alone"),
        ("apps/v1", "DaemonSet", "daemonsets", "daemon"),
        ("batch/v1", "Job", "jobs", "job"),
    ];
    for (version, kind, plural, name) in paths {
        let mut object = json!({
            "apiVersion": version, "kind": kind, "metadata": { "name": name }, "spec": { "template": template },
        });
        if kind == "Job" {
            object["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
        } else {
            object["spec"]["selector"] = json!({ "matchLabels": { "set": name, "app": "cap-app-proxy" } });
        }
        object["spec"]["template"]["metadata"]["labels"]["set"] = json!(name);
        let path = format!("/apis/{version}/namespaces/{}/{plural}", scene.namespace());
        scene.cluster().create(&path, &object).await.unwrap();
    }
    for (.., name) in paths {
        scene.ready(name, 1).await;
    }
    scene.scale_webhook(1).await;
    eventually("the set's pod is replaced", async || {
        let status = scene.status().await?;
        if status["counts"] == json!({ "in_step": 1, "not_ours": 2 }) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    let both = scene.said_by_both().await;
    let of = |name: &str| both.iter().find(|(pod, _)| pod.contains(name)).map(|(_, text)| text.as_str());
    assert_eq!(of("daemon"), Some("missed, but it belongs to a DaemonSet, which is not restarted"));
    assert_eq!(of("job"), Some("missed, but it belongs to a Job, which is not restarted"));
    scene.timeline.look().await;
    assert_eq!(paths.map(|(.., name)| scene.timeline.count(name)), [2, 1, 1]);
    say("a ReplicaSet of its own: its pod was replaced once; pods of a DaemonSet and a Job were reported");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_endpoint_serves_what_api_servers_refuse_nobody_is_replaced() {
    let scene = away("endpoint").await;
    create(scene.cluster(), scene.namespace(), &workload("app-proxy", 1)).await;
    scene.ready("cap-app-proxy", 1).await;
    // Somebody else's address behind the webhook's Service: the API server's own.
    let of = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes";
    let known = scene.cluster().get(of).await.unwrap();
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", scene.namespace());
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": { "name": "other", "labels": { "kubernetes.io/service-name": scene.release.fullname() } },
        "ports": [{ "name": "https", "port": known["ports"][0]["port"], "protocol": "TCP" }],
        "endpoints": [{ "addresses": known["endpoints"][0]["addresses"], "conditions": { "ready": true } }],
    });
    scene.cluster().create(&slices, &slice).await.unwrap();
    scene.scale_webhook(1).await;
    scene.waits("Deployment/cap-app-proxy", "API servers refuse its certificate by caBundle").await;
    eventually("an Event says so", async || {
        let events = scene.events("cap-app-proxy").await;
        if events.iter().any(|reason| reason == "WebhookNotProven") { Ok(()) } else { Err(format!("{events:?}")) }
    })
    .await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 1);
    scene.cluster().delete(&format!("{slices}/other")).await.unwrap();
    scene.in_step(1).await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 2);
    let read: Value = scene.status().await.unwrap();
    assert_eq!(read["waiting"], json!({}));
    say("an endpoint that serves another certificate: nobody was replaced until it went; then once");
}
