//! Our own configuration file.

use super::block::{Block, Report};
use super::{ArgoCd, Rollout, Settings, argocd, auth, services};
use crate::core::{Delivery, OnConflict};
use serde_json::Value;

/// What `delivery` may be.
pub(super) const DELIVERIES: [(&str, Delivery); 2] = [("env", Delivery::Env), ("volume", Delivery::Volume)];

pub(super) fn read(root: &Value, report: &mut Report) -> Option<Settings> {
    let root = match root {
        Value::Null => return Some(Settings::new(auth::default(), ArgoCd::default())),
        Value::Object(map) => Block { map, path: String::new() },
        other => {
            return report
                .problem("(the whole file)", format!("must be a mapping, but it is {}", super::block::kind(other)));
        }
    };
    root.only(&["auth", "argocd", "delivery", "onConflict", "legacyAppProxy", "services", "rollout"], report);
    let auth = match root.block("auth", report) {
        Some(block) => auth::read(&block, report).map(|read| {
            // Who wrote the chart's values isn't known here; a plain name is taken to stand in both.
            let plain = matches!(read.auth.username, crate::core::Username::Plain(_));
            crate::core::Auth { chart_has_username: plain, ..read.auth }
        }),
        None => Some(auth::default()),
    };
    let argocd = root.block("argocd", report).map(|block| argocd::from_config(&block, report)).unwrap_or_default();
    let conflicts = [("keep", OnConflict::Keep), ("replace", OnConflict::Replace), ("deny", OnConflict::Deny)];
    let rollouts = [("automatic", Rollout::Automatic), ("report", Rollout::Report)];
    let delivery = root.one_of("delivery", &DELIVERIES, report);
    let on_conflict = root.one_of("onConflict", &conflicts, report);
    let legacy_app_proxy = root.boolean("legacyAppProxy", report);
    let rollout = root.one_of("rollout", &rollouts, report);
    let services = services::read(&root, report);
    let defaults = Settings::new(auth?, argocd);
    Some(Settings {
        delivery: delivery.unwrap_or(defaults.delivery),
        on_conflict: on_conflict.unwrap_or(defaults.on_conflict),
        legacy_app_proxy: legacy_app_proxy.unwrap_or(defaults.legacy_app_proxy),
        rollout: rollout.unwrap_or(defaults.rollout),
        services,
        ..defaults
    })
}
