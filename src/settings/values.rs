//! The Runtime's values: three spellings of one block, and our chart's own keys beside them.

use super::block::{Block, Report, did_you_mean, kind};
use super::nearest::nearest;
use super::{Address, ArgoCd, Settings, argocd, auth, config, names};
use crate::core::{Auth, DEFAULT_USERNAME, Mode, Username};
use serde_json::Value;

/// Where `server` and `auth` stand, and what the chart that renders the pods knows of them.
struct Spelling {
    /// The keys down to the mapping that holds `server`.
    parent: &'static [&'static str],
    /// Whether `auth` stands inside `server`.
    auth_in_server: bool,
    /// Whether the Runtime's own chart reads this spelling.
    known_to_chart: bool,
    /// The Service that is meant where `server` names none.
    service: &'static str,
}

/// The documentation's, the classic chart's, the current chart's.
const SPELLINGS: [Spelling; 3] = [
    Spelling {
        parent: &["global", "external-arg-cd"],
        auth_in_server: false,
        known_to_chart: false,
        service: argocd::CLASSIC_SERVICE,
    },
    Spelling {
        parent: &["global", "external-argo-cd"],
        auth_in_server: false,
        known_to_chart: true,
        service: argocd::CLASSIC_SERVICE,
    },
    Spelling {
        parent: &["global", "integrations", "argo-cd"],
        auth_in_server: true,
        known_to_chart: true,
        service: argocd::SERVICE,
    },
];

/// The name of our chart.
const CHART: &str = "argocd-auth-webhook";
/// The app-proxy's own key of older charts.
const DEPRECATED_USERNAME: &str = "app-proxy.config.argoCdUsername";

/// Reads the values. `legacy` stands above the file's `legacyAppProxy`.
pub(super) fn read(root: &Value, legacy: Option<bool>, report: &mut Report) -> Option<Settings> {
    let root = match root {
        Value::Null => return Some(Settings::new(auth::default(), ArgoCd::default())),
        Value::Object(map) => Block { map, path: String::new() },
        other => return report.problem("(the whole file)", format!("must be a mapping, but it is {}", kind(other))),
    };
    misspelt(&root, report);
    let mut found = Vec::new();
    let mut addresses = Vec::new();
    for spelling in &SPELLINGS {
        let Some(parent) = descend(&root, spelling.parent, report) else { continue };
        let server = parent.block("server", report);
        addresses.extend(server.as_ref().and_then(|server| address(server, spelling.service, report)));
        let auth = if spelling.auth_in_server {
            server.and_then(|server| server.block("auth", report))
        } else {
            parent.block("auth", report)
        };
        if let Some(block) = auth
            && let Some(read) = auth::read(&block, report)
        {
            found.push((block.path, spelling, read));
        }
    }
    if !report.problems.is_empty() {
        return None;
    }
    let first_service = found.first().map(|(_, spelling, _)| spelling.service);
    // Merged values carry the current chart's defaults beside what a person wrote.
    found.retain(|(_, _, read)| !read.is_default());
    if let [(first, _, a), rest @ ..] = found.as_slice()
        && let Some((other, _, _)) = rest.iter().find(|(_, _, b)| !a.says_the_same(b))
    {
        return report.problem(other, format!("differs from {first}, and both are given; keep one of them"));
    }
    let service = found.first().map(|(_, spelling, _)| spelling.service).or(first_service);
    let chart_knows = found.iter().any(|(_, spelling, _)| spelling.known_to_chart);
    let mut auth = match found.into_iter().next() {
        Some((_, _, read)) => {
            let is_default_name = read.auth.username == Username::Plain(DEFAULT_USERNAME.to_owned());
            let plain = matches!(read.auth.username, Username::Plain(_));
            Auth { chart_has_username: plain && (chart_knows || is_default_name), ..read.auth }
        }
        None => auth::default(),
    };
    let address = addresses.into_iter().next().or_else(|| service.map(Address::of_service)).unwrap_or_default();
    let settings = own(&root, address, report);
    let needs_name = auth.mode == Mode::Password || legacy.unwrap_or(settings.legacy_app_proxy);
    if needs_name {
        deprecated_username(&root, &mut auth, report);
    }
    if report.problems.is_empty() { Some(Settings { auth, ..settings }) } else { None }
}

