//! Every spelling in every place, beside each chart's own values or alone: settings or a refusal, from
//! the program and from the chart alike.

use super::helm::{Helm, chart, object, objects, program_values, values_file, yaml};
use argocd_auth_webhook::settings::{File, Overrides, Settings, SettingsError};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is given: a block that is good, or one that leaves something open.
const BLOCKS: [(&str, &str); 8] = [
    ("token by reference", "{type: token, tokenSecretKeyRef: {name: sec, key: k}}"),
    ("token", "{type: token, token: plain-credential-1}"),
    ("password by reference", "{type: password, username: robot, passwordSecretKeyRef: {name: sec, key: k}}"),
    ("password", "{type: password, password: plain-credential-2}"),
    ("the default", "{type: password}"),
    ("no type", "{tokenSecretKeyRef: {name: sec, key: k}}"),
    ("no token", "{type: token}"),
    ("nothing", "{}"),
];

/// Where it stands. The first three are read.
const PLACES: [(&str, &[&str]); 15] = [
    ("external-arg-cd", &["global", "external-arg-cd", "auth"]),
    ("external-argo-cd", &["global", "external-argo-cd", "auth"]),
    ("integrations", &["global", "integrations", "argo-cd", "server", "auth"]),
    ("external-arg-cd, auth left out", &["global", "external-arg-cd"]),
    ("external-argo-cd, auth left out", &["global", "external-argo-cd"]),
    ("integrations, auth left out", &["global", "integrations", "argo-cd", "server"]),
    ("integrations, server left out", &["global", "integrations", "argo-cd", "auth"]),
    ("external-argo-cd, inside server", &["global", "external-argo-cd", "server", "auth"]),
    ("external-arg-cd, global left out", &["external-arg-cd", "auth"]),
    ("integrations, global left out", &["integrations", "argo-cd", "server", "auth"]),
    ("external-argo-cd without a hyphen", &["global", "external-argocd", "auth"]),
    ("external-arg-cd in camel case", &["global", "externalArgCd", "auth"]),
    ("external-argo-cd with a letter too many", &["global", "external-argoo-cd", "auth"]),
    ("integrations without a hyphen", &["global", "integrations", "argocd", "server", "auth"]),
    ("integrations in capitals", &["global", "Integrations", "argo-cd", "server", "auth"]),
];

/// What `helm get values --all` adds of the Runtime's charts, and nothing.
const CHARTS: [(&str, &str); 3] = [
    ("alone", "{}"),
    (
        "classic",
        "{argo-cd: {enabled: true, fullnameOverride: argo-cd, configs: {params: {server.insecure: true}}}, \
         app-proxy: {config: {argoCdUsername: ''}}, global: {tolerations: [], httpProxy: '', external-argo-cd: {server: {svc: argocd-server, \
         port: 80, rootpath: ''}, redis: {svc: argocd-redis}, auth: {type: password, username: admin, password: '', \
         passwordSecretKeyRef: {name: argocd-initial-admin-secret, key: password}, token: '', tokenSecretKeyRef: {}}}}}",
    ),
    (
        "current",
        "{argo-cd: {enabled: true, fullnameOverride: argo-cd, configs: {params: {server.insecure: true}}}, \
         app-proxy: {config: {argoCdUsername: ''}}, global: {tolerations: [], imageRegistry: '', integrations: {argo-cd: {server: \
         {svc: argo-cd-server, port: 80, rootpath: '', auth: {type: password, username: admin, password: '', \
         passwordSecretKeyRef: {name: argocd-initial-admin-secret, key: password}, token: '', tokenSecretKeyRef: {}}}, \
         repoServer: {svc: argo-cd-repo-server}}}}}",
    ),
];

fn under(keys: &[&str], inner: &str) -> String {
    keys.iter().rev().fold(inner.to_owned(), |inner, key| format!("{{{key}: {inner}}}"))
}

