//! What the chart's Roles grant, beside the table of docs/architecture.md.

use super::helm::{Helm, objects, root};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// `controller: patch deployments.apps`, for each that any Role grants.
fn granted() -> BTreeSet<String> {
    let goldens = fs::read_dir(root().join("tests/chart/goldens")).unwrap();
    let mut rendered: Vec<String> = goldens.map(|one| fs::read_to_string(one.unwrap().path()).unwrap()).collect();
    // What no golden has.
    rendered.push(Helm::four().render("controller: {workloads: {rollouts: [app-proxy]}}").unwrap());
    let mut granted = BTreeSet::new();
    for text in &rendered {
        let objects = objects(text);
        for role in objects.iter().filter(|object| ["Role", "ClusterRole"].iter().any(|kind| object["kind"] == *kind)) {
            let component = role["metadata"]["labels"]["app.kubernetes.io/component"].as_str().unwrap();
            let texts = |list: &Value| -> Vec<String> {
                list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
            };
            for rule in role["rules"].as_array().unwrap() {
                for group in texts(&rule["apiGroups"]) {
                    let dot = if group.is_empty() { "" } else { "." };
                    for resource in texts(&rule["resources"]) {
                        for verb in texts(&rule["verbs"]) {
                            granted.insert(format!("{component}: {verb} {resource}{dot}{group}"));
                        }
                    }
                }
            }
        }
    }
    granted.into_iter().filter(|one| !one.starts_with("test:")).collect()
}

/// The same, of the table's rows.
fn documented() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let (_, table) = text.split_once("| process | verb | resource |").expect("the table's head");
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let mut documented = BTreeSet::new();
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, process, verbs, resource, _, use_, _] = cells.as_slice() else { panic!("a row of five cells: {row}") };
        assert!(!use_.is_empty(), "what uses it: {row}");
        for file in use_.split('`').filter(|text| Path::new(text).extension().is_some_and(|end| end == "rs")) {
            assert!(root().join("src").join(file).exists(), "src/{file} is not there: {row}");
        }
        for verb in verbs.split(", ") {
            documented.insert(format!("{process}: {verb} {}", resource.trim_matches('`')));
        }
    }
    documented
}

#[test]
fn the_documents_name_the_use_of_every_permission_and_of_no_other() {
    let (granted, documented) = (granted(), documented());
    assert!(granted.len() > 20, "{granted:#?}");
    let missing: Vec<_> = granted.difference(&documented).collect();
    assert!(missing.is_empty(), "granted by the chart, without a row in docs/architecture.md: {missing:#?}");
    let wrong: Vec<_> = documented.difference(&granted).collect();
    assert!(wrong.is_empty(), "in docs/architecture.md, and granted by no Role of the chart: {wrong:#?}");
}