/// Our chart's own keys: at the root, or under the chart's name where an umbrella chart holds it.
fn own(root: &Block<'_>, runtime: Address, report: &mut Report) -> Settings {
    let below = root.map.get(CHART).filter(|value| value.is_object());
    let below = below.and_then(|value| Block::new(value, CHART.to_owned(), report));
    config::options(below.as_ref().unwrap_or(root), runtime, report)
}

/// The address in a `server` block. What can't be used (a Helm template, say) is a warning only:
/// pods are injected without it.
fn address(server: &Block<'_>, service: &str, report: &mut Report) -> Option<Address> {
    let mut quiet = Report::new(false);
    let address = argocd::from_values(server, service, &mut quiet).filter(|_| quiet.problems.is_empty());
    report.warnings.append(&mut quiet.problems);
    address
}

fn descend<'v>(root: &Block<'v>, keys: &[&str], report: &mut Report) -> Option<Block<'v>> {
    keys.iter().try_fold(root.clone(), |block, key| block.block(key, report))
}

/// The chart takes this one first where both stand.
fn deprecated_username(root: &Block<'_>, auth: &mut Auth, report: &mut Report) {
    let mut quiet = Report::new(false);
    // The app-proxy's values are its own; anything odd in their shape is not for us to refuse.
    let Some(config) = descend(root, &["app-proxy", "config"], &mut quiet) else { return };
    let Some(name) = auth::checked(&config, "argoCdUsername", names::username, report) else { return };
    if matches!(auth.username, Username::Plain(_)) {
        report.warn(DEPRECATED_USERNAME, "is deprecated and wins over auth.username; move it there");
        auth.username = Username::Plain(name);
        auth.chart_has_username = true;
    }
}

/// What stands beside the place where it is read would be passed over in silence: our blocks and
/// keys under a name that is nearly right, or a level too high or too low.
fn misspelt(root: &Block<'_>, report: &mut Report) {
    let mut quiet = Report::new(false);
    // The Runtime has root keys of its own that are near to our others (`argo-cd`).
    near(root, &["delivery", "onConflict", "legacyAppProxy", "rollout"], report);
    if root.get("auth").is_some_and(Value::is_object) {
        report.warn("auth", "is not read here; it belongs under global.external-argo-cd");
    }
    if let Some(own) = root.block(CHART, &mut quiet) {
        near(&own, &config::OPTIONS, report);
    }
    let Some(global) = root.block("global", &mut quiet) else { return };
    near(&global, &["external-argo-cd", "external-arg-cd", "integrations"], report);
    if let Some(integrations) = global.block("integrations", &mut quiet) {
        near(&integrations, &["argo-cd"], report);
    }
    for spelling in &SPELLINGS {
        let Some(parent) = descend(root, spelling.parent, &mut quiet) else { continue };
        near(&parent, &["server", "auth"], report);
        let server = parent.block("server", &mut quiet);
        let (wrong, right) = if spelling.auth_in_server {
            (parent.get("auth").map(|_| parent.path_of("auth")), parent.path_of("server.auth"))
        } else {
            let inside = server.and_then(|server| server.get("auth").map(|_| server.path_of("auth")));
            (inside, parent.path_of("auth"))
        };
        if let Some(wrong) = wrong {
            report.warn(&wrong, format!("is not read here; it belongs to {right}"));
        }
    }
}

/// Warns of keys that are nearly one of these.
fn near(block: &Block<'_>, names: &[&str], report: &mut Report) {
    for key in block.map.keys().filter(|key| !names.contains(&key.as_str())) {
        if let Some(name) = nearest(key, names) {
            report.warn(&block.path_of(key), format!("is not read{}", did_you_mean(name)));
        }
    }
}
