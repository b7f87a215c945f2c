//! Each way to give a Runtime its credential, from the values file to the process that holds it.

use crate::support::cluster::say;
use crate::support::credentials::{plain_password, plain_token};
use crate::support::fixtures::{self, Arrives, Fixture};
use crate::support::helm::Helm;
use crate::support::machine::{container_status, environment, memory, running_process};
use crate::support::release::Release;
use crate::support::runtime::{run, runnable, secret, secret_value, surroundings};
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::time::Instant;

pub struct Set {
    pub name: &'static str,
    pub helm: Helm,
    pub values: String,
    pub generation: &'static str,
    pub token: bool,
    /// Where the credential is.
    pub secret: (&'static str, &'static str),
    /// Its value, where a person or the Runtime's chart makes that Secret.
    pub made_by_others: Option<&'static str>,
    pub username: &'static str,
    pub volume: bool,
}

/// What the services read that authenticate by themselves, given the Secret of the settings.
const fn read_by_services(set: &Set) -> (&'static str, &'static str) {
    if set.token { set.secret } else { ("argocd-token", "token") }
}

async fn install(set: &Set) -> Release {
    install_in(Scene::new(set.name).await, set).await
}

/// Installs it, runs a pod of each service, and looks at what their processes hold.
pub async fn install_in(scene: Scene, set: &Set) -> Release {
    let namespace = scene.namespace().to_owned();
    let (name, key) = set.secret;
    if let Some(value) = set.made_by_others {
        secret(&scene.cluster, &namespace, name, key, value).await;
    }
    let fixtures: Vec<Fixture> =
        fixtures::all().into_iter().filter(|fixture| fixture.generation == set.generation).collect();
    surroundings(&scene.cluster, &namespace, &fixtures).await;

    let start = Instant::now();
    let release = scene.install(set.helm, "auth", &set.values);
    let installed = start.elapsed();
    release.injects_anything().await;
    say(&format!(
        "{}: `helm install` took {:.1} s, and {:.1} s after its start the first pod was injected",
        set.name,
        installed.as_secs_f64(),
        start.elapsed().as_secs_f64()
    ));

    for fixture in &fixtures {
        // The spelling `external-arg-cd` is unknown to the Runtime's chart, which renders its defaults.
        let workload = runnable_as(fixture, set);
        let pods = run(release.cluster(), &namespace, fixture, &workload).await;
        assert_eq!(pods.len(), fixture.replicas());
        for pod in &pods {
            holds(&release, set, fixture, pod).await;
        }
    }
    release
}

/// A file that is mounted is for any user: this one, without a group that it belongs to.
fn runnable_as(fixture: &Fixture, set: &Set) -> Value {
    let mut workload = runnable(fixture, Arrives::WithChartVariables);
    if set.volume {
        let spec = &mut workload["spec"]["template"]["spec"];
        spec["securityContext"] = json!({ "runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": true });
        assert!(spec["securityContext"]["fsGroup"].is_null());
    }
    workload
}

