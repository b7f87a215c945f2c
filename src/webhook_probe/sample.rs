//! Sample pods, one for each service.

use crate::core::{LabelSelector, Operator, Service};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The value of a label that no service selects.
pub(crate) const FOREIGN: &str = "argocd-auth-webhook-doctor";

/// A pod that restricted Pod Security, a quota or a limit range would admit.
fn pod(name: &str, labels: &Value, container: &str) -> Value {
    let resources = json!({ "cpu": "10m", "memory": "16Mi" });
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": format!("argocd-auth-webhook-doctor-{name}"), "labels": labels },
        "spec": {
            "automountServiceAccountToken": false,
            "securityContext": {
                "runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": container,
                "image": "registry.invalid/none",
                "resources": { "requests": resources, "limits": resources },
                "securityContext": {
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    })
}

/// A pod that the service's selector matches.
#[must_use]
pub fn of(service: &Service) -> Value {
    let container = service.containers.first().map_or("main", String::as_str);
    pod(&service.name, &labels(&service.selector), container)
}

/// The labels of the service's sample pod.
#[must_use]
pub fn labels_of(service: &Service) -> BTreeMap<String, String> {
    let labels = labels(&service.selector);
    let labels = labels.as_object().into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// A pod that no service's selector matches.
#[must_use]
pub fn foreign() -> Value {
    pod("foreign", &json!({ "app.kubernetes.io/name": FOREIGN }), "main")
}

/// Labels that a selector matches.
fn labels(selector: &LabelSelector) -> Value {
    let mut labels = json!({});
    for (key, value) in &selector.match_labels {
        labels[key] = value.as_str().into();
    }
    for requirement in &selector.match_expressions {
        match requirement.operator {
            Operator::In => labels[&requirement.key] = requirement.values.first().map(String::as_str).into(),
            Operator::Exists if labels.get(&requirement.key).is_none() => labels[&requirement.key] = "doctor".into(),
            Operator::Exists | Operator::NotIn | Operator::DoesNotExist => {}
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Engine, Outcome, Pod};
    use crate::settings::Settings;

    #[test]
    fn each_service_gets_a_pod_that_is_its_own_and_the_foreign_one_is_nobodys() {
        let injector = Settings::of_the_charts().injector(Engine::Webhook);
        for (place, service) in injector.services().enumerate() {
            let text = of(service).to_string();
            let decision = injector.decide(&Pod::from_json(&text).unwrap());
            assert_eq!(decision.service.map(|(place, _)| place), Some(place), "{}", service.name);
            assert_eq!(decision.outcome, Outcome::Injected);
        }
        let text = foreign().to_string();
        assert_eq!(injector.decide(&Pod::from_json(&text).unwrap()).outcome, Outcome::NotSelected);
    }
}