struct Combination {
    name: String,
    /// The chart's values, then what a person wrote over them.
    files: [String; 2],
}

fn combinations() -> Vec<Combination> {
    let mut all = Vec::new();
    for (chart, defaults) in CHARTS {
        for scope in ["", "gitops-runtime"] {
            let keys = |keys: &[&str]| -> Vec<String> {
                let scope = (!scope.is_empty()).then_some(scope);
                scope.into_iter().chain(keys.iter().copied()).map(str::to_owned).collect()
            };
            for (block, text) in BLOCKS {
                for (place, path) in PLACES {
                    let path = keys(path);
                    let path: Vec<&str> = path.iter().map(String::as_str).collect();
                    let base = if scope.is_empty() { defaults.to_owned() } else { under(&[scope], defaults) };
                    all.push(Combination {
                        name: format!("{chart}, {}{place}, {block}", if scope.is_empty() { "" } else { "umbrella, " }),
                        files: [base, under(&path, text)],
                    });
                }
            }
        }
        for (block, text) in BLOCKS {
            all.push(Combination {
                name: format!("{chart}, our own, {block}"),
                files: [defaults.to_owned(), under(&["auth"], text)],
            });
        }
    }
    all
}

/// What came of one: settings, or what was said.
fn outcome(Combination { name, files }: &Combination) -> Result<(), Vec<String>> {
    let files = files.each_ref().map(|text| values_file(text));
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
    let program = Settings::load(Some(&File::Values(paths)), Overrides::default());
    let over = files[1].path().to_str().unwrap();
    let rendered = Helm::four().template(&chart(), files[0].path(), &["--values", over]);
    match (program, rendered) {
        (Ok(mut program), Ok(rendered)) => {
            let objects = objects(&rendered);
            let kept = crate::support::decision::values(&program_values(&objects)).unwrap();
            let ours = kept.auth.credential.clone();
            if ours.name.starts_with("argocd-auth-webhook-argocd-") {
                let secret = object(&objects, "Secret", &ours.name).unwrap_or_else(|| panic!("{name}: no Secret"));
                assert!(secret["data"][&ours.key].is_string(), "{name}");
                program.auth.credential = ours;
            }
            assert_eq!(program.auth, kept.auth, "{name}");
            assert_eq!(program.argocd, kept.argocd, "{name}");
            assert_eq!(program.sources, kept.sources, "{name}");
            Ok(())
        }
        (Err(SettingsError::Invalid { problems, .. }), Err(chart)) => {
            let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
            for text in said.iter().chain([&chart]) {
                assert!(!text.contains("plain-credential"), "{name}: {text}");
            }
            assert!(said.iter().any(|text| chart.contains(text)), "{name}:\nprogram: {said:?}\nchart: {chart}");
            Err(said)
        }
        (program, chart) => panic!(
            "{name}:\nprogram: {:?}\nchart: {:?}",
            program.map(|program| program.auth),
            chart.map(|rendered| yaml(&program_values(&objects(&rendered))))
        ),
    }
}

#[test]
fn program_and_chart_take_or_refuse_each_spelling_in_each_place_alike() {
    let all = combinations();
    // Helm is waited for most of the time.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    let outcomes: Vec<Result<(), Vec<String>>> = std::thread::scope(|scope| {
        let share = all.len().div_ceil(threads);
        let working: Vec<_> =
            all.chunks(share).map(|some| scope.spawn(|| some.iter().map(outcome).collect::<Vec<_>>())).collect();
        working.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let refusals: Vec<&Vec<String>> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let settings = outcomes.len() - refusals.len();
    println!("{} combinations: {settings} settings, {} refusals", outcomes.len(), refusals.len());
    let said: BTreeSet<&str> = refusals.iter().flat_map(|said| said.iter().map(String::as_str)).collect();
    insta::assert_snapshot!("refusals", said.into_iter().collect::<Vec<_>>().join("\n"));
}
