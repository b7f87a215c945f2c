//! The Secret in which Argo CD keeps the API keys of its accounts, and who else writes it: a tool that
//! removes them makes every key vanish.

use super::Owner;
use crate::cluster::{Cause, call_patiently};
use crate::commands::report::{CheckResult, Report};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Api, Client};

const SECRET: &str = "argocd-secret";
const PROBE: &str = "keys";

/// Checks the metadata of Argo CD's Secret, with the caller's permissions. Its data isn't read.
pub async fn probe(client: &Client, namespace: &str, report: &mut Report) {
    let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let what = format!("reading the metadata of Secret {namespace}/{SECRET}");
    let verdict = match call_patiently(&what, || secrets.get_metadata(SECRET)).await {
        Ok(found) => judge(&found.metadata),
        Err(error) if error.cause == Cause::NotFound => {
            CheckResult::NotChecked("it is not there; name Argo CD's namespace with argocd.namespace".to_owned())
        }
        Err(error) => CheckResult::NotChecked(error.to_string()),
    };
    report.add(PROBE, format!("Secret {namespace}/{SECRET}"), verdict);
}

/// Judges whether the Secret's owner, by its defaults, removes keys that Argo CD has added.
fn judge(metadata: &ObjectMeta) -> CheckResult {
    let warning = |text: &str, advice: &str| CheckResult::Warning(text.to_owned(), advice.to_owned());
    let terraform = metadata.managed_fields.iter().flatten().filter_map(|entry| entry.manager.as_deref());
    let terraform = terraform.into_iter().any(|manager| manager.to_ascii_lowercase().contains("terraform"));
    match Owner::of(metadata) {
        Some(Owner::Object { kind, name }) if kind == "ExternalSecret" => warning(
            &format!(
                "External Secrets writes it (ExternalSecret {name}), and takes out the keys that Argo CD puts there"
            ),
            "set spec.target.creationPolicy of the ExternalSecret to Merge",
        ),
        Some(Owner::Object { kind, name }) if kind == "SealedSecret" => warning(
            &format!("Sealed Secrets writes it (SealedSecret {name}), and takes out the keys that Argo CD puts there"),
            "annotate the Secret with sealedsecrets.bitnami.com/patch: \"true\" (in the SealedSecret's template)",
        ),
        Some(owner @ Owner::Object { .. }) => warning(
            &format!("{owner} writes it, and may take out the keys that Argo CD puts there"),
            "let it leave data that it doesn't know: accounts.<account>.tokens",
        ),
        _ if terraform => warning(
            "Terraform writes it, and takes out the keys that Argo CD puts there at its next run",
            "add lifecycle { ignore_changes = [data] } to the resource",
        ),
        Some(Owner::Operator { name }) => CheckResult::Ok(format!(
            "an operator writes it (ArgoCD {name}), which leaves keys alone; of accounts in its spec.localUsers it \
             keeps its own only"
        )),
        Some(owner @ Owner::Controller(_)) => CheckResult::Ok(format!(
            "{owner}; argocd-operator leaves keys alone but for accounts in its spec.localUsers"
        )),
        Some(owner @ (Owner::ArgoCd { .. } | Owner::Flux)) => CheckResult::Ok(format!(
            "{owner} applies it as well; that leaves keys alone unless it replaces the Secret or its manifest holds \
             accounts.<account>.tokens"
        )),
        Some(owner) => CheckResult::Ok(format!("{owner} writes it as well, which leaves keys alone by default")),
        None => CheckResult::Ok("nobody but Argo CD is known to write it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn who_takes_keys_out_by_default_is_named_with_what_to_set() {
        let owned =
            |kind: &str| json!({"ownerReferences": [{"apiVersion": "x/v1", "kind": kind, "name": "mine", "uid": "u"}]});
        let managed = |manager: &str| json!({"managedFields": [{"manager": "argocd-server"}, {"manager": manager}]});
        let judged = |metadata: Value| judge(&serde_json::from_value(metadata).unwrap());
        for (metadata, names, sets) in [
            (owned("ExternalSecret"), "ExternalSecret mine", "creationPolicy"),
            (owned("SealedSecret"), "SealedSecret mine", "sealedsecrets.bitnami.com/patch"),
            (owned("VaultSecret"), "VaultSecret mine", "accounts.<account>.tokens"),
            (managed("Terraform"), "Terraform", "ignore_changes"),
        ] {
            let CheckResult::Warning(text, advice) = judged(metadata) else { panic!("{names}") };
            assert!(text.contains(names) && advice.contains(sets), "{text}; {advice}");
        }
        for (metadata, says) in [
            (json!({}), "nobody but Argo CD"),
            (managed("kubectl-client-side-apply"), "nobody but Argo CD"),
            (json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), "Helm writes it as well"),
            (managed("argocd-controller"), "Argo CD applies it as well"),
            (managed("kustomize-controller"), "Flux applies it as well"),
            (managed("somebody"), "\"somebody\" writes it as well"),
        ] {
            let CheckResult::Ok(text) = judged(metadata) else { panic!("{says}") };
            assert!(text.contains(says), "{text}");
        }
    }
}
