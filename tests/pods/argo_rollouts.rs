//! A workload of Argo Rollouts, which is restarted by its own field. Its controller isn't here: the
//! test makes the Rollout's `ReplicaSet`, and restarts its pod as that controller would.

use crate::support::cluster::{Cluster, eventually, pods_path, say};
use crate::support::watched::{Watched, api_key, token};
use crate::support::workloads::workload;
use serde_json::{Value, json};

const NAME: &str = "cap-app-proxy";

/// The kind, with whatever fields: only a few of them matter.
async fn kind(cluster: &Cluster) {
    let names = json!({ "kind": "Rollout", "listKind": "RolloutList", "plural": "rollouts", "singular": "rollout" });
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let version =
        json!({ "name": "v1alpha1", "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } });
    let kind = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "rollouts.argoproj.io" },
        "spec": { "group": "argoproj.io", "scope": "Namespaced", "names": names, "versions": [version] },
    });
    cluster.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/rollouts.argoproj.io", &kind).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_pod_of_a_rollout_is_restarted_by_the_rollouts_own_field_once() {
    let scene = Watched::prepared("rollout").await;
    kind(&scene.cluster).await;
    let values = token("controller: {extraArgs: [\"--kubelet-cache=3s\"], workloads: {rollouts: [cap-app-proxy]}}");
    let scene = Watched::install(scene, &values).await;
    let (cluster, namespace) = (scene.cluster(), scene.namespace());

    let rollouts = format!("/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts");
    let rollout = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": { "name": NAME },
        "spec": { "replicas": 1 }, "status": { "availableReplicas": 1, "phase": "Healthy" },
    });
    let made = eventually("the kind is served", async || cluster.create(&rollouts, &rollout).await).await;
    let path = format!("{rollouts}/{NAME}");
    let mut set = workload("app-proxy", 1);
    set["kind"] = json!("ReplicaSet");
    set["spec"]
        .as_object_mut()
        .unwrap()
        .retain(|field, _| ["replicas", "selector", "template"].contains(&field.as_str()));
    set["metadata"]["name"] = json!("cap-app-proxy-1");
    set["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": NAME, "controller": true,
        "uid": made["metadata"]["uid"],
    }]);
    cluster.create(&format!("/apis/apps/v1/namespaces/{namespace}/replicasets"), &set).await.unwrap();
    scene.ready("cap-app-proxy-1", 1).await;
    scene.in_step(1).await;
    assert_eq!(cluster.get(&path).await.unwrap()["spec"]["restartAt"], Value::Null);

    let changed = scene.timeline.elapsed();
    scene.set("mine", "token", &api_key("another-token")).await;
    let restart_at = async || {
        let read = cluster.get(&path).await?;
        read["spec"]["restartAt"].as_str().map(str::to_owned).ok_or_else(|| read["spec"].to_string())
    };
    let at = eventually("the field is written", restart_at).await;
    let written = scene.timeline.elapsed();
    assert_eq!(scene.timeline.count("cap-app-proxy-1"), 1);

    // As the controller of Argo Rollouts does.
    let (pod, _) = scene.ready("cap-app-proxy-1", 1).await.remove(0);
    cluster.delete(&format!("{}/{pod}", pods_path(namespace))).await.unwrap();
    cluster.merge(&path, &json!({ "status": { "restartedAt": at } })).await.unwrap();
    scene.ready("cap-app-proxy-1", 1).await;
    scene.in_step(1).await;
    scene.timeline.tell("token replaced, a Rollout", &["cap-app-proxy-1"]);
    say(&format!("  {changed:5.1}s  token replaced"));
    say(&format!("  {written:5.1}s  spec.restartAt written (3 s are for the kubelets' cache)"));
    assert_eq!(restart_at().await.unwrap(), at);
    assert_eq!(scene.timeline.count("cap-app-proxy-1"), 2);
    let events = scene.events(NAME).await;
    assert_eq!(events.iter().filter(|reason| *reason == "Restarted").count(), 1, "{events:?}");
}
