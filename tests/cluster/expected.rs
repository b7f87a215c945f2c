//! What a pod must look like afterwards. Written from what the Runtime's services read, not from the
//! code that decides it.

use crate::support::credentials::{plain_password, plain_token};
use crate::support::fixtures::{Arrives, Fixture};
use serde_json::{Value, json};

/// A way to tell a Runtime its credential, with what that means for its pods.
pub struct Way {
    pub name: &'static str,
    /// The settings.
    pub settings: String,
    /// Whether the services authenticate with a token, or with a user and a password.
    pub token: bool,
    /// The Secret and key of the token or the password, and whether it is optional.
    pub credential: (&'static str, &'static str, Option<bool>),
    /// The user name of password mode.
    pub username: &'static str,
    /// The Secret and key that the services read by themselves.
    pub read_by_services: (&'static str, &'static str),
}

/// Each way to configure the credential.
pub fn ways() -> [Way; 5] {
    [
        Way {
            name: "token-plain",
            settings: format!("auth: {{type: token, token: {}}}", plain_token()),
            token: true,
            credential: ("gitops-runtime-argo-cd-token", "token", None),
            username: "",
            read_by_services: ("gitops-runtime-argo-cd-token", "token"),
        },
        Way {
            name: "token-reference",
            settings: "auth: {type: token, tokenSecretKeyRef: {name: argo-robot, key: api-key}}".to_owned(),
            token: true,
            credential: ("argo-robot", "api-key", None),
            username: "",
            read_by_services: ("argo-robot", "api-key"),
        },
        Way {
            name: "password-plain",
            settings: format!("auth: {{type: password, username: robot, password: {}}}", plain_password()),
            token: false,
            credential: ("gitops-runtime-argo-cd-password", "token", None),
            username: "robot",
            read_by_services: ("argocd-token", "token"),
        },
        Way {
            name: "password-reference",
            settings: "auth: {passwordSecretKeyRef: {name: argo-robot, key: secret, optional: true}}".to_owned(),
            token: false,
            credential: ("argo-robot", "secret", Some(true)),
            username: "admin",
            read_by_services: ("argocd-token", "token"),
        },
        Way {
            name: "password-defaults",
            settings: "auth: {type: password}".to_owned(),
            token: false,
            credential: ("argocd-initial-admin-secret", "password", None),
            username: "admin",
            read_by_services: ("argocd-token", "token"),
        },
    ]
}

/// How the credential gets into the app-proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    Env,
    Volume,
}

const VOLUME: &str = "argocd-auth";
const STATUS: &str = "argocd-auth-webhook/status";

fn with_optional(mut reference: Value, optional: Option<bool>) -> Value {
    if let Some(optional) = optional {
        reference["optional"] = optional.into();
    }
    reference
}

impl Way {
    /// The `ARGO_CD_*` variables that are a credential's, sorted by name.
    pub fn variables(&self, fixture: &Fixture, arrives: Arrives, delivery: Delivery) -> Vec<Value> {
        if fixture.service != "app-proxy" {
            let (name, key) = self.read_by_services;
            return vec![
                json!({ "name": "ARGO_CD_TOKEN_SECRET_KEY", "value": key }),
                json!({ "name": "ARGO_CD_TOKEN_SECRET_NAME", "value": name }),
            ];
        }
        let (name, key, optional) = self.credential;
        let which = if self.token { "TOKEN" } else { "PASSWORD" };
        let file = which.to_lowercase();
        let credential = match delivery {
            Delivery::Env => {
                let reference = with_optional(json!({ "name": name, "key": key }), optional);
                json!({ "name": format!("ARGO_CD_{which}"), "valueFrom": { "secretKeyRef": reference } })
            }
            Delivery::Volume => json!({
                "name": format!("ARGO_CD_{which}_FILE"), "value": format!("/var/run/secrets/argocd-auth/{file}") }),
        };
        if self.token {
            return vec![credential];
        }
        // Every chart renders `admin` into this ConfigMap: then it may stay. Another name isn't in it for sure.
        let username = if arrives == Arrives::WithChartVariables && self.username == "admin" {
            json!({ "name": "ARGO_CD_USERNAME", "valueFrom": {
                "configMapKeyRef": { "name": "cap-app-proxy-cm", "key": "argoCdUsername" } } })
        } else {
            json!({ "name": "ARGO_CD_USERNAME", "value": self.username })
        };
        vec![credential, username]
    }

    /// The volume and its mount, where there is one.
    fn volume(&self, fixture: &Fixture, delivery: Delivery) -> Option<(Value, Value)> {
        if fixture.service != "app-proxy" || delivery == Delivery::Env {
            return None;
        }
        let (name, key, optional) = self.credential;
        let file = if self.token { "token" } else { "password" };
        let secret = json!({ "secretName": name, "items": [{ "key": key, "path": file }], "defaultMode": 0o444 });
        let volume = json!({ "name": VOLUME, "secret": with_optional(secret, optional) });
        let mount = json!({ "name": VOLUME, "mountPath": "/var/run/secrets/argocd-auth", "readOnly": true });
        Some((volume, mount))
    }

