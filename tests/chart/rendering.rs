//! What is rendered.

use super::helm::{
    Helm, NAMESPACE, RELEASE, chart, compare, object, objects, program_values, root, table, values_file,
};
use crate::support::decision;
use serde_json::{Value, json};

#[test]
fn the_chart_passes_lint_for_every_set_of_values() {
    for (name, values) in table() {
        let file = values_file(&values);
        let chart = chart();
        let arguments = ["lint", "--strict", chart.to_str().unwrap(), "--values", file.path().to_str().unwrap()];
        Helm::four().run(&arguments).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_set_of_values_renders_what_is_kept_in_the_tree() {
    for (name, values) in table() {
        let rendered = Helm::four().render(&values).unwrap_or_else(|error| panic!("{name}: {error}"));
        compare(&root().join(format!("tests/chart/goldens/{name}.yaml")), &rendered);
    }
}

#[test]
fn every_rendering_is_byte_identical() {
    for (name, values) in table() {
        assert_eq!(Helm::four().render(&values), Helm::four().render(&values), "{name}");
    }
}

#[test]
fn helm_3_and_helm_4_render_the_same_objects() {
    let Some(three) = Helm::three() else {
        return println!("NOT RUN: helm_3_and_helm_4_render_the_same_objects: no Helm 3 (HELM3)");
    };
    for (name, values) in table() {
        let sorted = |helm: &Helm| {
            let mut objects: Vec<String> =
                objects(&helm.render(&values).unwrap()).iter().map(Value::to_string).collect();
            objects.sort();
            objects
        };
        assert_eq!(sorted(&Helm::four()), sorted(&three), "{name}");
    }
}

#[test]
fn nothing_of_the_templates_depends_on_a_cluster_or_on_the_moment() {
    for entry in std::fs::read_dir(chart().join("templates")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        for word in
            ["lookup", "genCA", "genSelfSigned", "genSigned", "genPrivateKey", "rand", "uuidv4", "now", "htpasswd"]
        {
            let called = text.split(|c: char| !c.is_ascii_alphanumeric()).any(|found| found.starts_with(word));
            let comment =
                word == "now" && !text.contains("(now") && !text.contains("{{ now") && !text.contains("{{- now");
            assert!(!called || comment, "{}: {word}", path.display());
        }
        assert!(!text.contains("pre-delete") && !text.contains("post-delete"), "{}", path.display());
    }
}

#[test]
fn a_plain_credential_stands_in_its_secret_and_nowhere_else() {
    for (name, values) in table() {
        let rendered = Helm::four().render(&values).unwrap();
        assert!(!rendered.contains("plain-credential"), "{name}: in the clear");
        for object in objects(&rendered).iter().filter(|object| object["kind"] != "Secret") {
            let text = object.to_string();
            // "plain-credential" in base64, whatever stands after it.
            assert!(
                !text.contains("cGxhaW4tY3JlZGVudGlhb"),
                "{name}: {} {}",
                object["kind"],
                object["metadata"]["name"]
            );
        }
    }
}

#[test]
fn a_plain_credential_gets_a_secret_under_a_name_that_no_chart_of_the_runtime_has() {
    let auth = "{type: token, token: plain-credential-1}";
    let rendered = |spelling: &str, credentials: &str| {
        let values = match spelling {
            "own" => format!("auth: {auth}"),
            "current" => format!("global: {{integrations: {{argo-cd: {{server: {{auth: {auth}}}}}}}}}"),
            "both" => format!("global: {{external-arg-cd: {{auth: {auth}}}, external-argo-cd: {{auth: {auth}}}}}"),
            "umbrella" => format!("cf: {{global: {{external-arg-cd: {{auth: {auth}}}}}}}"),
            spelling => format!("global: {{{spelling}: {{auth: {auth}}}}}"),
        };
        let objects = objects(&Helm::four().render(&format!("{values}\ncredentials: {credentials}\n")).unwrap());
        let secret = |name: &str| object(&objects, "Secret", name).map(|secret| secret["data"]["token"].clone());
        let kept = decision::values(&program_values(&objects)).unwrap().auth.credential.name;
        (secret("argocd-auth-webhook-argocd-token"), secret("gitops-runtime-argo-cd-token"), kept)
    };
    let made = Some(json!("cGxhaW4tY3JlZGVudGlhbC0x"));
    let (ours, theirs) = ("argocd-auth-webhook-argocd-token".to_owned(), "gitops-runtime-argo-cd-token".to_owned());
    // Of these, the former name was ours: the Secret stays until no pod refers to it.
    for spelling in ["external-arg-cd", "umbrella"] {
        assert_eq!(rendered(spelling, "{}"), (made.clone(), made.clone(), ours.clone()), "{spelling}");
        let off = rendered(spelling, "{keepFormerSecret: false}");
        assert_eq!(off, (made.clone(), None, ours.clone()), "{spelling}");
    }
    for spelling in ["own", "external-argo-cd", "both"] {
        assert_eq!(rendered(spelling, "{}"), (made.clone(), None, ours.clone()), "{spelling}");
    }
    // The Runtime's chart makes it of the block that it reads whichever chart it is.
    assert_eq!(rendered("current", "{}"), (None, None, theirs.clone()));
    assert_eq!(rendered("current", "{createSecret: true}"), (made, None, ours));
    assert_eq!(rendered("external-arg-cd", "{createSecret: false}"), (None, None, theirs));
}

#[test]
fn there_is_no_secret_without_a_plain_credential_of_the_mode() {
    for values in [
        "credentials: {createSecret: true}",
        "global: {external-arg-cd: {auth: {type: token, tokenSecretKeyRef: {name: a, key: b}, password: plain-credential-1}}}",
    ] {
        let objects = objects(&Helm::four().render(values).unwrap());
        assert!(objects.iter().all(|object| object["kind"] != "Secret"), "{values}");
    }
}

#[test]
fn the_webhook_has_an_entry_for_each_service_of_the_program() {
    for (name, values) in table() {
        let objects = objects(&Helm::four().render(&values).unwrap());
        let registered = object(&objects, "MutatingWebhookConfiguration", &format!("{RELEASE}-{NAMESPACE}")).unwrap();
        let entries = registered["webhooks"].as_array().unwrap();
        let services = decision::values(&values).unwrap().services;
        assert_eq!(entries.len(), services.len(), "{name}");
        for (entry, service) in entries.iter().zip(services) {
            assert_eq!(entry["name"], format!("{}.argocd-auth-webhook.io", service.name), "{name}");
            let selector = &service.selector;
            let labels: serde_json::Map<String, Value> =
                selector.match_labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            assert_eq!(entry["objectSelector"]["matchLabels"], Value::Object(labels), "{name}: {}", service.name);
            let mut requirements: Vec<Value> = selector
                .match_expressions
                .iter()
                .map(|requirement| {
                    let mut object =
                        json!({ "key": requirement.key, "operator": format!("{:?}", requirement.operator) });
                    if !requirement.values.is_empty() {
                        object["values"] = json!(requirement.values);
                    }
                    object
                })
                .collect();
            requirements.push(json!({ "key": "argocd-auth-webhook/inject", "operator": "NotIn", "values": ["false"] }));
            assert_eq!(entry["objectSelector"]["matchExpressions"], json!(requirements), "{name}: {}", service.name);
        }
    }
}

#[test]
fn a_change_of_the_settings_replaces_the_pods_and_one_of_the_credential_does_not() {
    let checksum = |values: &str| {
        let objects = objects(&Helm::four().render(values).unwrap());
        let deployment = object(&objects, "Deployment", RELEASE).unwrap();
        deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    let token = |token: &str| format!("global: {{external-arg-cd: {{auth: {{type: token, token: {token}}}}}}}");
    assert_eq!(checksum(&token("one")), checksum(&token("two")));
    assert_ne!(checksum(&token("one")), checksum(""));
    assert_ne!(checksum("delivery: volume"), checksum(""));
}

#[test]
fn no_object_may_touch_a_secret_that_is_not_named() {
    for (name, values) in table() {
        for role in objects(&Helm::four().render(&values).unwrap()) {
            for rule in role["rules"].as_array().into_iter().flatten() {
                let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
                let resources = rule["resources"].as_array().unwrap();
                for resource in resources.iter().filter_map(Value::as_str) {
                    let free = ["pods", "pods/eviction", "replicasets", "endpointslices", "events"].contains(&resource);
                    assert!(named || free, "{name}: {}: {resource}", role["metadata"]["name"]);
                }
            }
        }
    }
}

#[test]
fn reports_only_means_that_nothing_may_be_replaced() {
    let role = |values: &str| {
        let objects = objects(&Helm::four().render(values).unwrap());
        object(&objects, "Role", "argocd-auth-webhook-controller").unwrap().to_string()
    };
    for word in ["eviction", "delete", "deployments", "statefulsets"] {
        for values in ["rollout: report", "rollout: {mode: report, byName: restart}"] {
            assert!(!role(values).contains(word), "{values}: {word}");
        }
        for values in ["rollout: automatic", "rollout: {byName: restart}", "rollout: ''"] {
            assert!(role(values).contains(word), "{values}: {word}");
        }
    }
}

#[test]
fn on_the_nodes_network_an_upgrade_never_waits_for_a_port_that_is_taken() {
    for replicas in [1, 2] {
        let values = format!("webhook: {{hostNetwork: true, port: 10251, replicas: {replicas}}}");
        let objects = objects(&Helm::four().render(&values).unwrap());
        let strategy = &object(&objects, "Deployment", RELEASE).unwrap()["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(*strategy, json!({ "maxUnavailable": 1, "maxSurge": 0 }), "{replicas}");
    }
}

#[test]
fn the_commands_for_people_find_the_settings_by_the_releases_name() {
    let file = values_file("{fullnameOverride: something-else, auth: {type: password}}");
    let chart = chart();
    let arguments = ["template", "mine", chart.to_str().unwrap(), "--values", file.path().to_str().unwrap()];
    let objects = objects(&Helm::four().run(&[&arguments[..], &["--kube-version", "1.36.0"]].concat()).unwrap());
    let map = object(&objects, "ConfigMap", "mine-config").unwrap();
    assert!(map["data"]["values.yaml"].is_string());
}
