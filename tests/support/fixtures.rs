//! The Runtime's workloads, as its chart renders them, without credentials: `tests/fixtures/pods`.

use serde_json::{Value, json};

/// A workload of the Runtime.
pub struct Fixture {
    pub generation: &'static str,
    /// The service's name in the webhook's settings and metrics.
    pub service: &'static str,
    /// The container that gets the credential.
    pub container: &'static str,
    pub workload: Value,
}

/// What the Runtime's chart had put into a pod before the webhook saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arrives {
    /// No credential at all.
    Stripped,
    /// The variables that the chart renders where it knows of no auth block: password mode's
    /// defaults.
    WithChartVariables,
}

impl Arrives {
    pub const ALL: [Self; 2] = [Self::Stripped, Self::WithChartVariables];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stripped => "stripped",
            Self::WithChartVariables => "chart",
        }
    }
}

macro_rules! fixture {
    ($generation:literal, $service:literal, $container:literal) => {
        Fixture {
            generation: $generation,
            service: $service,
            container: $container,
            workload: serde_saphyr::from_str(include_str!(concat!(
                "../fixtures/pods/",
                $generation,
                "/",
                $service,
                ".yaml"
            )))
            .unwrap(),
        }
    };
}

pub const GENERATIONS: [&str; 2] = ["classic", "current"];

/// All workloads of both generations.
pub fn all() -> Vec<Fixture> {
    vec![
        fixture!("classic", "app-proxy", "cap-app-proxy"),
        fixture!("classic", "gitops-operator", "manager"),
        fixture!("classic", "event-reporter", "event-reporter"),
        fixture!("classic", "sources-server", "sources-server"),
        fixture!("current", "app-proxy", "cap-app-proxy"),
        fixture!("current", "gitops-operator", "manager"),
        fixture!("current", "runtime-event-reporter", "runtime-event-reporter"),
        fixture!("current", "cluster-event-reporter", "cluster-event-reporter"),
        fixture!("current", "argo-gateway", "argo-gateway"),
    ]
}

impl Fixture {
    /// The variables that the chart renders by itself, sorted by name.
    pub fn chart_variables(&self) -> Vec<Value> {
        if self.service == "app-proxy" {
            vec![
                json!({ "name": "ARGO_CD_PASSWORD", "valueFrom": {
                    "secretKeyRef": { "name": "argocd-initial-admin-secret", "key": "password" } } }),
                json!({ "name": "ARGO_CD_USERNAME", "valueFrom": {
                    "configMapKeyRef": { "name": "cap-app-proxy-cm", "key": "argoCdUsername" } } }),
            ]
        } else {
            vec![
                json!({ "name": "ARGO_CD_TOKEN_SECRET_KEY", "value": "token" }),
                json!({ "name": "ARGO_CD_TOKEN_SECRET_NAME", "value": "argocd-token" }),
            ]
        }
    }

    /// The workload as it comes to the cluster.
    pub fn arriving(&self, arrives: Arrives) -> Value {
        let mut workload = self.workload.clone();
        if arrives == Arrives::WithChartVariables {
            let containers = workload["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
            let container = containers.iter_mut().find(|container| container["name"] == self.container).unwrap();
            let env = container["env"].as_array_mut().unwrap();
            // The chart sorts by name.
            for variable in self.chart_variables() {
                let name = variable["name"].as_str().unwrap();
                let place = env.iter().position(|other| other["name"].as_str().unwrap() > name).unwrap_or(env.len());
                env.insert(place, variable);
            }
        }
        workload
    }

    pub fn replicas(&self) -> usize {
        usize::try_from(self.workload["spec"]["replicas"].as_u64().unwrap()).unwrap()
    }

    /// The service account that its pods run as, which has to be there first.
    pub fn service_account(&self) -> &str {
        self.workload["spec"]["template"]["spec"]["serviceAccountName"].as_str().unwrap()
    }

    /// Whether a pod is one of this workload.
    pub fn owns(&self, pod: &Value) -> bool {
        let labels = self.workload["spec"]["selector"]["matchLabels"].as_object().unwrap();
        labels.iter().all(|(key, value)| pod["metadata"]["labels"].get(key) == Some(value))
    }
}
