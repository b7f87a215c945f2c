//! `account enable`: changes `argocd-cm`, or says what its owner has to change.

use super::CONFIG_MAP;
use super::config::{self, Change, Found};
use crate::cluster::{call_patiently, merge_if};
use crate::commands::context::{CommandContext, ContextError};
use crate::commands::ownership::Owner;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use serde_json::{Map, Value, json};
use std::fmt;

/// The change that was or would be made, and by whom.
#[derive(Clone, Debug)]
pub struct Enabled {
    account: String,
    namespace: String,
    before: Found,
    change: Change,
    owner: Option<Owner>,
    written: bool,
    dry_run: bool,
    labelled: bool,
}

/// Enables the account, with `login` and `apiKey`, unless somebody else's tool would undo it.
///
/// # Errors
/// `argocd-cm` can't be read or written, or the account can't be enabled.
pub async fn enable(access: &CommandContext, dry_run: bool) -> Result<Enabled, ContextError> {
    let account = access.account().await?;
    let (client, namespace) = (access.client()?, access.argocd_namespace());
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = call_patiently(&reading(namespace), || maps.get(CONFIG_MAP))
        .await
        .map_err(|error| where_is(error, namespace))?;
    let data = map.data.clone().unwrap_or_default();
    let before = config::read(&data, &account);
    let change = config::enable(&data, &account).map_err(|error| ContextError::Other(error.to_string()))?;
    let owner = Owner::of(&map.metadata);
    let may = !change.is_empty() && !dry_run && !owner.as_ref().is_some_and(Owner::undoes);
    if may {
        let what = format!("writing ConfigMap {namespace}/{CONFIG_MAP}");
        let version = map.metadata.resource_version.as_deref();
        merge_if::<ConfigMap>(&maps, &what, CONFIG_MAP, version, change.patch()).await?;
    }
    let labelled = is_labelled(&map);
    Ok(Enabled { account, namespace: namespace.to_owned(), before, change, owner, written: may, dry_run, labelled })
}

pub(super) fn reading(namespace: &str) -> String {
    format!("reading ConfigMap {namespace}/{CONFIG_MAP}")
}

/// If `argocd-cm` is missing, the namespace is most likely another.
pub(super) fn where_is(error: crate::cluster::ClusterError, namespace: &str) -> ContextError {
    if error.cause == crate::cluster::Cause::NotFound {
        ContextError::Other(format!(
            "there is no ConfigMap {CONFIG_MAP} in namespace {namespace}; name Argo CD's with --argocd-namespace"
        ))
    } else {
        error.into()
    }
}

/// Whether the ConfigMap has the label without which Argo CD ignores it.
pub(super) fn is_labelled(map: &ConfigMap) -> bool {
    let labels = map.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app.kubernetes.io/part-of")).is_some_and(|value| value == "argocd")
}

impl Enabled {
    /// Whether the account is fit now, or would be without the dry run.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let own = format!("accounts.{}.enabled", self.account);
        let broken = self.before.broken.iter().any(|key| *key != own);
        self.labelled && !broken && (self.change.is_empty() || self.written || self.dry_run && self.in_place())
    }

    fn in_place(&self) -> bool {
        !self.owner.as_ref().is_some_and(Owner::undoes)
    }

    /// The result as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "good": self.is_good(),
            "account": self.account,
            "configMap": format!("{}/{CONFIG_MAP}", self.namespace),
            "managedBy": self.owner.as_ref().map(Owner::kind),
            "changed": self.written,
            "dryRun": self.dry_run,
            "patch": if self.change.is_empty() { Value::Null } else { self.change.patch() },
        })
    }

    fn kubectl(&self) -> String {
        format!(
            "kubectl --namespace {} patch configmap {CONFIG_MAP} --type merge --patch '{}'",
            self.namespace,
            self.change.patch()
        )
    }

    /// What to set in the values of the chart that renders `argocd-cm`. Values can't remove a key, so it gets
    /// its default.
    fn values(&self) -> Vec<(&str, &str)> {
        let set = self.change.set.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        set.chain(self.change.remove.iter().map(|key| (key.as_str(), "true"))).collect()
    }

    /// What to set in the object from which an operator writes `argocd-cm`, since it would undo a direct
    /// change.
    fn advise_operator(&self, f: &mut fmt::Formatter<'_>, owner: &Owner, name: &str) -> fmt::Result {
        let (mut spec, mut extra) = (Map::new(), Map::new());
        for (key, value) in self.values() {
            if key == config::ADMIN_ENABLED {
                spec.insert("disableAdmin".to_owned(), false.into());
            } else {
                extra.insert(key.to_owned(), value.into());
            }
        }
        if !extra.is_empty() {
            spec.insert("extraConfig".to_owned(), extra.into());
        }
        writeln!(f, "It is managed by {owner}, which undoes a change in place at once. Set in its ArgoCD object:\n")?;
        writeln!(f, "  spec:")?;
        for (key, value) in &spec {
            match value {
                Value::Object(fields) => {
                    writeln!(f, "    {key}:")?;
                    fields.iter().try_for_each(|(key, value)| writeln!(f, "      {key}: {value}"))?;
                }
                value => writeln!(f, "    {key}: {value}")?,
            }
        }
        let patch = json!({ "spec": spec });
        writeln!(f, "\nor with\n")?;
        writeln!(f, "  kubectl --namespace {} patch argocd {name} --type merge --patch '{patch}'", self.namespace)
    }

    fn advise(&self, f: &mut fmt::Formatter<'_>, owner: &Owner) -> fmt::Result {
        match owner {
            Owner::Operator { name } => return self.advise_operator(f, owner, name),
            // For argocd-operator there is one such object in the namespace; the fields of other operators
            // aren't known.
            Owner::Controller(_) => {
                self.advise_operator(f, owner, "NAME")?;
                return writeln!(
                    f,
                    "\nWhere there is no such object, in place, until it writes again:\n\n  {}",
                    self.kubectl()
                );
            }
            _ => {}
        }
        if let Owner::Helm { .. } = owner {
            self.advise_helm(f, owner)?;
        } else {
            writeln!(f, "It is managed by {owner}, which would undo or flag a change in place. Set at its source:\n")?;
            writeln!(f, "  data:")?;
            for (key, value) in &self.change.set {
                writeln!(f, "    {key}: {value}")?;
            }
            for key in &self.change.remove {
                writeln!(f, "    # without {key}")?;
            }
        }
        writeln!(f, "\nOr in place, until then:\n\n  {}", self.kubectl())
    }

    fn advise_helm(&self, f: &mut fmt::Formatter<'_>, owner: &Owner) -> fmt::Result {
        writeln!(f, "It is managed by {owner}, whose next upgrade would undo a change in place. Set in its values:\n")?;
        writeln!(f, "  configs:\n    cm:")?;
        let mut flags = Vec::new();
        for (key, value) in self.values() {
            writeln!(f, "      {key}: {value:?}")?;
            let (key, value) = (key.replace('.', "\\."), value.replace(',', "\\,"));
            flags.push(format!("--set-string 'configs.cm.{key}={value}'"));
        }
        writeln!(f, "\nor with {}", flags.join(" "))?;
        writeln!(f, "(below the chart's name where Argo CD's chart is a part of another one).")
    }
}

