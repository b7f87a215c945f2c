//! The chart as a dependency of another that holds the Runtime.

use super::helm::{Helm, NAMESPACE, RELEASE, chart, object, objects, program_values, values_file};
use crate::support::decision::values;
use argocd_auth_webhook::core::Username;
use serde_json::json;
use std::path::Path;

/// An umbrella with our chart and one that makes the Secret of a plain token for the spellings that
/// it knows, as the Runtime's does.
fn umbrella() -> tempfile::TempDir {
    umbrella_that_calls_it("argocd-auth-webhook")
}

fn umbrella_that_calls_it(alias: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "Chart.yaml",
        &format!(
            "apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies:\n\
             - {{name: argocd-auth-webhook, alias: {alias}, version: 0.1.0}}\n- {{name: runtime, version: 0.1.0}}\n"
        ),
    );
    write("charts/runtime/Chart.yaml", "apiVersion: v2\nname: runtime\nversion: 0.1.0\n");
    write(
        "charts/runtime/values.yaml",
        "global: {integrations: {argo-cd: {server: {auth: {type: password, username: admin}}}}}\n",
    );
    write(
        "charts/runtime/templates/secret.yaml",
        "{{- with get .Values.global \"external-argo-cd\" }}\n\
         {{- with .auth.token }}\napiVersion: v1\nkind: Secret\nmetadata:\n  name: gitops-runtime-argo-cd-token\n\
         stringData:\n  token: {{ . }}\n{{- end }}\n{{- end }}\n",
    );
    copy(&chart(), &folder.path().join("charts/argocd-auth-webhook"));
    folder
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn an_umbrella_gives_it_the_globals_and_its_own_keys() {
    let umbrella = umbrella();
    let text = "global: {external-arg-cd: {auth: {type: password, username: robot}}}\n\
        argocd-auth-webhook: {delivery: volume, argoCdUsername: robot-2, webhook: {replicas: 3}}\n\
        app-proxy: {config: {argoCdUsername: robot-2}}\n";
    let file = values_file(text);
    for helm in [Some(Helm::four()), Helm::three()].into_iter().flatten() {
        let objects = objects(&helm.template(umbrella.path(), file.path(), &[]).unwrap());
        let deployment = object(&objects, "Deployment", RELEASE).unwrap();
        assert_eq!(deployment["spec"]["replicas"], json!(3));
        assert!(object(&objects, "MutatingWebhookConfiguration", &format!("{RELEASE}-{NAMESPACE}")).is_some());
        // The program reads the umbrella's own values the same.
        let (ours, theirs) = (values(&program_values(&objects)).unwrap(), values(text).unwrap());
        assert_eq!(ours.auth, theirs.auth);
        assert_eq!(ours.auth.username, Username::Plain("robot-2".to_owned()));
        assert_eq!(ours.delivery, theirs.delivery);
    }
}

#[test]
fn no_secret_is_made_by_both_charts() {
    let umbrella = umbrella();
    for spelling in ["external-arg-cd", "external-argo-cd"] {
        let file =
            values_file(&format!("global: {{{spelling}: {{auth: {{type: token, token: plain-credential-1}}}}}}"));
        let objects = objects(&Helm::four().template(umbrella.path(), file.path(), &[]).unwrap());
        // `object` panics where there are two. Under the former name it is ours or the Runtime's.
        for name in ["argocd-auth-webhook-argocd-token", "gitops-runtime-argo-cd-token"] {
            assert!(object(&objects, "Secret", name).is_some(), "{spelling}: {name}");
        }
    }
}

#[test]
fn ours_stands_under_the_charts_name_and_comes_first() {
    let umbrella = umbrella();
    let text = "argocd-auth-webhook: {auth: {type: token, tokenSecretKeyRef: {name: ours, key: k}}}\n\
        global: {external-arg-cd: {auth: {type: password}}}\n";
    let objects = objects(&Helm::four().template(umbrella.path(), values_file(text).path(), &[]).unwrap());
    let (kept, read) = (values(&program_values(&objects)).unwrap(), values(text).unwrap());
    assert_eq!((kept.auth.credential.name.as_str(), &kept.auth), ("ours", &read.auth));
}

#[test]
fn the_schema_is_strict_in_an_umbrella_too() {
    let umbrella = umbrella();
    let file = values_file("argocd-auth-webhook: {auth: {type: password}, webhook: {replica: 3}}");
    let error = Helm::four().template(umbrella.path(), file.path(), &[]).unwrap_err();
    assert!(error.contains("'replica' not allowed"), "{error}");
}

#[test]
fn an_alias_in_camel_case_is_in_no_name_that_kubernetes_would_refuse() {
    let umbrella = umbrella_that_calls_it("authWebhook");
    let file = values_file("authWebhook: {auth: {type: password}, webhook: {replicas: 3}}");
    for helm in [Some(Helm::four()), Helm::three()].into_iter().flatten() {
        let objects = objects(&helm.template(umbrella.path(), file.path(), &[]).unwrap());
        let deployment = object(&objects, "Deployment", &format!("{RELEASE}-authwebhook")).unwrap();
        assert_eq!(deployment["spec"]["replicas"], json!(3));
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap();
            assert_eq!(name, name.to_lowercase());
        }
    }
}
