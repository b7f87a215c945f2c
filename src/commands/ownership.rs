//! The tool that manages an object of Argo CD's: what that one undoes or reports as drift isn't ours to edit.

pub mod keys;

use crate::core::text::shown;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::fmt;

/// The tool that manages an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// An operator, through an object of kind `ArgoCD`.
    Operator {
        /// The name of that object.
        name: String,
    },
    /// A controller known only by its field manager, as operators are.
    Controller(String),
    /// Another object, by its owner reference.
    Object {
        /// The owner's kind.
        kind: String,
        /// The owner's name.
        name: String,
    },
    /// A Helm release.
    Helm {
        /// The release's name, if known.
        release: Option<String>,
    },
    /// An Application of Argo CD.
    ArgoCd {
        /// The Application's name, if known.
        application: Option<String>,
    },
    /// Flux, by a `Kustomization` or a `HelmRelease`.
    Flux,
    /// Any other field manager; its name.
    Other(String),
}

/// How many characters of a name are shown.
const MAX_NAME: usize = 253;

/// Field managers that stand for a person; one that ends in `-` is a prefix.
const PEOPLE: [&str; 7] =
    ["kubectl", "unknown", "argocd-server", "argocd-auth-webhook", "kubectl-", "before-first-apply", "k9s"];

/// Whether a field manager is an operator's: `manager` is the default name in its framework.
fn is_operator(manager: &str) -> bool {
    manager == "manager" || manager.contains("operator")
}