impl fmt::Display for Enabled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, namespace, .. } = self;
        let map = format!("ConfigMap {namespace}/{CONFIG_MAP}");
        if self.change.is_empty() {
            writeln!(f, "The account {account} is enabled and has login and apiKey in {map}: nothing to change.")?;
        } else if self.written || self.dry_run && self.in_place() {
            let done = if self.written { "Changed" } else { "Would change" };
            writeln!(f, "{done} {map}:")?;
            for (key, value) in &self.change.set {
                writeln!(f, "  {key}: {value}")?;
            }
            for key in &self.change.remove {
                writeln!(f, "  {key} removed")?;
            }
            if self.written {
                writeln!(f, "Argo CD takes it up within moments, without a restart. Look with: account verify")?;
            }
            if let Some(owner @ Owner::Other(_)) = &self.owner {
                writeln!(f, "Note: {owner} has written there before, and may write again.")?;
            }
        } else {
            writeln!(f, "The account {account} is not fit yet; {map} was not changed.")?;
            if let Some(owner) = &self.owner {
                self.advise(f, owner)?;
            }
        }
        for key in self.before.broken.iter().filter(|key| !self.change.remove.contains(*key)) {
            writeln!(
                f,
                "Problem: {key} is no boolean; while it stands there Argo CD takes no login and no key at all."
            )?;
        }
        if !self.labelled {
            writeln!(
                f,
                "Problem: {map} lacks the label app.kubernetes.io/part-of: argocd, without which Argo CD doesn't see it."
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn enabled(owner: Option<Owner>, pairs: &[(&str, &str)], written: bool, dry_run: bool) -> Enabled {
        let data: BTreeMap<String, String> =
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
        Enabled {
            account: "admin".to_owned(),
            namespace: "argocd".to_owned(),
            before: config::read(&data, "admin"),
            change: config::enable(&data, "admin").unwrap(),
            owner,
            written,
            dry_run,
            labelled: !data.contains_key("unlabelled"),
        }
    }

    #[test]
    fn what_was_done_is_said_in_one_screen() {
        let disabled = [("admin.enabled", "false")];
        let helm = || Some(Owner::Helm { release: Some("argo-cd".to_owned()) });
        let shown = [
            enabled(None, &[("accounts.admin", "apiKey")], false, false),
            enabled(None, &disabled, true, false),
            enabled(None, &disabled, false, true),
            enabled(helm(), &disabled, false, false),
            enabled(Some(Owner::ArgoCd { application: None }), &disabled, false, false),
            enabled(Some(Owner::Operator { name: "gitops".to_owned() }), &disabled, false, false),
            enabled(
                Some(Owner::Operator { name: "gitops".to_owned() }),
                &[("accounts.admin", "login,apiKey"), ("admin.enabled", "false")],
                false,
                true,
            ),
            enabled(Some(Owner::Object { kind: "Thing".to_owned(), name: "mine".to_owned() }), &disabled, false, false),
            enabled(Some(Owner::Controller("manager".to_owned())), &disabled, false, false),
            enabled(Some(Owner::Other("terraform".to_owned())), &[], true, false),
            enabled(
                None,
                &[("accounts.admin", "apiKey"), ("accounts.b.enabled", "x"), ("unlabelled", "")],
                false,
                false,
            ),
        ];
        let shown = shown.map(|enabled| format!("[good: {}]\n{enabled}{}\n", enabled.is_good(), enabled.json()));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
