//! What is kept in the tree beside the chart and must fit it.

use super::helm::{Helm, NAMESPACE, RELEASE, chart, compare, objects, root, yaml};
use serde_json::Value;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- values: made from values.yaml by tests/chart/documents.rs -->\n";
const END: &str = "<!-- end of values -->\n";

/// A key of `values.yaml` with its description.
struct Described {
    path: Vec<String>,
    text: String,
}

/// Reads the comments that begin with `# --`. Panics at a leaf without one.
fn described(text: &str) -> Vec<Described> {
    let mut found: Vec<Described> = Vec::new();
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut comment: Option<String> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(begin) = line.strip_prefix("# -- ") {
            comment = Some(begin.to_owned());
        } else if let Some(more) = line.strip_prefix("# ") {
            if let Some(comment) = &mut comment {
                comment.push(' ');
                comment.push_str(more);
            }
        } else if line.is_empty() {
            comment = None;
        } else {
            path.retain(|(at, _)| *at < indent);
            let inside = |found: &Described| {
                path.len() >= found.path.len() && found.path.iter().zip(&path).all(|(a, (_, b))| a == b)
            };
            let covered = found.iter().any(inside);
            if line.starts_with("- ") {
                assert!(covered, "{line}: a list without a description");
                continue;
            }
            let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{line}: no key"));
            path.push((indent, key.trim_matches('"').to_owned()));
            match comment.take() {
                Some(text) => {
                    let path = path.iter().map(|(_, key)| key.clone()).collect();
                    found.push(Described { path, text });
                }
                None => assert!(covered || value.trim().is_empty(), "{line}: a key without a description"),
            }
        }
    }
    found
}

fn values_table() -> String {
    let text = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let values = yaml(&text);
    let mut table = "| key | default | |\n|---|---|---|\n".to_owned();
    for Described { path, text } in described(&text) {
        let default = path.iter().fold(&values, |value, key| &value[key]);
        let default = match default {
            Value::String(text) if !text.is_empty() => text.clone(),
            other => other.to_string(),
        };
        let escaped = text.replace('|', "\\|");
        let _ = writeln!(table, "| `{}` | `{default}` | {escaped} |", path.join("."));
    }
    table
}

#[test]
fn the_readme_lists_every_value() {
    let path = chart().join("README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the mark before the values");
    let (_, after) = rest.split_once(END).expect("the mark after the values");
    compare(&path, &format!("{before}{BEGIN}{}{END}{after}", values_table()));
}

#[test]
fn the_plain_manifests_are_the_rendered_chart() {
    let chart = chart();
    let rendered = Helm::four()
        .run(&[
            "template",
            RELEASE,
            chart.to_str().unwrap(),
            "--namespace",
            NAMESPACE,
            "--no-hooks",
            "--set",
            "auth.type=password",
        ])
        .unwrap();
    let head = "# Rendered from charts/argocd-auth-webhook: see docs/without-helm.md. Don't edit.\n";
    compare(&root().join("deploy/manifests.yaml"), &format!("{head}{rendered}"));
}

#[test]
fn every_alert_has_its_section_in_the_runbook() {
    let runbook = std::fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let sections: Vec<String> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    let objects = objects(&Helm::four().render("monitoring: {prometheusRule: {enabled: true}}").unwrap());
    let rule = objects.iter().find(|object| object["kind"] == "PrometheusRule").unwrap();
    let alerts = rule["spec"]["groups"][0]["rules"].as_array().unwrap();
    for alert in alerts {
        let link = alert["annotations"]["runbook_url"].as_str().unwrap();
        let (_, section) = link.split_once('#').unwrap();
        assert!(sections.iter().any(|found| found == section), "{link}");
    }
    assert_eq!(alerts.len(), sections.len(), "a section without an alert");
}

/// The metrics that the program has, as its documentation lists them.
#[test]
fn alerts_and_dashboard_use_metrics_that_exist() {
    let source = [
        "src/telemetry/metrics.rs",
        "src/controller/metrics.rs",
        "src/controller/credential/metrics.rs",
        "src/controller/rollout/metrics.rs",
    ]
    .map(|path| std::fs::read_to_string(root().join(path)).unwrap())
    .concat();
    let values = "monitoring: {prometheusRule: {enabled: true}, dashboard: {enabled: true}}";
    let rendered = Helm::four().render(values).unwrap();
    let mut seen = 0;
    for part in rendered.split("argocd_auth_webhook_").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        let name = name.trim_end_matches("_bucket").trim_end_matches("_total");
        assert!(source.contains(&format!("\"{name}\"")), "{name}");
        seen += 1;
    }
    assert!(seen > 10);
    let dashboard = std::fs::read_to_string(chart().join("files/dashboard.json")).unwrap();
    serde_json::from_str::<Value>(&dashboard).expect("JSON");
}

#[test]
fn the_chart_has_the_programs_version() {
    let text = std::fs::read_to_string(chart().join("Chart.yaml")).unwrap();
    assert_eq!(yaml(&text)["appVersion"], env!("CARGO_PKG_VERSION"));
}
