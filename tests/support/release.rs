//! Releases of the chart, each with a namespace.

use crate::support::cluster::{Cluster, eventually, pods_path, project, say};
use crate::support::credentials::{SECRET_VALUES, plain_token};
use crate::support::helm::Helm;
use crate::support::runtime::app_proxy;
use crate::support::scene::Scene;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The values of most tests: a plain token, in the documentation's spelling.
pub fn token_values(more: &str) -> String {
    format!("global: {{external-arg-cd: {{auth: {{type: token, token: {}}}}}}}\n{more}\n", plain_token())
}

/// Where the chart is.
pub fn chart() -> PathBuf {
    project().join("charts/argocd-auth-webhook")
}

impl Scene {
    /// Writes values where Helm reads them.
    pub fn values(&self, text: &str) -> String {
        self.write("values", text).to_str().unwrap().to_owned()
    }

    /// `helm VERB RELEASE CHART` with these values, in this namespace.
    pub fn helm(&self, helm: Helm, verb: &str, release: &str, values: &str, more: &[&str]) -> Result<String, String> {
        self.helm_of(helm, verb, release, chart().to_str().unwrap(), values, more)
    }

    /// The same of another chart.
    pub fn helm_of(
        &self,
        helm: Helm,
        verb: &str,
        release: &str,
        chart: &str,
        values: &str,
        more: &[&str],
    ) -> Result<String, String> {
        let values = self.values(values);
        let arguments = [verb, release, chart, "--namespace", self.namespace(), "--values", &values];
        helm.run(&self.cluster, &[&arguments, more].concat())
    }

    /// Installs, and takes it down again with the result.
    pub fn install(self, helm: Helm, name: &str, values: &str) -> Release {
        let printed = self.helm(helm, "install", name, values, &[]).unwrap_or_else(|error| panic!("{error}"));
        let leaked = SECRET_VALUES.lines().find(|value| printed.contains(*value));
        assert_eq!(leaked, None, "Helm printed a secret value");
        Release { helm, name: name.to_owned(), scene: self, may_be_refused: false, installed: true }
    }
}

/// An installed release.
pub struct Release {
    pub helm: Helm,
    pub name: String,
    pub scene: Scene,
    /// Whether calls of its processes may be refused: an API server that has just started doesn't know
    /// every role.
    pub may_be_refused: bool,
    installed: bool,
}

impl Release {
    pub fn cluster(&self) -> &Cluster {
        &self.scene.cluster
    }

    pub fn namespace(&self) -> &str {
        self.scene.namespace()
    }

    /// The name of the webhook's objects.
    pub fn fullname(&self) -> String {
        let chart = "argocd-auth-webhook";
        if self.name.contains(chart) { self.name.clone() } else { format!("{}-{chart}", self.name) }
    }

    /// Where its registration is.
    pub fn configuration(&self) -> String {
        let (name, namespace) = (&self.name, self.namespace());
        format!("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}-{namespace}")
    }

