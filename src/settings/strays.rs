//! Refuses blocks that look like ours and stand where nobody reads them.
//!
//! Ignoring one in silence would mean another credential than the one that was written down, so each is a
//! problem that says what to write. Keys of others are left alone: refused is only what is nearly one of our
//! keys, or holds fields that only an auth block has.

use super::argocd;
use super::auth::{AUTH, FIELDS};
use super::block::{Block, Report};
use super::nearest::{fold, is_misspelt};
use super::places::{CHART, Scope, descend, scopes};
use crate::core::INITIAL_PASSWORD;
use serde_json::{Map, Value, json};

const EXTERNALS: [&str; 2] = ["external-argo-cd", "external-arg-cd"];
const INTEGRATIONS: &str = "integrations";
const ARGO_CD: &str = "argo-cd";
const ADDRESS: [&str; 3] = ["svc", "port", "rootpath"];
/// Fields that only an auth block has, folded.
const REFERENCES: [&str; 2] = ["tokensecretkeyref", "passwordsecretkeyref"];
const MODES: [&str; 2] = ["token", "password"];
/// The depth to which values are searched, in keys; real ones nest less.
const MAX_DEPTH: usize = 10;

/// Checks the whole document.
pub(super) fn refuse(scopes: &[Scope<'_>], report: &mut Report) {
    for (place, scope) in scopes.iter().enumerate() {
        let at_root = place == 0;
        without_global(&scope.block, at_root, report);
        if let Some(global) = &scope.global {
            under_global(global, report);
        }
    }
    if let Some(root) = scopes.first() {
        elsewhere(&root.block, &[], Copies::default(), report);
    }
}

/// Checks only for stray addresses: the credential comes from our own `auth` block.
pub(super) fn refuse_addresses(root: &Block<'_>, report: &mut Report) {
    let map = addresses(root.map);
    let root = Block { map: &map, path: String::new() };
    refuse(&scopes(&root, &mut Report::new(false)), report);
}

/// Reduces a mapping to keys that could give an address of Argo CD's server, and their parents.
fn addresses(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = |(key, value): (&String, &Value)| match (fold(key).as_str(), value) {
        ("redis" | "reposerver", _) => None,
        (_, Value::Object(inner)) => {
            let inner = addresses(inner);
            (!inner.is_empty()).then(|| (key.clone(), Value::Object(inner)))
        }
        (key_folded, _) => (key_folded == "url" || ADDRESS.contains(&key_folded)).then(|| (key.clone(), value.clone())),
    };
    map.iter().filter_map(kept).collect()
}

/// Whether a block with these keys is read.
fn is_read(keys: &[&str]) -> bool {
    let in_global = |keys: &[&str]| match keys {
        ["global", external, AUTH] => EXTERNALS.contains(external),
        ["global", INTEGRATIONS, ARGO_CD, "server", AUTH] => true,
        _ => false,
    };
    matches!(keys, [AUTH] | [CHART, AUTH])
        || in_global(keys)
        || keys.split_first().is_some_and(|(_, rest)| in_global(rest))
}

/// Whether the keys lead into a `server` block of the Runtime's, below where it is read.
fn is_server_deeper(keys: &[&str]) -> bool {
    let Some(global) = keys.iter().rposition(|key| *key == "global") else { return false };
    let is_server = match keys.get(global + 1..).unwrap_or_default() {
        [external, "server"] => EXTERNALS.contains(external),
        [INTEGRATIONS, ARGO_CD, "server"] => true,
        _ => false,
    };
    is_server && global > 1
}

/// Whether a value is a default of the Runtime's charts.
fn is_default_address(value: &Value) -> bool {
    *value == argocd::SERVICE || *value == argocd::CLASSIC_SERVICE || *value == 80 || *value == "80"
}

/// Whether the keys below `global` name something of Argo CD's.
fn is_about_argo_cd(keys: &[&str]) -> bool {
    let Some(global) = keys.iter().position(|key| *key == "global") else { return false };
    let below = keys.get(global + 1..).unwrap_or_default();
    let around = matches!(below, [INTEGRATIONS] | [INTEGRATIONS, "server" | AUTH, ..]);
    let is_meant = |key: &str| key == "argo" || key.contains("argocd") || key.contains("argcd");
    around || below.iter().any(|key| is_meant(&fold(key)))
}

/// Tells copies of `global` from the original: in complete values Helm repeats it in every subchart.
#[derive(Clone, Copy, Default)]
struct Copies<'v> {
    /// The nearest `global` above.
    global: Option<&'v Value>,
    /// What that `global` has at the place that is being looked at.
    here: Option<&'v Value>,
}

