//! The Runtime's services, as data: how their pods are told apart and what each reads.

use std::borrow::Cow;

/// How a service takes its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The credential itself, from a variable or a file.
    Credential,
    /// The name and key of a Secret that the service then reads from the API.
    Reference,
}

/// How a credential gets into a container that reads it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Environment variables.
    Env,
    /// Files of a mounted Secret, and variables with their paths.
    Volume,
}

/// What happens where a user's own variable, volume or mount stands in the place of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The user's stays; a warning says so.
    Keep,
    /// Ours takes its place; a warning says so.
    Replace,
    /// The pod is refused.
    Deny,
}

/// A Kubernetes label selector. All of its parts must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// Labels that must be there with this value.
    pub match_labels: Vec<(String, String)>,
    /// Further requirements.
    pub match_expressions: Vec<Requirement>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// The operators of a Kubernetes label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is there with one of the values.
    In,
    /// The label is absent or has another value.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    fn labels(pairs: &[(&str, &str)]) -> Self {
        let match_labels = pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        Self { match_labels, match_expressions: Vec::new() }
    }

    /// Whether a pod with these labels is selected. A selector without requirements selects
    /// nothing: one that selects everything is never meant here.
    pub(crate) fn matches(&self, labels: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
        // Of a key that stands there twice the last one counts, as everywhere else.
        let value_of = |key: &str| labels.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.as_ref());
        if self.match_labels.is_empty() && self.match_expressions.is_empty() {
            return false;
        }
        self.match_labels.iter().all(|(key, value)| value_of(key) == Some(value.as_str()))
            && self.match_expressions.iter().all(|requirement| requirement.matches(value_of(&requirement.key)))
    }
}

impl Requirement {
    fn matches(&self, value: Option<&str>) -> bool {
        let listed = value.is_some_and(|value| self.values.iter().any(|v| v == value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

/// A kind of pod that gets credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique name; a label of the metrics and the name of the webhook's entry.
    pub name: String,
    /// Which pods.
    pub selector: LabelSelector,
    /// Which containers of the pod, among its containers and init containers. Each of them that is
    /// there gets the credential; at least one must be.
    pub containers: Vec<String>,
    /// What they may be called instead: looked for only where none of `containers` is there.
    pub or_containers: Vec<String>,
    /// What it reads.
    pub reads: Reads,
    /// Delivery for this service alone.
    pub delivery: Option<Delivery>,
}

/// The service to which `legacyAppProxy` applies.
pub(crate) const APP_PROXY: &str = "app-proxy";

/// The services of both generations of the Runtime's chart.
#[must_use]
pub fn built_in_services() -> Vec<Service> {
    const NAME: &str = "app.kubernetes.io/name";
    const COMPONENT: &str = "app.kubernetes.io/component";
    let service = |name: &str, labels: &[(&str, &str)], container: &str, reads| Service {
        name: name.to_owned(),
        selector: LabelSelector::labels(labels),
        containers: vec![container.to_owned()],
        or_containers: Vec::new(),
        reads,
        delivery: None,
    };
    let extras = |component| [(NAME, "cf-argocd-extras"), (COMPONENT, component)];
    vec![
        service(APP_PROXY, &[("app", "cap-app-proxy")], "cap-app-proxy", Reads::Credential),
        Service {
            // The chart's debug mode renames the container.
            or_containers: vec!["debug".to_owned()],
            ..service("gitops-operator", &[("app", "gitops-operator")], "manager", Reads::Reference)
        },
        // Classic chart (0.1x to 0.25).
        service("event-reporter", &extras("event-reporter"), "event-reporter", Reads::Reference),
        service("sources-server", &extras("sources-server"), "sources-server", Reads::Reference),
        // Current chart (0.26 on); argo-gateway is the sources-server under a new name.
        service(
            "runtime-event-reporter",
            &[(NAME, "runtime-event-reporter")],
            "runtime-event-reporter",
            Reads::Reference,
        ),
        service(
            "cluster-event-reporter",
            &[(NAME, "cluster-event-reporter")],
            "cluster-event-reporter",
            Reads::Reference,
        ),
        service("argo-gateway", &[(NAME, "argo-gateway")], "argo-gateway", Reads::Reference),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_label_that_is_there_twice_the_last_one_counts() {
        let selector = LabelSelector::labels(&[("app", "cap-app-proxy")]);
        let labels =
            |first: &'static str, last: &'static str| [("app".into(), first.into()), ("app".into(), last.into())];
        assert!(selector.matches(&labels("other", "cap-app-proxy")));
        assert!(!selector.matches(&labels("cap-app-proxy", "other")));
    }
}
