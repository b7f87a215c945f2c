//! Who makes the Secret of a plain credential: two owners would break each other's install or
//! uninstall.

use crate::support::credentials::plain_token;
use crate::support::helm::Helm;
use crate::support::runtime::secret_value;
use crate::support::scene::Scene;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SECRET: &str = "gitops-runtime-argo-cd-token";

fn values(spelling: &str, more: &str) -> String {
    format!("global: {{{spelling}: {{auth: {{type: token, token: {}}}}}}}\n{more}\n", plain_token())
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A chart that makes the Secret for the spelling that it knows, as the Runtime's does, with more
/// templates if there are.
pub fn runtime_chart(folder: &Path, templates: &str) {
    write(folder, "Chart.yaml", "apiVersion: v2\nname: runtime\nversion: 0.1.0\n");
    let secret = "{{- with (get (.Values.global | default dict) \"external-argo-cd\") }}\n{{- with .auth.token }}\n\
        apiVersion: v1\nkind: Secret\nmetadata:\n  name: gitops-runtime-argo-cd-token\nstringData:\n  token: {{ . }}\n\
        {{- end }}\n{{- end }}\n";
    write(folder, "templates/secret.yaml", secret);
    write(folder, "templates/workloads.yaml", templates);
}

/// One chart that holds the Runtime's and ours.
pub fn umbrella_chart(folder: &Path, templates: &str) {
    let dependencies =
        "dependencies:\n- {name: argocd-auth-webhook, version: 0.1.0}\n- {name: runtime, version: 0.1.0}\n";
    write(folder, "Chart.yaml", &format!("apiVersion: v2\nname: umbrella\nversion: 0.1.0\n{dependencies}"));
    runtime_chart(&folder.join("charts/runtime"), templates);
    copy(&crate::support::release::chart(), &folder.join("charts/argocd-auth-webhook"));
}

struct TwoCharts {
    scene: Scene,
    runtime: TempDir,
}

impl TwoCharts {
    async fn new(test: &str) -> Self {
        let runtime = TempDir::new().unwrap();
        runtime_chart(runtime.path(), "");
        Self { scene: Scene::new(test).await, runtime }
    }

    fn install(&self, what: &str, values: &str) {
        let chart = if what == "runtime" { self.runtime.path().to_owned() } else { crate::support::release::chart() };
        let printed = self.scene.helm_of(Helm::Four, "install", what, chart.to_str().unwrap(), values, &[]);
        printed.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    fn uninstall(&self, what: &str) {
        let arguments = ["uninstall", what, "--namespace", self.scene.namespace()];
        Helm::Four.run(&self.scene.cluster, &arguments).unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// Whose the Secret is.
    async fn owner(&self) -> Option<String> {
        let path = format!("/api/v1/namespaces/{}/secrets/{SECRET}", self.scene.namespace());
        let secret = self.scene.cluster.get(&path).await.ok()?;
        Some(secret["metadata"]["annotations"]["meta.helm.sh/release-name"].as_str().unwrap_or("nobody").to_owned())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_spelling_that_the_runtime_knows_its_chart_owns_the_secret_in_any_order() {
    let values = values("external-argo-cd", "");
    for (test, first, second) in [("owners-a", "auth", "runtime"), ("owners-b", "runtime", "auth")] {
        for gone_first in [first, second] {
            let charts = TwoCharts::new(&format!("{test}-{gone_first}")).await;
            charts.install(first, &values);
            charts.install(second, &values);
            assert_eq!(charts.owner().await.as_deref(), Some("runtime"));
            assert_eq!(
                secret_value(&charts.scene.cluster, charts.scene.namespace(), SECRET, "token").await,
                plain_token()
            );
            charts.uninstall(gone_first);
            let rest = if gone_first == first { second } else { first };
            assert_eq!(charts.owner().await.is_some(), rest == "runtime", "{gone_first} is gone");
            charts.uninstall(rest);
            assert_eq!(charts.owner().await, None);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn for_the_spelling_that_no_chart_reads_the_secret_of_the_former_name_is_ours_unless_told_otherwise() {
    let charts = TwoCharts::new("owners-c").await;
    let ours = values("external-arg-cd", "");
    charts.install("runtime", &ours);
    assert_eq!(charts.owner().await, None, "the Runtime's chart does not know it");
    charts.install("auth", &ours);
    assert_eq!(charts.owner().await.as_deref(), Some("auth"));
    charts.uninstall("runtime");
    assert_eq!(charts.owner().await.as_deref(), Some("auth"));
    charts.uninstall("auth");
    assert_eq!(charts.owner().await, None);

    charts.install("auth", &values("external-arg-cd", "credentials: {createSecret: false}"));
    assert_eq!(charts.owner().await, None);
    charts.uninstall("auth");

    // Ours has a name of its own, so that nobody who insists makes two owners of one.
    charts.install("runtime", &values("external-argo-cd", ""));
    charts.install("auth", &values("external-argo-cd", "credentials: {createSecret: true}"));
    assert_eq!(charts.owner().await.as_deref(), Some("runtime"), "it was left alone");
    let ours = secret_value(&charts.scene.cluster, charts.scene.namespace(), "auth-argocd-token", "token").await;
    assert_eq!(ours, plain_token());
    charts.uninstall("auth");
    assert_eq!(charts.owner().await.as_deref(), Some("runtime"));
    charts.uninstall("runtime");
}