impl<'v> Copies<'v> {
    /// The state for the value under `key` of a mapping.
    fn under(self, block: &Block<'v>, key: &str) -> Self {
        let here = if key == "global" { self.global } else { self.here.and_then(|here| here.get(key)) };
        Self { global: block.map.get("global").or(self.global), here }
    }
}

/// Searches at any depth for fields that only an auth block has, or that can mean nothing else at their
/// place. Skips copies of `global` and places that already have a problem.
fn elsewhere<'v>(block: &Block<'v>, keys: &[&str], copies: Copies<'v>, report: &mut Report) {
    for (key, value) in block.map {
        let keys = [keys, &[key.as_str()]].concat();
        let (path, folded) = (block.path_of(key), fold(key));
        let was_said =
            || report.problems.iter().any(|said| said.path.starts_with(&path) || path.starts_with(&said.path));
        let copies = copies.under(block, key);
        if copies.here == Some(value) || folded == AUTH && is_chart_default(value) {
            continue;
        }
        if keys.len() > MAX_DEPTH || block.get(key).is_none() || is_read(&keys) || folded == "redis" || was_said() {
            continue;
        }
        let is_reference = REFERENCES.contains(&folded.as_str()) && value.is_object();
        let is_mode = folded == "type" && value.as_str().is_some_and(|mode| MODES.contains(&mode));
        let around = &keys[..keys.len() - 1];
        let at_global = around.last() == Some(&"global");
        let is_field = (is_about_argo_cd(around) || at_global) && (is_mode || folded == "token" && value.is_string())
            || is_about_argo_cd(around) && folded == "password" && value.is_string();
        let is_address = ADDRESS.contains(&key.as_str()) && is_server_deeper(around) && !is_default_address(value);
        if is_address {
            report.problem::<()>(
                &path,
                "is not read here; write it under global.external-argo-cd.server, or under `argocd:` at the root",
            );
        } else if is_reference || is_field {
            report.problem::<()>(
                &path,
                "is not read here; write it under global.external-argo-cd.auth, or under `auth:` at the root",
            );
        } else if let Value::Object(map) = value {
            elsewhere(&Block { map, path }, &keys, copies, report);
        }
    }
}

/// Looks for blocks that lack `global` above them, and for a misspelt `global`.
fn without_global(root: &Block<'_>, at_root: bool, report: &mut Report) {
    // The problem with that key was reported already.
    if !at_root && (is_external(&root.path) || is_misspelt(&root.path, "global")) {
        return;
    }
    for key in root.map.keys() {
        let Some(value) = root.get(key) else { continue };
        let path = root.path_of(key);
        if is_external(key) || ((key == INTEGRATIONS || is_misspelt(key, INTEGRATIONS)) && holds_argo_cd(value)) {
            let name = known_name(key);
            let right = root.path_of(&format!("global.{name}"));
            report.problem::<()>(&path, format!("is not read here; write `global:` above it, as {right}"));
        } else if is_misspelt(key, "global") && holds_a_spelling(value) {
            misspelt(&path, "global", report);
        } else if key == ARGO_CD && value.pointer("/server/svc").is_some_and(Value::is_string) {
            let right = root.path_of("global.external-argo-cd.server.svc");
            report.problem::<()>(&format!("{path}.server.svc"), format!("is not read here; write it as {right}"));
        } else if key == "auth" && !at_root && is_auth(value) {
            let text = "is not read here; write it as `auth:` at the root (in an umbrella's values under \
                        `argocd-auth-webhook:`), or under global.external-argo-cd";
            report.problem::<()>(&path, text);
        }
    }
}

/// Looks for misspelt `auth` and `argocd` of our own, at the root or under our chart's name. `argo-cd` isn't
/// one: that is the Runtime's.
pub(super) fn misspelt_own(root: &Block<'_>, report: &mut Report) {
    for key in root.map.keys() {
        let Some(value) = root.get(key) else { continue };
        let has = |fields: &[&str]| {
            value.as_object().is_some_and(|map| map.keys().any(|key| fields.iter().any(|name| fold(key) == fold(name))))
        };
        let is_field = |key: &String| FIELDS.iter().any(|name| fold(key) == fold(name));
        // Other charts have an `authz` of their own, with other fields.
        let nothing_else = has(&FIELDS) && value.as_object().is_some_and(|map| map.keys().all(is_field));
        let is_same = fold(key) == AUTH && has(&FIELDS);
        if is_misspelt(key, AUTH) && (is_auth(value) || is_same || nothing_else) {
            misspelt(&root.path_of(key), AUTH, report);
        }
        if is_misspelt(key, "argocd") && key != ARGO_CD && has(&argocd::FIELDS) {
            misspelt(&root.path_of(key), "argocd", report);
        }
    }
}