    /// Compares a pod with the same one that no webhook saw.
    pub fn check(&self, pod: &Value, untouched: &Value, fixture: &Fixture, arrives: Arrives, delivery: Delivery) {
        let context =
            format!("{} {} {}, {}, {delivery:?}", fixture.generation, fixture.service, arrives.as_str(), self.name);
        let mut pod = comparable(pod);
        let mut untouched = comparable(untouched);
        let expected = self.variables(fixture, arrives, delivery);

        let env = take_env(&mut pod, fixture.container);
        let env_before = take_env(&mut untouched, fixture.container);
        let (credentials, own): (Vec<_>, Vec<_>) = env.iter().cloned().partition(is_credential);
        let (credentials_before, own_before): (Vec<_>, Vec<_>) = env_before.iter().cloned().partition(is_credential);
        assert_eq!(sorted(&credentials), expected, "{context}: the credential's variables");
        assert_eq!(own, own_before, "{context}: the container's own variables");
        if arrives == Arrives::Stripped {
            assert_eq!(env[..expected.len()], expected, "{context}: they stand in front, in order");
        }
        for (place, variable) in env.iter().enumerate() {
            // Kubernetes expands only what stands earlier in the list.
            let uses =
                |name: &str| variable["value"].as_str().is_some_and(|value| value.contains(&format!("$({name})")));
            let later = env[place..].iter().filter(|other| is_credential(other));
            let unexpanded: Vec<_> = later.filter(|other| uses(other["name"].as_str().unwrap())).collect();
            assert!(unexpanded.is_empty(), "{context}: {variable} uses what stands later: {unexpanded:?}");
        }

        let volume = self.volume(fixture, delivery);
        let (taken_volume, taken_mount) = take_volume(&mut pod, fixture.container);
        assert_eq!((taken_volume, taken_mount), volume.clone().unzip(), "{context}: the volume and its mount");

        let changed = volume.is_some() || sorted(&credentials_before) != expected;
        let metadata = pod["metadata"].as_object_mut().unwrap();
        let annotations = metadata.get_mut("annotations").and_then(Value::as_object_mut);
        let (annotation, none_left) = match annotations {
            Some(annotations) => (annotations.shift_remove(STATUS), annotations.is_empty()),
            None => (None, false),
        };
        if none_left {
            metadata.shift_remove("annotations");
        }
        let status = annotation.map(|text| serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap());
        let expected_status = json!({ "v": 1, "outcome": "injected", "engine": "webhook" });
        assert_eq!(status, changed.then_some(expected_status), "{context}: the status annotation");

        assert_eq!(pod, untouched, "{context}: everything else in the pod");
    }
}

fn is_credential(variable: &Value) -> bool {
    const NAMES: [&str; 7] = [
        "ARGO_CD_TOKEN",
        "ARGO_CD_USERNAME",
        "ARGO_CD_PASSWORD",
        "ARGO_CD_TOKEN_SECRET_NAME",
        "ARGO_CD_TOKEN_SECRET_KEY",
        "ARGO_CD_TOKEN_FILE",
        "ARGO_CD_PASSWORD_FILE",
    ];
    NAMES.iter().any(|name| variable["name"] == *name)
}

fn sorted(variables: &[Value]) -> Vec<Value> {
    let mut variables = variables.to_vec();
    variables.sort_by_key(|variable| variable["name"].as_str().unwrap().to_owned());
    variables
}

fn container<'p>(pod: &'p mut Value, name: &str) -> &'p mut Value {
    let containers = pod["spec"]["containers"].as_array_mut().unwrap();
    containers.iter_mut().find(|container| container["name"] == name).unwrap()
}

fn take_env(pod: &mut Value, name: &str) -> Vec<Value> {
    match container(pod, name).as_object_mut().unwrap().shift_remove("env") {
        Some(Value::Array(env)) => env,
        None => Vec::new(),
        Some(other) => panic!("env is {other}"),
    }
}

fn take_named(list: &mut Value, name: &str) -> Option<Value> {
    let list = list.as_array_mut()?;
    let place = list.iter().position(|item| item["name"] == name)?;
    Some(list.remove(place))
}

fn take_volume(pod: &mut Value, name: &str) -> (Option<Value>, Option<Value>) {
    let volume = pod["spec"].get_mut("volumes").and_then(|volumes| take_named(volumes, VOLUME));
    let mount = container(pod, name).get_mut("volumeMounts").and_then(|mounts| take_named(mounts, VOLUME));
    (volume, mount)
}

/// A pod without what a cluster makes anew for each one.
pub fn comparable(pod: &Value) -> Value {
    const TOKEN_VOLUME: &str = "kube-api-access-";
    let text = pod.to_string();
    // The volume with the service account's token has five random letters at its end.
    let mut fixed = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(place) = rest.find(TOKEN_VOLUME) {
        let end = place + TOKEN_VOLUME.len();
        fixed.push_str(&rest[..end]);
        rest = &rest[end + 5..];
    }
    fixed.push_str(rest);
    let mut pod: Value = serde_json::from_str(&fixed).unwrap();

    let metadata = pod["metadata"].as_object_mut().unwrap();
    for generated in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp", "managedFields"] {
        metadata.shift_remove(generated);
    }
    for owner in metadata.get_mut("ownerReferences").and_then(Value::as_array_mut).into_iter().flatten() {
        owner.as_object_mut().unwrap().shift_remove("uid");
    }
    // Where a scheduler runs, it and the kubelet write these whenever they come to it.
    pod["spec"].as_object_mut().unwrap().shift_remove("nodeName");
    pod.as_object_mut().unwrap().shift_remove("status");
    pod
}
