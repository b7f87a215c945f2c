//! Whether the Secrets that pods refer to exist: without one, a pod is created but never starts.

use super::{CheckResult, Report, Scene};
use crate::cluster::{Cause, filled, find_patiently};
use crate::core::{GENERATED_TOKEN, Mode, SecretKeyRef, Username};
use crate::settings::Settings;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;

const PROBE: &str = "credential";

pub(super) async fn probe(client: &Client, scene: &Scene, settings: &Settings, report: &mut Report) {
    let auth = &settings.auth;
    let mut references = vec![&auth.credential];
    if let Username::SecretKey(reference) = &auth.username {
        references.push(reference);
    }
    let namespace = &scene.options.namespace;
    // The namespace of Argo CD's own Secrets, if pods can't refer to it.
    let elsewhere = settings.argocd.namespace.as_ref().filter(|argocd| *argocd != namespace);
    for reference in references {
        let SecretKeyRef { name, key, .. } = reference;
        let found = find_patiently::<Secret>(client, namespace, name).await;
        let has_key = |secret: Secret| secret.data.is_some_and(|data| data.contains_key(key));
        let verdict = match found.map(|secret| secret.map(has_key)) {
            Ok(Some(true)) => CheckResult::Ok(format!("has the key {key:?}")),
            Ok(Some(false)) => lacking(reference, &format!("has no key {key:?}"), "put it there, or name another key"),
            Ok(None) => lacking(reference, "is not there", &remedy(namespace, name, elsewhere)),
            Err(error) if matches!(error.cause, Cause::Forbidden(_)) => CheckResult::NotChecked(error.to_string()),
            Err(error) => {
                CheckResult::Problem(error.to_string(), "make sure that the API server can be reached".to_owned())
            }
        };
        report.add(PROBE, format!("Secret {namespace}/{name}"), verdict);
    }
    let refers = auth.credential.name == GENERATED_TOKEN.name && auth.credential.key == GENERATED_TOKEN.key;
    if auth.mode == Mode::Token && !refers {
        let (name, key) = (GENERATED_TOKEN.name, GENERATED_TOKEN.key);
        let found = find_patiently::<Secret>(client, namespace, name).await;
        let verdict = found.map(|secret| {
            let is_there = secret.is_some_and(|secret| filled(&secret, key).is_some());
            copy(settings.credentials.mirror_token, is_there)
        });
        let verdict = verdict.unwrap_or_else(|error| CheckResult::NotChecked(error.to_string()));
        report.add(PROBE, format!("Secret {namespace}/{name}"), verdict);
    }
}

/// In token mode: whether promotion workflows have a copy of the token to read.
fn copy(mirrored: bool, is_there: bool) -> CheckResult {
    match (mirrored, is_there) {
        (_, true) => CheckResult::Ok("holds a token, which promotion workflows read".to_owned()),
        (true, false) => CheckResult::Problem(
            "holds no token, and promotion workflows read it".to_owned(),
            "see what status says: the controller copies the token once it has seen it work".to_owned(),
        ),
        (false, false) => CheckResult::Warning(
            "holds no token: promotion workflows read it in either mode, and fail without".to_owned(),
            "set credentials.mirrorToken: true, if you use them".to_owned(),
        ),
    }
}

fn lacking(reference: &SecretKeyRef, what: &str, advice: &str) -> CheckResult {
    if reference.optional == Some(true) {
        CheckResult::Warning(format!("{what}; pods start without it, because it is optional"), advice.to_owned())
    } else {
        CheckResult::Problem(format!("{what}: pods that refer to it can't start"), advice.to_owned())
    }
}

fn remedy(namespace: &str, name: &str, elsewhere: Option<&String>) -> String {
    let there = elsewhere.map_or_else(String::new, |argocd| {
        format!("Argo CD stands in namespace {argocd}, and a pod can refer to its own namespace's Secrets only; ")
    });
    format!(
        "{there}make Secret {name} in namespace {namespace}, or name one that is there (passwordSecretKeyRef, tokenSecretKeyRef)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_a_problem_unless_it_is_optional() {
        let reference = |optional| SecretKeyRef { name: "a".to_owned(), key: "b".to_owned(), optional };
        let verdict = |optional| lacking(&reference(optional), "is not there", "make it");
        assert!(matches!(verdict(None), CheckResult::Problem(..)));
        assert!(matches!(verdict(Some(false)), CheckResult::Problem(..)));
        assert!(matches!(verdict(Some(true)), CheckResult::Warning(..)));
    }

    #[test]
    fn in_token_mode_promotions_need_a_copy() {
        assert!(matches!(copy(true, true), CheckResult::Ok(_)));
        assert!(matches!(copy(false, true), CheckResult::Ok(_)));
        assert!(matches!(copy(true, false), CheckResult::Problem(..)));
        assert!(matches!(copy(false, false), CheckResult::Warning(_, advice) if advice.contains("mirrorToken")));
    }

    #[test]
    fn the_advice_names_the_namespaces() {
        let advice = remedy("codefresh", "argocd-initial-admin-secret", Some(&"argocd".to_owned()));
        insta::assert_snapshot!(advice, @"Argo CD stands in namespace argocd, and a pod can refer to its own namespace's Secrets only; make Secret argocd-initial-admin-secret in namespace codefresh, or name one that is there (passwordSecretKeyRef, tokenSecretKeyRef)");
        assert!(remedy("codefresh", "mine", None).starts_with("make Secret mine"));
    }
}
