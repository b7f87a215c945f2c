//! What the documentation lists is what the program has, both ways.

use argocd_auth_webhook::controller::ControllerMetrics;
use argocd_auth_webhook::core::Outcome;
use argocd_auth_webhook::telemetry::metrics::Metrics;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

/// The part of a page under a heading, up to the next one of any level.
fn section(page: &str, heading: &str) -> String {
    let begin = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading:?}"));
    let rest = &page[begin + heading.len() + 2..];
    rest.split("\n## ").next().unwrap().to_owned()
}

/// What stands in backquotes in the given column of each table row.
fn listed(text: &str, column: usize) -> BTreeSet<String> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(column + 1));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn set<T: ToString>(names: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    names.into_iter().map(|name| name.to_string()).collect()
}

/// The text of every Rust file below a folder.
fn code(folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// The program's own text: every file of `src/`, without tests.
fn source() -> String {
    let mut files = Vec::new();
    code(&root().join("src"), &mut files);
    files.iter().map(|text| text.split("#[cfg(test)]\nmod tests").next().unwrap()).collect()
}

#[test]
fn every_outcome_is_explained_and_no_other() {
    assert_eq!(listed(&page("outcomes.md"), 0), set(Outcome::ALL));
}

/// The metrics of an exposition, as Prometheus names their families' samples.
fn exposed(text: &str) -> BTreeSet<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    typed
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, "info") => format!("{name}_info"),
            (name, _) => name.to_owned(),
        })
        .collect()
}

#[test]
fn every_metric_is_explained_and_no_other() {
    let mut exposed = exposed(&Metrics::new(["app-proxy"]).text().unwrap());
    exposed.append(&mut self::exposed(&ControllerMetrics::default().text().unwrap()));
    // It is there once a certificate is served.
    exposed.insert("argocd_auth_webhook_certificate_served".to_owned());
    let listed = listed(&page("metrics.md"), 0).into_iter();
    // A second name in one cell is written without the prefix.
    let listed = listed.filter(|name| name.parse::<u16>().is_err());
    let listed: BTreeSet<_> = listed.map(|name| name.replace('…', "argocd_auth_webhook")).collect();
    assert_eq!(listed, exposed);
}

#[test]
fn every_kind_of_error_that_is_counted_is_explained() {
    let page = page("metrics.md");
    let row = page.lines().find(|line| line.contains("argocd_auth_webhook_errors_total")).unwrap();
    let named: BTreeSet<_> = row.split('|').nth(2).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let text = ControllerMetrics::default().text().unwrap();
    let counted = text.lines().filter_map(|line| line.strip_prefix("argocd_auth_webhook_errors_total{kind=\""));
    let mut counted: BTreeSet<_> = counted.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    counted.insert("kind".to_owned());
    assert_eq!(named, counted);
}

#[test]
fn every_state_of_the_credential_is_explained_and_no_other() {
    let text = ControllerMetrics::default().text().unwrap();
    let counted = text.lines().filter_map(|line| line.strip_prefix("argocd_auth_webhook_credential_state{state=\""));
    let counted: BTreeSet<_> = counted.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    let page = page("credentials.md");
    let begin = page.find("| state | Event |").unwrap();
    let table: String = page[begin..].lines().take_while(|line| line.starts_with('|')).collect::<Vec<_>>().join("\n");
    assert_eq!(listed(&table, 0), counted);
}

#[test]
fn every_label_and_annotation_is_in_the_table_and_no_other() {
    let text = source();
    let named = text.split('"').filter(|literal| literal.starts_with("argocd-auth-webhook/"));
    let named = named.filter(|literal| literal.len() > "argocd-auth-webhook/".len() && !literal.contains([' ', '{']));
    assert_eq!(listed(&section(&page("architecture.md"), "## Labels and annotations"), 0), set(named));
}

#[test]
fn every_room_is_in_the_table_and_no_other() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = library.lines().filter_map(|line| {
        line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod ")).map(|name| name.trim_end_matches(';'))
    });
    let listed = listed(&section(&page("architecture.md"), "## Rooms"), 0);
    let listed: BTreeSet<_> = listed.into_iter().filter(|name| !name.contains('.') && name != "cli").collect();
    assert_eq!(listed, set(modules));
}

#[test]
fn every_file_that_the_architecture_names_is_there() {
    let page = page("architecture.md");
    let names = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "rs") && name.contains('/'));
    let missing: Vec<_> = names.filter(|name| !root().join("src").join(name).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut files = Vec::new();
    code(&root().join("src"), &mut files);
    code(&root().join("tests"), &mut files);
    let code = files.concat();
    let page = page("threat-model.md");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    let named = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let named: BTreeSet<_> = named.filter(|name| name.contains('_') && !name.contains([':', ' '])).collect();
    assert!(named.len() > 35, "{named:?}");
    let missing: Vec<_> = named.into_iter().filter(|name| !code.contains(&format!("fn {name}("))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for id in (1..=14).chain(17..=18) {
        assert!(page.contains(&format!("\n| {id} | ")), "threat {id}");
    }
}

#[test]
fn the_three_reconcilers_have_the_files_that_the_architecture_lists() {
    let page = page("architecture.md");
    let (_, table) = page.split_once("The three reconcilers have the same files").unwrap();
    let (table, _) = table.split_once("\n\n`driver.rs`").unwrap();
    let files: BTreeSet<String> =
        listed(table, 0).into_iter().filter(|name| Path::new(name).extension().is_some_and(|is| is == "rs")).collect();
    assert!(files.len() >= 7, "{files:?}");
    for reconciler in ["certificates", "credential", "rollout"] {
        for file in &files {
            let path = root().join("src/controller").join(reconciler).join(file);
            assert!(path.exists(), "{} is not there", path.display());
        }
    }
}

#[test]
fn every_verdict_on_a_pod_is_explained_and_no_other() {
    let (table, _) =
        page("pods.md").split_once("\n## ").map(|(table, rest)| (table.to_owned(), rest.to_owned())).unwrap();
    assert_eq!(listed(&table, 0), set(argocd_auth_webhook::drift::PodVerdict::NAMES));
}

/// The crates that a room imports, without what only its tests do.
fn crates(room: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    code(&root().join("src").join(room), &mut files);
    let lines = files.iter().flat_map(|text| text.split("#[cfg(test)]\nmod tests").next().unwrap().lines());
    let used = lines.filter_map(|line| line.trim_start_matches("pub ").strip_prefix("use ")?.split("::").next());
    set(used.filter(|name| {
        !["crate", "super", "self", "std", "proptest"].contains(name) && !name.contains(char::is_uppercase)
    }))
}

#[test]
fn core_knows_few_crates_and_what_is_pure_or_of_argo_cd_no_kubernetes() {
    let known = crates("core");
    let allowed = set(["base64", "percent_encoding", "serde", "serde_json", "thiserror"]);
    assert!(
        known.contains("serde") && known.is_subset(&allowed.union(&modules("core")).cloned().collect()),
        "{known:?}"
    );
    for room in ["core", "settings", "argocd", "pki", "server", "telemetry", "yaml"] {
        let known = crates(room);
        assert!(!known.is_empty() && !known.contains("kube") && !known.contains("k8s_openapi"), "{room}: {known:?}");
    }
}

/// The modules of a room, which its own files name without a path.
fn modules(room: &str) -> BTreeSet<String> {
    let files = fs::read_dir(root().join("src").join(room)).unwrap();
    set(files.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()))
}