fn under_global(global: &Block<'_>, report: &mut Report) {
    for key in global.map.keys() {
        let Some(value) = global.get(key) else { continue };
        let path = global.path_of(key);
        if EXTERNALS.contains(&key.as_str()) {
            if let Some(parent) = global.block(key, report) {
                in_parent(&parent, "auth", report);
                in_external_server(&parent, report);
            }
        } else if key == INTEGRATIONS {
            if let Some(integrations) = global.block(key, report) {
                in_integrations(&integrations, report);
            }
        } else if let Some(name) = EXTERNALS.into_iter().find(|name| is_misspelt(key, name)) {
            misspelt(&path, name, report);
        } else if is_misspelt(key, INTEGRATIONS) && holds_argo_cd(value) {
            misspelt(&path, INTEGRATIONS, report);
        } else if fold(key) == "argocd" && (holds_auth(value) || is_auth(value) || holds_address(value)) {
            let right = global.path_of("integrations.argo-cd");
            report.problem::<()>(&path, format!("is not read here; write `integrations:` above it, as {right}"));
        } else if fold(key) == "server" && value.get("svc").is_some_and(Value::is_string) {
            let right = global.path_of("external-argo-cd.server");
            let text = format!("is not read here; write `external-argo-cd:` above it, as {right}");
            report.problem::<()>(&path, text);
        } else if fold(key) == "auth" && (is_auth(value) || is_login(value)) {
            let right = global.path_of("external-argo-cd.auth");
            report.problem::<()>(
                &path,
                format!("is not read here; write `external-argo-cd:` above it, as {right}, or `auth:` at the root"),
            );
        } else if holds_auth(value) {
            misspelt(&path, EXTERNALS[0], report);
        } else if FIELDS.iter().any(|name| name.ends_with("Ref") && fold(key) == fold(name)) {
            let right = global.path_of(&format!("external-argo-cd.auth.{key}"));
            report.problem::<()>(
                &path,
                format!("is not read here; write `external-argo-cd:` and `auth:` above it, as {right}"),
            );
        }
    }
}

/// Looks into `server` of the older spellings for `auth` fields, which belong beside it.
fn in_external_server(parent: &Block<'_>, report: &mut Report) {
    let Some(server) = parent.block("server", &mut Report::new(false)) else { return };
    for key in server.map.keys().filter(|key| server.get(key).is_some()) {
        if let Some(name) = ADDRESS.into_iter().find(|name| fold(key) == *name && key != name) {
            misspelt(&server.path_of(key), name, report);
            continue;
        }
        if fold(key) == "url" {
            no_url(&server.path_of(key), report);
        }
        let right = if fold(key) == "auth" {
            "auth".to_owned()
        } else if let Some(name) = FIELDS.into_iter().find(|name| fold(key) == fold(name)) {
            format!("auth.{name}")
        } else {
            continue;
        };
        let text = format!("is not read here; write `auth:` beside `server:`, as {}", parent.path_of(&right));
        report.problem::<()>(&server.path_of(key), text);
    }
}

fn in_integrations(integrations: &Block<'_>, report: &mut Report) {
    for key in integrations.map.keys().filter(|key| *key != ARGO_CD && integrations.get(key).is_some()) {
        let value = integrations.get(key).unwrap_or(&Value::Null);
        if is_misspelt(key, ARGO_CD) {
            misspelt(&integrations.path_of(key), ARGO_CD, report);
        } else if fold(key) == "server" && holds_address(value) {
            let right = integrations.path_of("argo-cd.server");
            let text = format!("is not read here; write `argo-cd:` above it, as {right}");
            report.problem::<()>(&integrations.path_of(key), text);
        }
    }
    let Some(parent) = descend(integrations, &[ARGO_CD], &mut Report::new(false)) else { return };
    in_parent(&parent, "server.auth", report);
    if parent.get("auth").is_some() {
        let text = format!("is not read here; write `server:` above it, as {}", parent.path_of("server.auth"));
        report.problem::<()>(&parent.path_of("auth"), text);
    }
    if let Some(server) = parent.block("server", &mut Report::new(false)) {
        in_parent(&server, "auth", report);
        if server.get("url").is_some() {
            no_url(&server.path_of("url"), report);
        }
    }
}

