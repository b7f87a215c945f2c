//! Whether an API server would call the webhook when a pod is created.

use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use std::collections::BTreeMap;

/// The label with a namespace's name, which the API server sets on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Why no entry of the configuration is known to match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCalled {
    /// No entry matches the pod and its namespace; the reason.
    #[error("{0}")]
    Never(String),
    /// An entry may match, but that depends on something not evaluated here; the reason.
    #[error("{0}")]
    Unknown(String),
}

/// The entry that makes an API server call the webhook when a pod with these labels is created in
/// `namespace`.
///
/// # Errors
/// [`NotCalled::Never`] if no entry matches; [`NotCalled::Unknown`] if one has `matchConditions`, or a
/// `namespaceSelector` on other labels than the namespace's name.
pub fn entry_for<'c>(
    configuration: &'c MutatingWebhookConfiguration,
    namespace: &str,
    labels: &BTreeMap<String, String>,
) -> Result<&'c MutatingWebhook, NotCalled> {
    let name = configuration.metadata.name.as_deref().unwrap_or_default();
    let mut why = NotCalled::Never(format!("no entry of MutatingWebhookConfiguration {name} selects them"));
    for entry in configuration.webhooks.iter().flatten() {
        let creations = entry.rules.iter().flatten().any(is_of_pod_creations);
        if !creations || !selects(entry.object_selector.as_ref(), labels).unwrap_or(false) {
            continue;
        }
        if entry.match_conditions.as_ref().is_some_and(|conditions| !conditions.is_empty()) {
            why = NotCalled::Unknown(format!("entry {} has matchConditions, which aren't evaluated here", entry.name));
            continue;
        }
        let known = BTreeMap::from([(NAMESPACE_NAME.to_owned(), namespace.to_owned())]);
        match selects(entry.namespace_selector.as_ref(), &known) {
            Some(true) => return Ok(entry),
            Some(false) if asks_only_for_the_name(entry) => {
                let text = format!("the namespaceSelector of entry {} leaves out namespace {namespace}", entry.name);
                why = NotCalled::Never(text);
            }
            _ => {
                let text =
                    format!("the namespaceSelector of entry {} asks for labels that aren't known here", entry.name);
                why = NotCalled::Unknown(text);
            }
        }
    }
    Err(why)
}

/// Whether a selector matches. A missing one matches everything; `None` if it can't be parsed.
fn selects(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> Option<bool> {
    let Some(selector) = selector else { return Some(true) };
    Selector::try_from(selector.clone()).ok().map(|selector| selector.matches(labels))
}

fn asks_only_for_the_name(entry: &MutatingWebhook) -> bool {
    let Some(selector) = &entry.namespace_selector else { return true };
    let labels = selector.match_labels.iter().flatten().map(|(key, _)| key);
    let expressions = selector.match_expressions.iter().flatten().map(|requirement| &requirement.key);
    labels.chain(expressions).all(|key| key == NAMESPACE_NAME)
}

fn is_of_pod_creations(rule: &RuleWithOperations) -> bool {
    let has = |list: &Option<Vec<String>>, one: &str| list.iter().flatten().any(|found| found == one || found == "*");
    has(&rule.operations, "CREATE")
        && has(&rule.api_groups, "")
        && has(&rule.api_versions, "v1")
        && (has(&rule.resources, "pods") || rule.resources.iter().flatten().any(|found| found == "*/*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn configuration(change: impl Fn(&mut Value)) -> MutatingWebhookConfiguration {
        let mut entry = json!({
            "name": "app-proxy", "admissionReviewVersions": ["v1"], "sideEffects": "None", "clientConfig": {},
            "rules": [{ "operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"] }],
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "codefresh" } },
            "objectSelector": {
                "matchLabels": { "app": "cap-app-proxy" },
                "matchExpressions": [{ "key": "argocd-auth-webhook/inject", "operator": "NotIn", "values": ["false"] }],
            },
        });
        change(&mut entry);
        serde_json::from_value(json!({ "metadata": { "name": "hook" }, "webhooks": [entry] })).unwrap()
    }

    #[test]
    fn the_webhook_is_called_only_where_everything_matches() {
        let found = |change: &dyn Fn(&mut Value), labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            entry_for(&configuration(change), "codefresh", &labels)
                .map(|entry| entry.name.clone())
                .map_err(|why| why.to_string())
        };
        let pod = [("app", "cap-app-proxy")];
        assert_eq!(found(&|_| {}, &pod).unwrap(), "app-proxy");
        assert!(found(&|_| {}, &[("app", "other")]).unwrap_err().contains("no entry"));
        assert!(found(&|_| {}, &[pod[0], ("argocd-auth-webhook/inject", "false")]).is_err());
        assert!(found(&|entry| entry["rules"][0]["operations"] = json!(["UPDATE"]), &pod).is_err());
        assert!(found(&|entry| entry["rules"][0]["resources"] = json!(["deployments"]), &pod).is_err());
        let elsewhere = json!({ "matchLabels": { "kubernetes.io/metadata.name": "argocd" } });
        assert!(
            found(&|entry| entry["namespaceSelector"] = elsewhere.clone(), &pod).unwrap_err().contains("leaves out")
        );
        let unknown = json!({ "matchLabels": { "team": "blue" } });
        assert!(
            found(&|entry| entry["namespaceSelector"] = unknown.clone(), &pod).unwrap_err().contains("aren't known")
        );
        assert_eq!(found(&|entry| entry["namespaceSelector"] = Value::Null, &pod).unwrap(), "app-proxy");
        let conditions = json!([{ "name": "c", "expression": "true" }]);
        assert!(found(&|entry| entry["matchConditions"] = conditions.clone(), &pod).unwrap_err().contains("matchCond"));
    }
}
