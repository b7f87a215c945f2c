//! Reads our own configuration file.

use super::auth::AUTH;
use super::block::{Block, Report, kind};
use super::source::Sources;
use super::{Address, ArgoCd, Settings, argocd, auth, controller, services};
use crate::core::{Auth, DEFAULT_USERNAME, OnConflict, Username};
use serde_json::Value;

/// The keys beside `auth` in our own file and in our chart's values.
pub(super) const OPTIONS: [&str; 7] =
    ["argocd", "delivery", "onConflict", "legacyAppProxy", "services", "rollout", "credentials"];

/// The message where no auth block is found anywhere.
pub(super) const MISSING: &str = "\
must be given: nothing here says which credential of Argo CD the pods get. Write one of these:

    auth:
      type: token
      tokenSecretKeyRef: {name: SECRET, key: KEY}

    auth:
      type: password
      username: USER
      passwordSecretKeyRef: {name: SECRET, key: KEY}

or, for user admin with Argo CD's initial password (Secret argocd-initial-admin-secret):

    auth:
      type: password
";

pub(super) fn read(root: &Value, report: &mut Report) -> Option<Settings> {
    let empty = serde_json::Map::new();
    let root = match root {
        Value::Null => Block { map: &empty, path: String::new() },
        Value::Object(map) => Block { map, path: String::new() },
        other => return report.problem("(the whole file)", format!("must be a mapping, but it is {}", kind(other))),
    };
    root.only(&[&[AUTH], OPTIONS.as_slice()].concat(), report);
    let before = report.problems.len();
    let auth = match root.block(AUTH, report) {
        Some(block) => auth::read(&block, report).map(|read| {
            // Whoever wrote the chart's values isn't known here; of its `ConfigMap` only the default can be
            // assumed.
            let default = read.auth.username == Username::Plain(DEFAULT_USERNAME.to_owned());
            Auth { chart_has_username: default, ..read.auth }
        }),
        None if report.problems.len() == before => report.problem(AUTH, MISSING.trim_end()),
        None => None,
    };
    let settings = options(&root, Address::default(), report);
    let sources = Sources { argocd: root.get("argocd").map(|_| "argocd".to_owned()), ..Sources::default() };
    Some(Settings { auth: auth?, sources, ..settings })
}

/// Reads the options of a mapping; other keys in it are ignored. `runtime` is the address that counts where
/// the `argocd` block gives none.
pub(super) fn options(root: &Block<'_>, runtime: Address, report: &mut Report) -> Settings {
    let conflicts = [("keep", OnConflict::Keep), ("replace", OnConflict::Replace), ("deny", OnConflict::Deny)];
    let rollout = controller::rollout(root, report);
    let argocd = match root.block("argocd", report) {
        Some(block) => {
            // Strict in either kind of file: a key that goes unread would mean another Argo CD.
            let mut strict = Report::new(true);
            let argocd = argocd::from_config(&block, runtime, &mut strict);
            report.problems.append(&mut strict.problems);
            argocd
        }
        None => ArgoCd { address: runtime, ..ArgoCd::default() },
    };
    let defaults = Settings::new(auth::default(), argocd);
    Settings {
        delivery: root.one_of("delivery", &services::DELIVERIES, report).unwrap_or(defaults.delivery),
        on_conflict: root.one_of("onConflict", &conflicts, report).unwrap_or(defaults.on_conflict),
        legacy_app_proxy: root.boolean("legacyAppProxy", report).unwrap_or(defaults.legacy_app_proxy),
        rollout: rollout.mode,
        by_name: rollout.by_name,
        require_verified: rollout.require_verified,
        credentials: controller::credentials(root, report),
        services: services::read(root, report),
        ..defaults
    }
}
