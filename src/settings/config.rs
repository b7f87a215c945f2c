//! Our own configuration file.

use super::block::{Block, Report, kind};
use super::{Address, ArgoCd, Settings, argocd, auth, controller, services};
use crate::core::{Auth, Delivery, OnConflict, Username};
use serde_json::Value;

/// What `delivery` may be.
pub(super) const DELIVERIES: [(&str, Delivery); 2] = [("env", Delivery::Env), ("volume", Delivery::Volume)];

/// What is ours beside `auth`: keys of our own file, and of our chart's values.
pub(super) const OPTIONS: [&str; 7] =
    ["argocd", "delivery", "onConflict", "legacyAppProxy", "services", "rollout", "credentials"];

pub(super) fn read(root: &Value, report: &mut Report) -> Option<Settings> {
    let root = match root {
        Value::Null => return Some(Settings::new(auth::default(), ArgoCd::default())),
        Value::Object(map) => Block { map, path: String::new() },
        other => return report.problem("(the whole file)", format!("must be a mapping, but it is {}", kind(other))),
    };
    root.only(&[&["auth"], OPTIONS.as_slice()].concat(), report);
    let auth = match root.block("auth", report) {
        Some(block) => auth::read(&block, report).map(|read| {
            // Who wrote the chart's values isn't known here; a plain name is taken to stand in both.
            let plain = matches!(read.auth.username, Username::Plain(_));
            Auth { chart_has_username: plain, ..read.auth }
        }),
        None => Some(auth::default()),
    };
    let settings = options(&root, Address::default(), report);
    Some(Settings { auth: auth?, ..settings })
}

/// Reads the options of a mapping, whatever else stands in it. `runtime` is where Argo CD is if they
/// don't say.
pub(super) fn options(root: &Block<'_>, runtime: Address, report: &mut Report) -> Settings {
    let conflicts = [("keep", OnConflict::Keep), ("replace", OnConflict::Replace), ("deny", OnConflict::Deny)];
    let rollout = controller::rollout(root, report);
    let argocd = match root.block("argocd", report) {
        Some(block) => argocd::from_config(&block, runtime, report),
        None => ArgoCd { address: runtime, ..ArgoCd::default() },
    };
    let defaults = Settings::new(auth::default(), argocd);
    Settings {
        delivery: root.one_of("delivery", &DELIVERIES, report).unwrap_or(defaults.delivery),
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
