//! What `argocd-cm` says about an account, and the change that makes the account fit, in the format of Argo
//! CD 3.1 to 3.5.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Argo CD's built-in account, which may log in without being configured.
const ADMIN: &str = "admin";
/// The older key to disable `admin`; `accounts.admin.enabled` takes precedence.
pub(super) const ADMIN_ENABLED: &str = "admin.enabled";
const LOGIN: &str = "login";
const API_KEY: &str = "apiKey";

/// What `argocd-cm` says about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether the account exists.
    pub exists: bool,
    /// Whether the account is enabled.
    pub enabled: bool,
    /// Those of `login` and `apiKey` that the account has.
    pub capabilities: BTreeSet<String>,
    /// Keys `accounts.….enabled` of any account whose value isn't a boolean. With one of them, Argo CD
    /// refuses every login and every key.
    pub broken: Vec<String>,
}

/// Why an account can't be enabled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchangeable {
    /// The name can't be part of a key in `argocd-cm`.
    #[error("{0:?} can't be the name of an account in argocd-cm: letters, digits, '-' and '_', at most 32")]
    Name(String),
    /// There is no such account.
    #[error("there is no account {0} in argocd-cm; to make one, add accounts.{0}: login,apiKey, and set its password")]
    Missing(String),
}

/// A change to the data of `argocd-cm`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Keys to be set, with their values.
    pub set: BTreeMap<String, String>,
    /// Keys to be removed.
    pub remove: BTreeSet<String>,
}

impl Change {
    /// Whether nothing has to be changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.remove.is_empty()
    }

    /// The change as a merge patch.
    #[must_use]
    pub fn patch(&self) -> Value {
        let set = self.set.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        let data: Map<String, Value> = set.chain(self.remove.iter().map(|key| (key.clone(), Value::Null))).collect();
        json!({ "data": data })
    }
}

type Data = BTreeMap<String, String>;

/// Reads what the data say about an account.
#[must_use]
pub fn read(data: &Data, name: &str) -> Found {
    let is_admin = name == ADMIN;
    let own = data.get(&key(name));
    let listed = own.into_iter().flat_map(|value| words(value)).map(str::to_owned);
    let inherent = is_admin.then(|| LOGIN.to_owned());
    // A value that isn't a boolean is ignored here, but an error in the keys below.
    let by_admin = data.get(ADMIN_ENABLED).filter(|_| is_admin).and_then(|value| boolean(value));
    let by_account = data.get(&enabled_key(name)).and_then(|value| boolean(value));
    Found {
        exists: is_admin || own.is_some() || data.contains_key(&enabled_key(name)),
        enabled: by_account.or(by_admin).unwrap_or(true),
        capabilities: listed.chain(inherent).collect(),
        broken: data
            .iter()
            .filter(|(key, value)| is_enabled_key(key) && boolean(value).is_none())
            .map(|(key, _)| key.clone())
            .collect(),
    }
}

/// The change after which the account exists with `login` and `apiKey`, and is enabled. Written as Argo CD
/// itself stores an account, so that its next write changes nothing: capabilities in their former order,
/// separated by commas without spaces; a flag with its default value is removed.
///
/// # Errors
/// [`Unchangeable`]: there is no such account, or its name is impossible.
pub fn enable(data: &Data, name: &str) -> Result<Change, Unchangeable> {
    if name.is_empty() || name.len() > 32 || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)) {
        return Err(Unchangeable::Name(name.to_owned()));
    }
    let found = read(data, name);
    if !found.exists {
        return Err(Unchangeable::Missing(name.to_owned()));
    }
    let mut change = Change::default();
    if !found.capabilities.contains(LOGIN) || !found.capabilities.contains(API_KEY) {
        let old = data.get(&key(name)).map(String::as_str).unwrap_or_default();
        let mut all: Vec<&str> = Vec::new();
        for word in words(old).chain([LOGIN, API_KEY]) {
            if !all.contains(&word) {
                all.push(word);
            }
        }
        change.set.insert(key(name), all.join(","));
    }
    let own = data.get(&enabled_key(name));
    if own.is_some_and(|value| boolean(value) != Some(true)) {
        change.remove.insert(enabled_key(name));
    }
    let by_admin = data.get(ADMIN_ENABLED).filter(|_| name == ADMIN).and_then(|value| boolean(value));
    let still_by_account = own.is_some_and(|value| boolean(value) == Some(true));
    if by_admin == Some(false) && !still_by_account {
        change.remove.insert(ADMIN_ENABLED.to_owned());
    }
    Ok(change)
}