/// Looks into the mapping around `auth` and `server` for fields that belong inside them and for misspellings
/// of the two.
fn in_parent(parent: &Block<'_>, auth: &str, report: &mut Report) {
    for key in parent.map.keys() {
        let Some(value) = parent.get(key) else { continue };
        let path = parent.path_of(key);
        if let Some(name) = FIELDS.into_iter().find(|name| fold(key) == fold(name)) {
            let right = parent.path_of(&format!("{auth}.{name}"));
            let above: Vec<String> = auth.split('.').map(|key| format!("`{key}:`")).collect();
            report
                .problem::<()>(&path, format!("is not read here; write {} above it, as {right}", above.join(" and ")));
        } else if let Some(name) = ADDRESS.into_iter().find(|name| fold(key) == *name) {
            // Beside `auth` of an older spelling, or beside `server` of the current one.
            if parent.path.rsplit('.').next() != Some("server") {
                let right = parent.path_of(&format!("server.{name}"));
                report.problem::<()>(&path, format!("is not read here; write `server:` above it, as {right}"));
            } else if key != name {
                misspelt(&path, name, report);
            }
        } else if is_misspelt(key, "auth") && value.is_object() {
            misspelt(&path, "auth", report);
        } else if is_misspelt(key, "server") && value.is_object() {
            misspelt(&path, "server", report);
        }
    }
}

fn no_url(path: &str, report: &mut Report) {
    report.problem::<()>(path, "is not read here, where svc, port and rootpath are; write it as argocd.url");
}

fn misspelt(path: &str, name: &str, report: &mut Report) {
    report.problem::<()>(path, format!("is not read; write it as `{name}:`"));
}

fn is_external(key: &str) -> bool {
    EXTERNALS.iter().any(|name| key == *name || is_misspelt(key, name))
}

fn known_name(key: &str) -> &'static str {
    let names = [EXTERNALS[0], EXTERNALS[1], INTEGRATIONS];
    let exact = names.into_iter().find(|name| *name == key);
    exact.or_else(|| names.into_iter().find(|name| is_misspelt(key, name))).unwrap_or(EXTERNALS[0])
}

/// Whether a value has a field that only an auth block has.
pub(super) fn is_auth(value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    map.iter().any(|(key, value)| match fold(key).as_str() {
        "tokensecretkeyref" | "passwordsecretkeyref" => true,
        "type" => value.as_str().is_some_and(|mode| ["token", "password"].contains(&mode)),
        _ => false,
    })
}

/// Whether a value is the default `auth` block of the Runtime's charts, which nobody wrote.
fn is_chart_default(value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    let is_default = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("type", value) => value == "password",
        ("username", value) => value == "admin",
        ("passwordSecretKeyRef", value) => {
            *value == json!({ "name": INITIAL_PASSWORD.name, "key": INITIAL_PASSWORD.key })
        }
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Object(map)) => map.is_empty(),
        (_, value) => value.is_null(),
    };
    map.contains_key("passwordSecretKeyRef") && map.iter().all(is_default)
}

/// Whether a value has only fields of an auth block. Other programs' logins may look the same.
fn is_login(value: &Value) -> bool {
    let is_field = |key: &String| FIELDS.iter().any(|name| fold(key) == fold(name));
    value.as_object().is_some_and(|map| map.len() > 1 && map.keys().all(is_field))
}

/// Whether a value, or a `server` in it, has an auth block.
fn holds_auth(value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    map.iter()
        .any(|(key, value)| (fold(key) == "auth" && is_auth(value)) || (fold(key) == "server" && holds_auth(value)))
}

/// Whether a value, or a `server` in it, has an address.
fn holds_address(value: &Value) -> bool {
    let Some(map) = value.as_object() else { return false };
    map.iter().any(|(key, value)| {
        let key = fold(key);
        !value.is_null() && ADDRESS.contains(&key.as_str()) || key == "server" && holds_address(value)
    })
}

/// Whether a value has an `argo-cd` like the Runtime's.
fn holds_argo_cd(value: &Value) -> bool {
    let is_part = |key: &String| {
        let key = fold(key);
        key == "server" || key == AUTH || ADDRESS.contains(&key.as_str())
    };
    let is_it = |value: &Value| value.as_object().is_some_and(|map| map.keys().any(is_part));
    value.as_object().is_some_and(|map| map.iter().any(|(key, value)| fold(key) == "argocd" && is_it(value)))
}

fn holds_a_spelling(value: &Value) -> bool {
    value.as_object().is_some_and(|map| {
        map.iter().any(|(key, value)| is_external(key) || (fold(key) == INTEGRATIONS && holds_argo_cd(value)))
    })
}