/// Compares what the process of the service's container holds with the Secret; the other containers
/// hold none of it.
async fn holds(release: &Release, set: &Set, fixture: &Fixture, pod: &Value) {
    let (cluster, namespace) = (release.cluster(), release.namespace());
    let context = format!("{}, {} of {}", set.name, fixture.service, fixture.generation);
    let containers = pod["spec"]["containers"].as_array().unwrap();
    for container in containers {
        let name = container["name"].as_str().unwrap();
        assert!(container_status(pod, name).is_some(), "{context}: {name}");
        let pid = running_process(cluster, pod, name).await;
        let holds = environment(pid);
        let of_argocd = |known: &[&str]| -> Vec<(String, String)> {
            let all = holds.iter().filter(|(name, _)| known.contains(&name.as_str()));
            all.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        let ours = of_argocd(&[
            "ARGO_CD_TOKEN",
            "ARGO_CD_TOKEN_FILE",
            "ARGO_CD_USERNAME",
            "ARGO_CD_PASSWORD",
            "ARGO_CD_PASSWORD_FILE",
            "ARGO_CD_TOKEN_SECRET_NAME",
            "ARGO_CD_TOKEN_SECRET_KEY",
        ]);
        let expected: Vec<(&str, String)> = if name != fixture.container {
            Vec::new()
        } else if fixture.service == "app-proxy" {
            let (secret, key) = set.secret;
            let value = secret_value(cluster, namespace, secret, key).await;
            assert!(!value.is_empty());
            let which = if set.token { "TOKEN" } else { "PASSWORD" };
            let mut expected = if set.volume {
                let path = format!("/var/run/secrets/argocd-auth/{}", which.to_lowercase());
                let pod_name = pod["metadata"]["name"].as_str().unwrap();
                let arguments = ["exec", pod_name, "--namespace", namespace, "--container", name, "--"];
                let read = cluster.kubectl(&[&arguments[..], &["/probe", "cat", &path]].concat(), None);
                assert_eq!((read.stdout, read.stderr), (value, String::new()), "{context}: the mounted file");
                vec![(format!("ARGO_CD_{which}_FILE"), path)]
            } else {
                vec![(format!("ARGO_CD_{which}"), value)]
            };
            if !set.token {
                expected.push(("ARGO_CD_USERNAME".to_owned(), set.username.to_owned()));
            }
            assert_eq!(ours, expected, "{context}: {name}");
            continue;
        } else {
            let (secret, key) = read_by_services(set);
            vec![("ARGO_CD_TOKEN_SECRET_KEY", key.to_owned()), ("ARGO_CD_TOKEN_SECRET_NAME", secret.to_owned())]
        };
        let expected: Vec<(String, String)> =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(ours, expected, "{context}: {name}");
    }
}

/// What both processes hold when nothing happens.
async fn say_memory(release: &Release) {
    let mut said = Vec::new();
    for component in ["webhook", "controller"] {
        for pod in release.pods(component).await {
            let pid = running_process(release.cluster(), &pod, component).await;
            // No variables that a Service's name made.
            let links = environment(pid).into_keys().filter(|name| name.ends_with("_SERVICE_HOST"));
            assert_eq!(links.collect::<Vec<_>>(), ["KUBERNETES_SERVICE_HOST"]);
            said.push(format!("{component} {:.1} MB", memory(pid)));
        }
    }
    say(&format!("memory at rest: {}", said.join(", ")));
}

fn tests_well(release: &Release) {
    let printed = release.run("test", &[]).unwrap_or_else(|error| panic!("{error}"));
    assert!(printed.contains("Succeeded"), "{printed}");
}

// The documentation's three examples are a plain token, a token by reference and a password by reference.

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_token_reaches_the_processes() {
    let set = Set {
        name: "token-plain",
        helm: Helm::Four,
        values: format!("global: {{external-argo-cd: {{auth: {{type: token, token: {}}}}}}}", plain_token()),
        generation: "current",
        token: true,
        secret: ("auth-argocd-token", "token"),
        made_by_others: None,
        username: "",
        volume: false,
    };
    let release = install(&set).await;
    release.stands().await;
    say_memory(&release).await;
    tests_well(&release);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_by_reference_reaches_the_processes() {
    let set = Set {
        name: "token-reference",
        helm: Helm::Three,
        values: "global: {external-argo-cd: {auth: {type: token, tokenSecretKeyRef: {name: robot, key: api-key}}}}"
            .to_owned(),
        generation: "classic",
        token: true,
        secret: ("robot", "api-key"),
        made_by_others: Some("a-token-of-a-person"),
        username: "",
        volume: false,
    };
    let release = install(&set).await;
    release.stands().await;
    tests_well(&release);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_by_reference_reaches_the_processes_with_its_user() {
    let set = Set {
        name: "password-documented",
        helm: Helm::Four,
        values: "global: {external-argo-cd: {auth: {type: password, username: some-user-name, \
                 passwordSecretKeyRef: {name: secret-name, key: secret-key}}}}"
            .to_owned(),
        generation: "current",
        token: false,
        secret: ("secret-name", "secret-key"),
        made_by_others: Some("a-password-of-a-person"),
        // The Runtime's chart doesn't know this spelling: its ConfigMap names another.
        username: "some-user-name",
        volume: false,
    };
    install(&set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_umbrella_gives_the_runtime_reaches_the_processes() {
    let set = Set {
        name: "umbrella-values",
        helm: Helm::Three,
        values: "gitops-runtime: {argo-cd: {enabled: false}, global: {runtime: {name: codefresh}, external-argo-cd: \
                 {auth: {type: token, tokenSecretKeyRef: {name: gitops-runtime-argo-cd-token, key: token}}}}}"
            .to_owned(),
        generation: "current",
        token: true,
        secret: ("gitops-runtime-argo-cd-token", "token"),
        made_by_others: Some("a-token-of-a-person"),
        username: "",
        volume: false,
    };
    install(&set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_password_reaches_the_processes() {
    let set = Set {
        name: "password-plain",
        helm: Helm::Three,
        values: format!(
            "global: {{integrations: {{argo-cd: {{server: {{auth: {{type: password, username: robot, password: {}}}}}}}}}}}",
            plain_password()
        ),
        generation: "current",
        token: false,
        // The Runtime's chart knows this spelling and makes the Secret.
        secret: ("gitops-runtime-argo-cd-password", "token"),
        made_by_others: Some(plain_password()),
        // And the ConfigMap, whose user name the app-proxy keeps.
        username: "from-the-config-map",
        volume: false,
    };
    install(&set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_by_reference_reaches_the_processes_as_a_file() {
    let set = Set {
        name: "password-reference",
        helm: Helm::Four,
        values: "delivery: volume\nglobal: {external-arg-cd: {auth: {username: robot, passwordSecretKeyRef: {name: robot, key: secret}}}}"
            .to_owned(),
        generation: "classic",
        token: false,
        secret: ("robot", "secret"),
        made_by_others: Some("a-password-of-a-person"),
        // Unknown to the Runtime's chart, so that its ConfigMap would name another.
        username: "robot",
        volume: true,
    };
    install(&set).await;
}
