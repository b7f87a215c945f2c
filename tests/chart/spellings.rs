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
const PLACES: [(&str, &[&str]); 29] = [
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
    ("integrations, argo-cd left out", &["global", "integrations", "server", "auth"]),
    ("right under integrations", &["global", "integrations", "auth"]),
    ("integrations, argo-cd, server and auth left out", &["global", "integrations"]),
    ("right under global", &["global"]),
    ("at the root, in a plural", &["auths"]),
    ("at the root, in another case", &["Auth"]),
    ("at the root, in capitals", &["AUTH"]),
    ("integrations without its s, global left out", &["integration", "argo-cd", "server", "auth"]),
    ("two names, one in the other", &["global", "external-argo-cd", "argo-cd", "auth"]),
    ("auth under another word", &["global", "external-argo-cd", "authentication"]),
    ("in the values of Argo CD's own chart", &["argo-cd", "server", "auth"]),
    ("deeper than anybody reads", &["a", "b", "global", "external-argo-cd", "auth"]),
    ("integrations, argo-cd cut short", &["global", "integrations", "argo", "server", "auth"]),
    ("two words misspelt", &["globals", "extrenal-argo-cd", "auth"]),
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

/// The two files of a combination, one over the other.
fn written(Combination { files, .. }: &Combination) -> [tempfile::NamedTempFile; 2] {
    files.each_ref().map(|text| values_file(text))
}

/// What the program makes of one: settings, or what it says.
fn program(combination: &Combination) -> Result<Settings, Vec<String>> {
    let files = written(combination);
    let paths: Vec<PathBuf> = files.iter().map(|file| file.path().to_owned()).collect();
    match Settings::load(Some(&File::Values(paths)), Overrides::default()) {
        Ok(settings) => Ok(settings),
        Err(SettingsError::Invalid { problems, .. }) => Err(problems.iter().map(ToString::to_string).collect()),
        Err(error) => panic!("{}: {error}", combination.name),
    }
}

/// That the chart makes the same of it.
fn assert_chart_agrees(combination: &Combination, program: &Result<Settings, Vec<String>>) {
    let (name, files) = (&combination.name, written(combination));
    let over = files[1].path().to_str().unwrap();
    match (program, Helm::four().template(&chart(), files[0].path(), &["--values", over])) {
        (Ok(program), Ok(rendered)) => {
            let (mut program, objects) = (program.clone(), objects(&rendered));
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
        }
        (Err(said), Err(chart)) => {
            for text in said.iter().chain([&chart]) {
                assert!(!text.contains("plain-credential"), "{name}: {text}");
            }
            assert!(said.iter().any(|text| chart.contains(text)), "{name}:\nprogram: {said:?}\nchart: {chart}");
        }
        (program, chart) => panic!(
            "{name}:\nprogram: {:?}\nchart: {:?}",
            program.as_ref().map(|program| &program.auth),
            chart.map(|rendered| yaml(&program_values(&objects(&rendered))))
        ),
    }
}

/// The combinations that Helm renders: all with `CHART_SPELLINGS=all`, which takes minutes; else the
/// first of each refusal, and each seventh.
fn rendered(outcomes: &[Result<Settings, Vec<String>>]) -> Vec<usize> {
    if std::env::var_os("CHART_SPELLINGS").is_some_and(|which| which == "all") {
        return (0..outcomes.len()).collect();
    }
    let mut said = BTreeSet::new();
    let mut chosen = |place: &usize| {
        let new = outcomes[*place].as_ref().err().is_some_and(|texts| said.insert(texts.clone()));
        new || place.is_multiple_of(7)
    };
    (0..outcomes.len()).filter(|place| chosen(place)).collect()
}

#[test]
fn program_and_chart_take_or_refuse_each_spelling_in_each_place_alike() {
    let all = combinations();
    let outcomes: Vec<_> = all.iter().map(program).collect();
    let rendered = rendered(&outcomes);
    // Helm is waited for most of the time.
    let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for some in rendered.chunks(rendered.len().div_ceil(threads)) {
            scope.spawn(|| some.iter().for_each(|place| assert_chart_agrees(&all[*place], &outcomes[*place])));
        }
    });
    let refusals: Vec<&Vec<String>> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let (settings, rendered) = (outcomes.len() - refusals.len(), rendered.len());
    println!(
        "{} combinations: {settings} settings, {} refusals; {rendered} of them rendered by Helm, 0 differences",
        outcomes.len(),
        refusals.len()
    );
    let said: BTreeSet<&str> = refusals.iter().flat_map(|said| said.iter().map(String::as_str)).collect();
    insta::assert_snapshot!("refusals", said.into_iter().collect::<Vec<_>>().join("\n"));
}
