//! `status`, beside a controller that keeps a key.

use super::account::id_of;
use super::commands::Person;
use super::runtime::{PASSWORD_MODE, Runtime};
use crate::support::cluster::{eventually, say};
use argocd_auth_webhook::core::{Service, built_in_services};
use serde_json::{Map, Value, json};
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::Instant;

/// A command that goes on, and what it prints.
struct Watched {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Watched {
    fn next(&mut self) -> Value {
        let line = tokio::task::block_in_place(|| self.lines.next()).unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_the_controller_does_as_it_does_it() {
    let scene = Runtime::new("status").await;
    let person = Person::new(&scene, PASSWORD_MODE);
    let status = ["status", "--release", "hook"];
    let run = |more: &[&str]| {
        let output = person.command(&[&status[..], more].concat()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, printed) = run(&[]);
    assert!(code == 1 && printed.contains("look whether the controller runs"), "{printed}");

    let _controller = scene.quick().await;
    let first = scene.works().await;
    scene.is("valid").await;
    let (code, printed) = run(&[]);
    assert!(code == 1 && printed.contains("Webhook: not registered: there is no"), "{printed}");
    let _registration = Registration::new(&scene).await;
    eventually("it is registered, and all is well", async || match run(&[]) {
        (0, _) => Ok(()),
        (code, printed) => Err(format!("{code}: {printed}")),
    })
    .await;
    let (_, printed) = run(&[]);
    let key = format!("  {}  in use", id_of(&first));
    for part in ["Credential: valid", "account admin", "argocd-token, key token", &key, "Last Events:"] {
        assert!(printed.contains(part), "{part}: {printed}");
    }

    let mut child = person.command(&[&status[..], &["--watch", "-o", "json"]].concat()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut watched = Watched { child, lines };
    assert_eq!(watched.next()["credential"]["keyId"], id_of(&first).as_str());
    scene.argocd.revoke(&scene.argocd.session().await, &id_of(&first));
    let second = scene.replaced(&first).await;
    loop {
        let seen = watched.next();
        if seen["credential"]["keyId"] == id_of(&second).as_str() && seen["good"] == true {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_of_its_objects_comes_back_and_a_registration_that_goes_is_said() {
    let scene = Runtime::new("deleted").await;
    let registration = Registration::new(&scene).await;
    let _controller = scene.quick().await;
    scene.works().await;
    scene.is("valid").await;
    let (status, state) = (scene.path("configmap", "hook-status"), scene.path("secret", "hook-state"));
    let whole = async || match (scene.cluster.get(&status).await, scene.cluster.get(&state).await) {
        (Ok(status), Ok(state)) => {
            let parts = ["credential.json", "webhook.json"].map(|part| status["data"][part].is_string());
            let kept = state["data"]["hash-key"].clone();
            if parts == [true, true] { Ok(kept) } else { Err(status["data"].to_string()) }
        }
        missing => Err(format!("{missing:?}")),
    };
    let before = eventually("both are there", whole).await;
    for gone in [vec![&status], vec![&state], vec![&status, &state]] {
        for path in &gone {
            scene.cluster.delete(path).await.unwrap();
        }
        let begun = Instant::now();
        let now = eventually("they are back", whole).await;
        assert_eq!(now, before, "the state is what it was");
        say(&format!("{gone:?}: back after {:?}", begun.elapsed()));
    }
    drop(registration);
    let begun = Instant::now();
    eventually("an Event says so", async || match scene.events_of("WebhookNotRegistered").await.first() {
        Some(event) if event["note"].as_str().unwrap().contains("helm get manifest hook") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    say(&format!("the registration: said after {:?}", begun.elapsed()));
}

/// A registration that calls nobody: every service has an entry, and what fails is passed over.
struct Registration<'s> {
    scene: &'s Runtime,
    name: String,
}

impl<'s> Registration<'s> {
    async fn new(scene: &'s Runtime) -> Self {
        let name = format!("hook-{}", scene.namespace());
        let entry = |service: &Service| {
            let labels: Map<String, Value> =
                service.selector.match_labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
            json!({
                "name": format!("{}.example.test", service.name), "admissionReviewVersions": ["v1"],
                "sideEffects": "None", "failurePolicy": "Ignore", "clientConfig": { "url": "https://127.0.0.1:1/mutate" },
                "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }],
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": scene.namespace() } },
                "objectSelector": { "matchLabels": labels },
            })
        };
        let entries: Vec<_> = built_in_services().iter().map(entry).collect();
        let made = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": name }, "webhooks": entries,
        });
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        scene.cluster.create(path, &made).await.unwrap();
        Self { scene, name }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.scene.cluster.clean_up(&["mutatingwebhookconfiguration", &self.name]);
    }
}
