//! Coming, going, and standing beside others.

use crate::support::cluster::eventually;
use crate::support::helm::Helm;
use crate::support::release::{Release, token_values};
use crate::support::runtime::secret;
use crate::support::scene::Scene;

const RUNTIMES: [(&str, &str); 3] = [("argocd-token", "token"), ("codefresh-token", "token"), ("robot", "password")];

/// The objects of a kind in the cluster or the namespace that are a release's, by name.
async fn left(release: &Release, path: &str) -> Vec<String> {
    let list = release.cluster().get(path).await.unwrap();
    let names = list["items"].as_array().unwrap().iter().map(|object| object["metadata"]["name"].as_str().unwrap());
    names.filter(|name| name.contains("auth") || name.contains(release.namespace())).map(str::to_owned).collect()
}

/// Waits until nothing of ours is left. The garbage collector takes what the controller made.
async fn nothing_is_left(release: &Release) {
    let namespace = release.namespace();
    let of_namespace = |group: &str, kind: &str| format!("/{group}/namespaces/{namespace}/{kind}");
    let cluster_wide = |group: &str, kind: &str| format!("/apis/{group}/v1/{kind}");
    let paths = [
        cluster_wide("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
        cluster_wide("rbac.authorization.k8s.io", "clusterroles"),
        cluster_wide("rbac.authorization.k8s.io", "clusterrolebindings"),
        of_namespace("apis/coordination.k8s.io/v1", "leases"),
        of_namespace("apis/rbac.authorization.k8s.io/v1", "roles"),
        of_namespace("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
        of_namespace("apis/apps/v1", "deployments"),
        of_namespace("api/v1", "secrets"),
        of_namespace("api/v1", "configmaps"),
        of_namespace("api/v1", "serviceaccounts"),
        of_namespace("api/v1", "services"),
        of_namespace("api/v1", "pods"),
    ];
    for path in paths {
        eventually("nothing of ours is left", async || {
            let names = left(release, &path).await;
            let cluster_scoped = !path.contains("/namespaces/");
            let ours = |name: &String| !cluster_scoped || name.ends_with(namespace);
            let names: Vec<String> = names.into_iter().filter(ours).collect();
            if names.is_empty() { Ok(()) } else { Err(format!("{path}: {names:?}")) }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn uninstalling_leaves_nothing_of_ours_and_all_of_the_runtimes() {
    // In password mode the controller keeps more.
    let password = "global: {external-arg-cd: {auth: {passwordSecretKeyRef: {name: robot, key: password}}}}";
    for (test, helm, values) in [("life-4", Helm::Four, token_values("")), ("life-3", Helm::Three, password.to_owned())]
    {
        let scene = Scene::new(test).await;
        for (name, key) in RUNTIMES {
            secret(&scene.cluster, scene.namespace(), name, key, "the-runtimes").await;
        }
        let mut release = scene.install(helm, "auth", &values);
        release.injects_anything().await;
        release.settles().await;
        release.uninstall();
        nothing_is_left(&release).await;
        for (name, _) in RUNTIMES {
            release.cluster().get(&release.secret(name)).await.unwrap();
        }

        // And once more in the same place.
        let values = release.scene.values(&values);
        let chart = crate::support::release::chart();
        let arguments =
            ["install", "auth", chart.to_str().unwrap(), "--namespace", release.namespace(), "--values", &values];
        helm.run(release.cluster(), &arguments).unwrap();
        release.injects_anything().await;
        release.uninstall();
        nothing_is_left(&release).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runtimes_do_not_touch_each_other_and_a_second_in_one_namespace_is_refused() {
    let (one, two) = (Scene::new("one").await, Scene::new("two").await);
    let mut one = one.install(Helm::Four, "auth", &token_values(""));
    let two = two.install(Helm::Four, "auth", &token_values(""));
    one.injects().await;
    two.injects().await;
    let (of_one, of_two) = (one.settles().await, two.settles().await);
    assert_ne!(of_one.0, of_two.0, "each has a CA of its own");

    for helm in [Helm::Four, Helm::Three] {
        let error = two.scene.helm(helm, "install", "second", "auth: {type: password}", &[]).unwrap_err();
        assert!(error.contains("ConfigMap \"argocd-auth-webhook\""), "{error}");
    }

    one.ask_for("ca").await;
    one.uninstall();
    nothing_is_left(&one).await;
    assert_eq!(two.settles().await, of_two, "the other's certificates are as they were");
    two.injects().await;
    two.stands().await;
}