fn key(name: &str) -> String {
    format!("accounts.{name}")
}

fn enabled_key(name: &str) -> String {
    format!("accounts.{name}.enabled")
}

fn is_enabled_key(key: &str) -> bool {
    matches!(key.split('.').collect::<Vec<_>>().as_slice(), ["accounts", _, "enabled"])
}

/// The capabilities that Argo CD knows; it drops others when it writes.
fn words(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(str::trim).filter(|word| matches!(*word, LOGIN | API_KEY))
}

/// What Go's `strconv.ParseBool` accepts.
fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    /// What is enabled after the change, and what the change is.
    fn enabled(pairs: &[(&str, &str)], name: &str) -> String {
        let data = data(pairs);
        match enable(&data, name) {
            Ok(change) => change.patch()["data"].to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_account_is_changed_by_no_more_than_it_needs() {
        let cases: [(&[(&str, &str)], &str); 14] = [
            (&[], "admin"),
            (&[("accounts.admin", "apiKey")], "admin"),
            (&[("accounts.admin", "apiKey, login")], "admin"),
            (&[("admin.enabled", "false")], "admin"),
            (&[("admin.enabled", "no")], "admin"),
            (&[("admin.enabled", "false"), ("accounts.admin.enabled", "true")], "admin"),
            (&[("admin.enabled", "true"), ("accounts.admin.enabled", "false")], "admin"),
            (&[("admin.enabled", "false"), ("accounts.admin.enabled", "False"), ("accounts.admin", "login")], "admin"),
            (&[], "bob"),
            (&[("accounts.bob", "")], "bob"),
            (&[("accounts.bob", "apiKey , other")], "bob"),
            (&[("accounts.bob", "login, apiKey"), ("accounts.bob.enabled", "1")], "bob"),
            (&[("accounts.bob", "login,apiKey"), ("accounts.bob.enabled", "")], "bob"),
            (&[("accounts.bob", "login")], "b.b"),
        ];
        let lines: Vec<String> =
            cases.iter().map(|(pairs, name)| format!("{name} {pairs:?}: {}", enabled(pairs, name))).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn one_flag_that_is_no_boolean_is_found_whoevers_it_is() {
        let found =
            read(&data(&[("accounts.bob.enabled", "yes"), ("accounts.x.y.enabled", ""), ("accounts.c", "")]), "admin");
        assert_eq!(found.broken, ["accounts.bob.enabled"]);
        assert!(found.exists && found.enabled);
        assert!(read(&Data::new(), "admin").capabilities.contains("login"));
        assert!(!read(&Data::new(), "bob").exists);
        assert!(read(&data(&[("accounts.bob.enabled", "true")]), "bob").exists);
    }

    fn value() -> impl Strategy<Value = String> {
        prop_oneof!["true|false|1|F|yes|", "(login|apiKey|other|,| ){0,5}"]
    }

    proptest! {
        #[test]
        fn enabling_makes_it_so_and_a_second_time_changes_nothing(
            entries in prop::collection::btree_map(
                "(admin.enabled|accounts\\.(admin|bob)|accounts\\.(admin|bob)\\.enabled|other)", value(), 0..6),
            name in "admin|bob",
        ) {
            if let Ok(change) = enable(&entries, &name) {
                let mut after = entries.clone();
                after.extend(change.set.clone());
                after.retain(|key, _| !change.remove.contains(key));
                let found = read(&after, &name);
                prop_assert!(found.exists && found.enabled, "{:?}", after);
                prop_assert!(found.capabilities.contains("login") && found.capabilities.contains("apiKey"));
                prop_assert!(!found.broken.contains(&enabled_key(&name)));
                prop_assert!(enable(&after, &name).unwrap().is_empty());
                let others = |data: &Data| data.iter().filter(|(key, _)| {
                    **key != super::key(&name) && **key != enabled_key(&name) && *key != ADMIN_ENABLED
                }).map(|(key, value)| (key.clone(), value.clone())).collect::<Data>();
                prop_assert_eq!(others(&after), others(&entries));
            }
        }
    }
}