    pub fn secret(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace())
    }

    /// Waits until a pod comes back with the token, in a dry run. Says how long that took.
    pub async fn injects(&self) -> Duration {
        self.comes_back(is_injected).await
    }

    /// The same with whatever the settings say.
    pub async fn injects_anything(&self) -> Duration {
        self.comes_back(|pod| pod["metadata"]["annotations"]["argocd-auth-webhook/status"].is_string()).await
    }

    async fn comes_back(&self, right: impl Fn(&Value) -> bool) -> Duration {
        let start = Instant::now();
        let path = format!("{}?dryRun=All", pods_path(self.namespace()));
        eventually("a pod is injected", async || {
            let created = self.cluster().create(&path, &app_proxy("probe")).await?;
            if right(&created) { Ok(()) } else { Err("it was left alone".to_owned()) }
        })
        .await;
        start.elapsed()
    }

    /// The pods of one process (`webhook` or `controller`) that are not about to go.
    pub async fn pods(&self, component: &str) -> Vec<Value> {
        let selector = format!("app.kubernetes.io/instance%3D{},app.kubernetes.io/component%3D{component}", self.name);
        let path = format!("{}?labelSelector={selector}", pods_path(self.namespace()));
        let list = self.cluster().get(&path).await.unwrap();
        let pods = list["items"].as_array().unwrap().iter();
        pods.filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
    }

    /// Waits until both Deployments are as they should be and nothing of before is left.
    pub async fn stands(&self) {
        for (name, component) in
            [(self.fullname(), "webhook"), (format!("{}-controller", self.fullname()), "controller")]
        {
            let path = format!("/apis/apps/v1/namespaces/{}/deployments/{name}", self.namespace());
            eventually("the Deployment stands", async || {
                let deployment = self.cluster().get(&path).await?;
                let (wanted, status) = (&deployment["spec"]["replicas"], &deployment["status"]);
                let seen = status["observedGeneration"] == deployment["metadata"]["generation"];
                let all = ["replicas", "updatedReplicas", "availableReplicas"];
                let there = all.iter().all(|count| status[count] == *wanted);
                if seen && there { Ok(()) } else { Err(format!("{name}: {status}")) }
            })
            .await;
            assert!(!self.pods(component).await.is_empty());
        }
    }

    /// What a pod of ours answers at its admin port.
    pub fn admin(&self, pod: &Value, path: &str) -> Result<String, String> {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}:9090/proxy{path}", pods_path(self.namespace()));
        let seen = self.cluster().kubectl(&["get", "--raw", &path], None);
        if seen.success { Ok(seen.stdout) } else { Err(seen.stderr) }
    }

    pub fn upgrade(&self, values: &str, more: &[&str]) -> Result<String, String> {
        self.scene.helm(self.helm, "upgrade", &self.name, values, more)
    }

    pub fn run(&self, verb: &str, more: &[&str]) -> Result<String, String> {
        let arguments = [verb, &self.name, "--namespace", self.namespace()];
        self.helm.run(self.cluster(), &[&arguments, more].concat())
    }

    pub fn uninstall(&mut self) {
        self.keep_logs();
        self.run("uninstall", &[]).unwrap_or_else(|error| panic!("{error}"));
        self.installed = false;
    }

    /// Keeps what its pods print, and fails where RBAC refused a call of theirs. Those refusals name a user; what
    /// the controller repeats of others (a quota's, say) does not.
    fn keep_logs(&self) {
        let selector = format!("app.kubernetes.io/instance={}", self.name);
        let arguments = ["logs", "--namespace", self.namespace(), "--selector", &selector, "--prefix", "--tail=-1"];
        let seen = self.cluster().kubectl(&arguments, None);
        let folder = &self.scene.output;
        let count = fs::read_dir(folder).unwrap().count();
        fs::write(folder.join(format!("{}-{count}.log", self.name)), &seen.stdout).unwrap();
        let mut refusals = seen.stdout.lines().filter(|line| line.contains("forbidden: User"));
        // An API server that has just started may know a binding before its role, and says so.
        let refused = refusals.find(|line| !(line.contains("RBAC: ") && line.contains("not found")));
        let fine = refused.is_none() || self.may_be_refused || std::thread::panicking();
        assert!(fine, "a call was refused: {refused:?}");
    }
}

impl Drop for Release {
    fn drop(&mut self) {
        if self.installed {
            self.keep_logs();
            if let Err(error) = self.run("uninstall", &[]) {
                say(&format!("left behind in the cluster: release {} of {}: {error}", self.name, self.namespace()));
            }
        }
    }
}

/// Whether the pod's app-proxy takes the token from the Secret that the chart makes of a plain one.
pub fn is_injected(pod: &Value) -> bool {
    let containers = pod["spec"]["containers"].as_array().unwrap();
    let container = containers.iter().find(|container| container["name"] == "cap-app-proxy").unwrap();
    container["env"].as_array().into_iter().flatten().any(|variable| {
        let reference = &variable["valueFrom"]["secretKeyRef"];
        let ours = reference["name"].as_str().is_some_and(|name| name.ends_with("-argocd-token"));
        variable["name"] == "ARGO_CD_TOKEN" && ours
    })
}
