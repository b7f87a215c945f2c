//! Reads `services`: changes and additions to the built-in services.

use super::auth::required;
use super::block::{Block, Report, did_you_mean, kind};
use super::names;
use super::nearest::nearest;
use crate::core::{Delivery, LabelSelector, Operator, Reads, Requirement, Service, built_in_services};
use serde_json::Value;

/// The keys that an entry of `services` may have.
pub(super) const FIELDS: [&str; 5] = ["name", "selector", "containers", "reads", "delivery"];

/// The values of `delivery`.
pub(super) const DELIVERIES: [(&str, Delivery); 2] = [("env", Delivery::Env), ("volume", Delivery::Volume)];

/// The built-in services as changed by the configuration, then its additions.
pub(super) fn read(root: &Block<'_>, report: &mut Report) -> Vec<Service> {
    let mut services = built_in_services();
    let Some(value) = root.get("services") else { return services };
    let path = root.path_of("services");
    let Value::Array(entries) = value else {
        report.problem::<()>(&path, format!("must be a list, but it is {}", kind(value)));
        return services;
    };
    let mut seen: Vec<String> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Object(map) = entry else {
            report.problem::<()>(&path, format!("must be a mapping, but it is {}", kind(entry)));
            continue;
        };
        let block = Block { map, path };
        let Some(name) = required(&block, "name", names::label, report) else { continue };
        if name == "none" {
            report.problem::<()>(
                &block.path_of("name"),
                "\"none\" is what metrics call a pod of no service; choose another name",
            );
        }
        if seen.contains(&name) {
            report.problem::<()>(&block.path_of("name"), format!("{name:?} stands there twice"));
        }
        let known = services.iter().position(|service| service.name == name);
        let changed = service(&block, &name, known.and_then(|place| services.get(place)), report);
        match (changed, known) {
            (Some(service), Some(place)) => {
                if let Some(old) = services.get_mut(place) {
                    *old = service;
                }
            }
            (Some(service), None) => services.push(service),
            (None, _) => {}
        }
        seen.push(name);
    }
    services
}

/// Reads one entry. Keys left out stay as built in; a new service must have all but `delivery`.
fn service(block: &Block<'_>, name: &str, known: Option<&Service>, report: &mut Report) -> Option<Service> {
    block.only(&FIELDS, report);
    if known.is_none() {
        let built_in = built_in_services();
        let known_names: Vec<&str> = built_in.iter().map(|service| service.name.as_str()).collect();
        let hint = nearest(name, &known_names).map(did_you_mean).unwrap_or_default();
        let unknown = format!(
            "{name:?} is not one of the built-in services ({}), so nothing is known of it{hint}",
            known_names.join(", ")
        );
        for key in ["selector", "containers", "reads"].iter().filter(|key| !block.map.contains_key(**key)) {
            report.problem::<()>(&block.path_of(key), format!("must be given: {unknown}"));
        }
    }
    // An empty list here would select or inject nothing, and is never meant.
    for key in ["selector", "containers"] {
        if block.map.contains_key(key) && block.get(key).is_none() {
            report.problem::<()>(&block.path_of(key), "must not be empty; leave it out, and the built-in one holds");
        }
    }
    let selector = block.get("selector").map(|_| selector(block, report));
    let containers = block.get("containers").map(|value| containers(value, &block.path_of("containers"), report));
    let reads = block.one_of("reads", &[("credential", Reads::Credential), ("reference", Reads::Reference)], report);
    let delivery = block.one_of("delivery", &DELIVERIES, report);
    Some(Service {
        name: name.to_owned(),
        selector: selector.unwrap_or_else(|| known.map(|service| service.selector.clone()))?,
        or_containers: match (&containers, known) {
            (None, Some(known)) => known.or_containers.clone(),
            _ => Vec::new(),
        },
        containers: containers.or_else(|| known.map(|service| service.containers.clone()))?,
        reads: reads.or_else(|| known.map(|service| service.reads))?,
        delivery: delivery.or_else(|| known.and_then(|service| service.delivery)),
    })
}

fn containers(value: &Value, path: &str, report: &mut Report) -> Vec<String> {
    let Value::Array(items) = value else {
        report.problem::<()>(path, format!("must be a list of container names, but it is {}", kind(value)));
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item.as_str().map(names::label) {
            Some(Ok(())) => names.extend(item.as_str().map(str::to_owned)),
            Some(Err(must)) => {
                report.problem::<()>(&format!("{path}[{index}]"), format!("is not allowed: it {must}"));
            }
            None => {
                report
                    .problem::<()>(&format!("{path}[{index}]"), format!("must be a string, but it is {}", kind(item)));
            }
        }
    }
    names
}

fn selector(block: &Block<'_>, report: &mut Report) -> Option<LabelSelector> {
    let block = block.block("selector", report)?;
    block.only(&["matchLabels", "matchExpressions"], report);
    let mut selector = LabelSelector { match_labels: Vec::new(), match_expressions: Vec::new() };
    if let Some(labels) = block.block("matchLabels", report) {
        for (key, value) in labels.map {
            check(key, names::label_key, &labels.path_of(key), report);
            if let Some(value) = value.as_str() {
                check(value, names::label_value, &labels.path_of(key), report);
                selector.match_labels.push((key.clone(), value.to_owned()));
            } else {
                report.problem::<()>(
                    &labels.path_of(key),
                    format!("must be a string, but it is {}; put it in quotes", kind(value)),
                );
            }
        }
    }
    match block.get("matchExpressions") {
        None => {}
        Some(Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{}[{index}]", block.path_of("matchExpressions"));
                let requirement = Block::new(item, path, report).and_then(|item| requirement(&item, report));
                selector.match_expressions.extend(requirement);
            }
        }
        Some(other) => {
            report.problem::<()>(
                &block.path_of("matchExpressions"),
                format!("must be a list, but it is {}", kind(other)),
            );
        }
    }
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() && report.problems.is_empty() {
        return report
            .problem(&block.path, "must have matchLabels or matchExpressions: an empty selector means every pod");
    }
    Some(selector)
}

fn requirement(block: &Block<'_>, report: &mut Report) -> Option<Requirement> {
    block.only(&["key", "operator", "values"], report);
    let key = required(block, "key", names::label_key, report);
    if block.get("operator").is_none() {
        report.problem::<()>(&block.path_of("operator"), "must be given; allowed: In, NotIn, Exists, DoesNotExist");
    }
    let operators = [
        ("In", Operator::In),
        ("NotIn", Operator::NotIn),
        ("Exists", Operator::Exists),
        ("DoesNotExist", Operator::DoesNotExist),
    ];
    let operator = block.one_of("operator", &operators, report)?;
    let values: Vec<String> = match block.get("values") {
        None => Vec::new(),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        Some(other) => {
            return report
                .problem(&block.path_of("values"), format!("must be a list of strings, but it is {}", kind(other)));
        }
    };
    for value in &values {
        check(value, names::label_value, &block.path_of("values"), report);
    }
    let needs_values = matches!(operator, Operator::In | Operator::NotIn);
    if needs_values == values.is_empty() {
        let must = if needs_values {
            "must be given for In and NotIn"
        } else {
            "must not be given for Exists and DoesNotExist"
        };
        return report.problem(&block.path_of("values"), must);
    }
    Some(Requirement { key: key?, operator, values })
}

fn check(text: &str, rule: fn(&str) -> Result<(), &'static str>, path: &str, report: &mut Report) {
    if let Err(must) = rule(text) {
        report.problem::<()>(path, format!("is not allowed: it {must}"));
    }
}
