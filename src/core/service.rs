//! The Runtime's services as data: how their pods are recognised and what each reads.

use std::borrow::Cow;

/// In which form a service takes its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// The credential itself, from a variable or a file in the container.
    Credential,
    /// The name and key of a Secret that the service reads from the API server by itself.
    Reference,
}

/// How the credential gets into a container of a service that reads it itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// As environment variables.
    Env,
    /// As files of a mounted Secret, with variables that hold their paths.
    Volume,
}

/// What happens where a user's own variable, volume or mount is in the place of ours (`onConflict`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The user's own stays; an admission warning says so.
    Keep,
    /// Ours replaces it; an admission warning says so.
    Replace,
    /// The pod is refused.
    Deny,
}

/// A Kubernetes label selector. All of its parts must match; one without any part selects nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// Labels that must be there with exactly this value.
    pub match_labels: Vec<(String, String)>,
    /// Set-based requirements.
    pub match_expressions: Vec<Requirement>,
}

/// One entry of `matchExpressions`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How the label is compared with `values`.
    pub operator: Operator,
    /// The values to compare with; empty for `Exists` and `DoesNotExist`.
    pub values: Vec<String>,
}

/// The operators of a Kubernetes label selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label is there, with one of the values.
    In,
    /// The label is absent or has none of the values.
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

    /// Whether a pod with these labels is selected. Unlike in Kubernetes an empty selector selects nothing:
    /// one that selects every pod is never meant here.
    pub(crate) fn matches(&self, labels: &[(Cow<'_, str>, Cow<'_, str>)]) -> bool {
        // Of a duplicate key the last one counts, as in `lenient.rs`.
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

/// A kind of pod that gets credentials: one of the Runtime's services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unique name; a label of the metrics and the name of the entry in the webhook configuration.
    pub name: String,
    /// Which pods belong to the service.
    pub selector: LabelSelector,
    /// Names of the containers, init containers included, that get the credential. Those that the pod has are
    /// injected; it must have at least one.
    pub containers: Vec<String>,
    /// Alternative names, looked for only where the pod has none of `containers`.
    pub or_containers: Vec<String>,
    /// In which form it takes the credential.
    pub reads: Reads,
    /// The delivery for this service; `None` means that of the settings.
    pub delivery: Option<Delivery>,
}

/// The service to which `legacyAppProxy` applies.
pub(crate) const APP_PROXY: &str = "app-proxy";

/// The services of both generations of the Runtime's chart, classic and current.
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
