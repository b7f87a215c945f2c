//! What releases' Roles grant, beside what their processes called: both stand in the API server's audit
//! log.

use crate::support::cluster::{audit_log, say};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Permissions as text: `controller: patch secrets RELEASE-ca`. Names of Secrets and `ConfigMap`s only.
type Permissions = BTreeSet<String>;

/// An account of a release: its namespace and its name, which is that of its Role too.
type Account = (String, String);

/// A Role that Helm made.
struct Role {
    release: String,
    component: String,
    rules: Vec<Value>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(text).collect()
}

/// What an object is called in every release.
fn common_name(resource: &str, name: &str, release: &str) -> String {
    if !["secrets", "configmaps"].contains(&resource) {
        return String::new();
    }
    match name.strip_prefix(release) {
        Some(ending) if ["-ca", "-serving", "-state", "-status"].contains(&ending) => format!(" RELEASE{ending}"),
        _ if name == "argocd-token" => format!(" {name}"),
        _ => " of the settings".to_owned(),
    }
}

fn permission(role: &Role, verb: &str, group: &str, resource: &str, name: &str) -> String {
    let dot = if group.is_empty() { "" } else { "." };
    let name = common_name(resource, name, &role.release);
    format!("{}: {verb} {resource}{dot}{group}{name}", role.component)
}

/// The Roles of our releases, by the account that has them.
fn roles(events: &[Value]) -> BTreeMap<Account, Vec<Role>> {
    let mut roles: BTreeMap<Account, Vec<Role>> = BTreeMap::new();
    for event in events.iter().filter(|event| event["objectRef"]["apiGroup"] == "rbac.authorization.k8s.io") {
        let role = &event["responseObject"];
        let (metadata, labels) = (&role["metadata"], &role["metadata"]["labels"]);
        if labels["app.kubernetes.io/name"] != "argocd-auth-webhook" || !role["rules"].is_array() {
            continue;
        }
        let label = |name: &str| text(&labels[name]).to_owned();
        let (release, component) = (label("app.kubernetes.io/instance"), label("app.kubernetes.io/component"));
        // A ClusterRole is called after its release and its namespace.
        let namespace = metadata["namespace"].as_str().map_or_else(
            || text(&metadata["name"]).trim_start_matches(&format!("{release}-")).to_owned(),
            str::to_owned,
        );
        let account = (namespace, component.clone());
        let role = Role { release, component, rules: role["rules"].as_array().cloned().unwrap_or_default() };
        roles.entry(account).or_default().push(role);
    }
    roles
}

/// What the Roles grant and what was called, from an audit log.
fn compare(log: &str) -> (Permissions, Permissions) {
    let ours = |line: &&str| line.contains("argocd-auth-webhook");
    let events: Vec<Value> = log.lines().filter(ours).filter_map(|line| serde_json::from_str(line).ok()).collect();
    let roles = roles(&events);
    let mut granted = Permissions::new();
    for role in roles.values().flatten() {
        for rule in &role.rules {
            let names = texts(&rule["resourceNames"]);
            let names = if names.is_empty() { vec![""] } else { names };
            for verb in texts(&rule["verbs"]) {
                for group in texts(&rule["apiGroups"]) {
                    for resource in texts(&rule["resources"]) {
                        granted.extend(names.iter().map(|name| permission(role, verb, group, resource, name)));
                    }
                }
            }
        }
    }
    let mut used = Permissions::new();
    for event in events.iter().filter(|event| event["responseStatus"]["code"] != 403) {
        let Some(account) = text(&event["user"]["username"]).strip_prefix("system:serviceaccount:") else { continue };
        // What a test does in its name by kubectl shows nothing.
        if text(&event["userAgent"]).starts_with("kubectl") {
            continue;
        }
        let Some((namespace, name)) = account.split_once(':') else { continue };
        let component = ["controller", "test"].into_iter().find(|end| name.ends_with(&format!("-{end}")));
        let component = component.unwrap_or("webhook");
        let Some(role) = roles.get(&(namespace.to_owned(), component.to_owned())).and_then(|roles| roles.first())
        else {
            continue;
        };
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(sub) => format!("{}/{sub}", text(&object["resource"])),
            None => text(&object["resource"]).to_owned(),
        };
        let (group, name) = (text(&object["apiGroup"]), text(&object["name"]));
        used.insert(permission(role, text(&event["verb"]), group, &resource, name));
        // An application of what isn't there needs `create` too.
        if event["verb"] == "patch" && event["responseStatus"]["code"] == 201 {
            used.insert(permission(role, "create", group, &resource, name));
        }
    }
    (granted, used)
}

/// Fails where something is granted that nobody used, but for what only other tests use.
pub fn every_permission_is_used(used_elsewhere: &[&str]) {
    let Some(log) = audit_log() else {
        say("NOT RUN: permissions against calls: the API server's audit log can't be read from here");
        return;
    };
    let (granted, used) = compare(&fs::read_to_string(log).unwrap());
    assert!(granted.len() > 20 && used.len() > 20, "the log has both: {granted:#?}, {used:#?}");
    let unused: Vec<&String> = granted.difference(&used).collect();
    let unexpected: Vec<_> = unused.iter().filter(|one| !used_elsewhere.contains(&one.as_str())).collect();
    assert!(unexpected.is_empty(), "granted and never used: {unexpected:#?}");
    let strange: Vec<&String> = used.difference(&granted).collect();
    assert!(strange.is_empty(), "used and granted by no Role of the chart: {strange:#?}");
    say(&format!("permissions: {} granted, {} of them used here", granted.len(), granted.len() - unused.len()));
}