impl Owner {
    /// The tool that the object's owner references, labels, annotations and field managers point to. An owner
    /// comes first, since it writes the object whoever applied it; Argo CD and Flux come before Helm, since
    /// what they render from a chart has Helm's labels, too. Of tools known only as field managers, the last
    /// to write counts.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let label = |name: &str| metadata.labels.as_ref().and_then(|labels| labels.get(name)).cloned();
        let annotation = |name: &str| metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
        let mut writes: Vec<_> = metadata.managed_fields.iter().flatten().collect();
        writes.sort_by_key(|entry| std::cmp::Reverse(entry.time.as_ref().map(|time| time.0)));
        let managers = || writes.iter().filter_map(|entry| entry.manager.as_deref());
        let is_manager = |name: &str| managers().any(|manager| manager == name);
        let owners = metadata.owner_references.as_deref().unwrap_or_default();
        if let Some(owner) = owners.iter().find(|owner| owner.controller == Some(true)).or(owners.first()) {
            let (kind, name) = (shown(&owner.kind, MAX_NAME), shown(&owner.name, MAX_NAME));
            let is_argocd = kind == "ArgoCD" && owner.api_version.starts_with("argoproj.io/");
            return Some(if is_argocd { Self::Operator { name } } else { Self::Object { kind, name } });
        }
        if let Some(tracking) = annotation("argocd.argoproj.io/tracking-id") {
            let application = tracking.split(':').next().filter(|name| !name.is_empty()).map(str::to_owned);
            return Some(Self::ArgoCd { application });
        }
        let helm_label = label("app.kubernetes.io/managed-by").as_deref() == Some("Helm");
        let helm_release = annotation("meta.helm.sh/release-name");
        if is_manager("argocd-controller") || label("argocd.argoproj.io/instance").is_some() {
            let application = label("argocd.argoproj.io/instance").or_else(|| label("app.kubernetes.io/instance"));
            return Some(Self::ArgoCd { application });
        }
        let is_flux = ["kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name"]
            .iter()
            .any(|name| label(name).is_some());
        if is_flux || is_manager("kustomize-controller") || is_manager("helm-controller") {
            return Some(Self::Flux);
        }
        if helm_label || helm_release.is_some() || is_manager("helm") {
            return Some(Self::Helm { release: helm_release.or_else(|| label("app.kubernetes.io/instance")) });
        }
        // Argo CD puts this label on what it tracks by label; its own manifests don't have it.
        if let Some(application) = label("app.kubernetes.io/instance") {
            return Some(Self::ArgoCd { application: Some(application) });
        }
        if let Some(operator) = managers().find(|manager| is_operator(manager)) {
            return Some(Self::Controller(shown(operator, MAX_NAME)));
        }
        managers()
            .find(|manager| {
                !PEOPLE.iter().any(|known| manager == known || known.ends_with('-') && manager.starts_with(known))
            })
            .map(|manager| Self::Other(shown(manager, MAX_NAME)))
    }

    /// Whether the tool would undo a direct change.
    #[must_use]
    pub fn undoes(&self) -> bool {
        // An unknown field manager may be a person's tool: it is reported, but holds nothing up.
        !matches!(self, Self::Other(_))
    }

    /// A stable name, such as `Helm`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operator { .. } | Self::Controller(_) => "operator",
            Self::Object { .. } => "owner",
            Self::Helm { .. } => "Helm",
            Self::ArgoCd { .. } => "Argo CD",
            Self::Flux => "Flux",
            Self::Other(_) => "other",
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { name } => write!(f, "an operator (ArgoCD {name})"),
            Self::Controller(manager) => write!(f, "an operator (it writes as {manager:?})"),
            Self::Object { kind, name } => write!(f, "its owner ({kind} {name})"),
            Self::Helm { release: Some(release) } => write!(f, "Helm (release {release})"),
            Self::Helm { release: None } => f.write_str("Helm"),
            Self::ArgoCd { application: Some(application) } => write!(f, "Argo CD (application {application})"),
            Self::ArgoCd { application: None } => f.write_str("Argo CD"),
            Self::Flux => f.write_str("Flux"),
            Self::Other(manager) => write!(f, "{manager:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn owner(metadata: Value) -> Option<String> {
        Owner::of(&serde_json::from_value(metadata).unwrap()).map(|owner| owner.to_string())
    }

    #[test]
    fn each_one_who_looks_after_it_is_recognised() {
        let managed = |by: &str| json!({"managedFields": [{"manager": "kubectl"}, {"manager": by}]});
        let label = |name: &str, value: &str| json!({"labels": {name: value}});
        let owned = |version: &str, kind: &str, annotations: Value| {
            let owner = json!({"apiVersion": version, "kind": kind, "name": "mine", "uid": "u", "controller": true});
            json!({"annotations": annotations, "ownerReferences": [owner]})
        };
        let cases = [
            (json!({}), None),
            (json!({"labels": {"app.kubernetes.io/part-of": "argocd", "app.kubernetes.io/name": "argocd-cm"}}), None),
            (
                json!({"labels": {"app.kubernetes.io/part-of": "argocd", "app.kubernetes.io/instance": "x"}}),
                Some("Argo CD (application x)"),
            ),
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "x"}}),
                Some("Helm (release x)"),
            ),
            (managed("argocd-server"), None),
            (managed("kubectl-client-side-apply"), None),
            (managed("argocd-auth-webhook"), None),
            (label("app.kubernetes.io/managed-by", "Helm"), Some("Helm")),
            (json!({"annotations": {"meta.helm.sh/release-name": "argo"}}), Some("Helm (release argo)")),
            (managed("helm"), Some("Helm")),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "cd:/ConfigMap:a/argocd-cm", "meta.helm.sh/release-name": "x"}}),
                Some("Argo CD (application cd)"),
            ),
            (managed("argocd-controller"), Some("Argo CD")),
            (label("argocd.argoproj.io/instance", "cd"), Some("Argo CD (application cd)")),
            (label("kustomize.toolkit.fluxcd.io/name", "x"), Some("Flux")),
            (managed("helm-controller"), Some("Flux")),
            (managed("terraform"), Some("\"terraform\"")),
            (managed("argocd-operator"), Some("an operator (it writes as \"argocd-operator\")")),
            (managed("manager"), Some("an operator (it writes as \"manager\")")),
            (
                json!({"managedFields": [
                    {"manager": "kubectl-edit", "time": "2026-01-03T00:00:00Z"},
                    {"manager": "early", "time": "2026-01-01T00:00:00Z"},
                    {"manager": "late", "time": "2026-01-02T00:00:00Z"},
                ]}),
                Some("\"late\""),
            ),
            (owned("argoproj.io/v1beta1", "ArgoCD", json!({})), Some("an operator (ArgoCD mine)")),
            (
                owned("argoproj.io/v1alpha1", "ArgoCD", json!({"meta.helm.sh/release-name": "argo"})),
                Some("an operator (ArgoCD mine)"),
            ),
            (owned("example.com/v1", "ArgoCD", json!({})), Some("its owner (ArgoCD mine)")),
            (owned("external-secrets.io/v1", "ExternalSecret", json!({})), Some("its owner (ExternalSecret mine)")),
        ];
        for (metadata, expected) in cases {
            assert_eq!(owner(metadata.clone()).as_deref(), expected, "{metadata}");
        }
    }
}
