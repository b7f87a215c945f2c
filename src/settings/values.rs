//! Reads the Runtime's values: our own blocks, or the Runtime's in any of three spellings, wherever an
//! umbrella chart may have put them.

use super::block::{Block, Report, did_you_mean, kind};
use super::nearest::nearest;
use super::places::{CHART, Found, Scope, Spelling, descend, find, scopes};
use super::{Settings, address, argocd, auth, bundled, config, controller, names, services, strays};
use crate::core::{Auth, DEFAULT_USERNAME, Mode, Username};
use serde_json::Value;

/// An auth block that was found and read.
struct Chosen<'v> {
    path: String,
    /// Its scope and spelling; `None` for our own block.
    of_runtime: Option<(usize, &'static Spelling)>,
    read: auth::Read<'v>,
}

/// Reads the values. `legacy` is the override of the file's `legacyAppProxy`.
pub(super) fn read(root: &Value, legacy: Option<bool>, report: &mut Report) -> Option<Settings> {
    let empty = serde_json::Map::new();
    let root = match root {
        Value::Null => Block { map: &empty, path: String::new() },
        Value::Object(map) => Block { map, path: String::new() },
        other => return report.problem("(the whole file)", format!("must be a mapping, but it is {}", kind(other))),
    };
    // In an umbrella chart's values, our keys stand under our chart's name.
    let below = Block::new(root.map.get(CHART).unwrap_or(&Value::Null), CHART.to_owned(), &mut Report::new(false));
    misspelt_options(&root, below.as_ref(), report);
    if below.is_some() {
        outside(&root, report);
    }
    for holder in [Some(&root), below.as_ref()].into_iter().flatten() {
        strays::misspelt_own(holder, report);
    }
    let ours = below.as_ref().unwrap_or(&root);
    let mut quiet = Report::new(false);
    let own_argocd = ours.block("argocd", &mut Report::new(false));
    let own_address = own_argocd.is_some_and(|block| block.get("url").is_some() || block.get("svc").is_some());
    let scopes = scopes(&root, report);
    let mut blocks: Vec<_> = own_auth(ours, report).into_iter().collect();
    let found = if report.problems.is_empty() && blocks.is_empty() {
        strays::refuse(&scopes, report);
        let found = find(&scopes, report);
        blocks = of_runtime(&found, report);
        found
    } else {
        if report.problems.is_empty() && !own_address {
            strays::refuse_addresses(&root, report);
        }
        // If our own block has the whole address, problems with the Runtime's don't matter.
        find(&scopes, if own_address { &mut quiet } else { report })
    };
    let (chosen, counted) = choose(blocks, report)?;
    let scope = chosen.of_runtime.map_or(0, |(scope, _)| scope);
    let (address, from) = address::of_runtime(&scopes, &found, scope, &counted, own_address, report);
    let mut settings = config::options(ours, address, report);
    settings.sources.auth.clone_from(&chosen.path);
    settings.sources.argocd = if ours.get("argocd").is_some() { Some(ours.path_of("argocd")) } else { from };
    settings.auth = chosen.auth();
    let needs_name = settings.auth.mode == Mode::Password || legacy.unwrap_or(settings.legacy_app_proxy);
    if needs_name && chosen.of_runtime.is_some() {
        deprecated_username(&scopes, scope, ours, &mut settings.auth, report);
    }
    if chosen.read.is_plain() {
        who_makes_it(&chosen, &settings.auth, report);
    }
    report.problems.is_empty().then_some(settings)
}

impl Chosen<'_> {
    /// The credential, with `chart_has_username` set: the chart renders the same user name if it reads this
    /// block in every generation, or if the name is the default.
    fn auth(&self) -> Auth {
        let auth = self.read.auth.clone();
        let read_by_chart = self.of_runtime.is_some_and(|(_, spelling)| spelling.read_by_chart);
        let chart_has_username = match &auth.username {
            Username::Plain(name) => read_by_chart || name == DEFAULT_USERNAME,
            _ => false,
        };
        Auth { chart_has_username, ..auth }
    }
}

/// Reads our own `auth` block, strictly in either kind of file.
fn own_auth<'v>(ours: &Block<'v>, report: &mut Report) -> Option<Chosen<'v>> {
    let block = ours.block(auth::AUTH, report)?;
    let mut strict = Report::new(true);
    let read = auth::read(&block, &mut strict);
    report.problems.append(&mut strict.problems);
    read.map(|read| Chosen { path: block.path, of_runtime: None, read })
}

fn of_runtime<'v>(found: &[Found<'v>], report: &mut Report) -> Vec<Chosen<'v>> {
    let blocks = found.iter().filter_map(|found| {
        let block = found.auth.as_ref()?;
        let read = auth::read(block, report)?;
        Some(Chosen { path: block.path.clone(), of_runtime: Some((found.scope, found.spelling)), read })
    });
    blocks.collect()
}

/// Chooses the block that counts, and returns every spelling that says the same, its own first. Blocks with a
/// chart's defaults give way, since merged values carry them beside what a person wrote.
fn choose<'v>(mut blocks: Vec<Chosen<'v>>, report: &mut Report) -> Option<(Chosen<'v>, Vec<&'static Spelling>)> {
    if !report.problems.is_empty() {
        return None;
    }
    if blocks.iter().any(|block| !block.read.is_default()) {
        blocks.retain(|block| !block.read.is_default());
    }
    if let [first, rest @ ..] = blocks.as_slice()
        && let Some(other) = rest.iter().find(|other| !first.read.says_the_same(&other.read))
    {
        return report
            .problem(&other.path, format!("differs from {}, and both are given; keep one of them", first.path));
    }
    // Of several that say the same, prefer the one that every generation of the chart reads.
    let read_by_chart =
        blocks.iter().position(|block| block.of_runtime.is_some_and(|(_, spelling)| spelling.read_by_chart));
    let place = read_by_chart.unwrap_or(0);
    if place >= blocks.len() {
        return report.problem(auth::AUTH, config::MISSING.trim_end());
    }
    blocks.swap(0, place);
    let counted = blocks.iter().filter_map(|block| Some(block.of_runtime?.1)).collect();
    Some((blocks.swap_remove(0), counted))
}

/// Applies the deprecated `argoCdUsername`, which the chart prefers to `auth.username`.
fn deprecated_username(scopes: &[Scope<'_>], scope: usize, ours: &Block<'_>, auth: &mut Auth, report: &mut Report) {
    const KEY: &str = "argoCdUsername";
    let enabled = address::argo_cds(scopes, scope).first().and_then(bundled::enabled);
    let config = |app_proxy: &Block<'_>| app_proxy.map.get("config").is_some_and(|config| config.get(KEY).is_some());
    let given = address::beside(scopes, scope, "app-proxy", config).into_iter().filter_map(|app_proxy| {
        // The app-proxy's values aren't ours to report on.
        let config = descend(&app_proxy, &["config"], &mut Report::new(false))?;
        let name = auth::checked(&config, KEY, names::username, report)?;
        // The classic charts' default, which they use only for the Argo CD that they bundle.
        (name != DEFAULT_USERNAME || enabled != Some(false)).then(|| (name, config.path_of(KEY)))
    });
    let mut given: Vec<_> = given.collect();
    // Our chart's own key, where the other belongs to an umbrella's Runtime.
    given.extend(auth::checked(ours, KEY, names::username, report).map(|name| (name, ours.path_of(KEY))));
    let Some((name, path)) = address::agreed(given, report) else { return };
    if let Username::Plain(given) = &auth.username {
        // The charts' own values give it twice.
        if *given != name {
            report.warn(&path, "is deprecated and wins over auth.username; move it there");
        }
        auth.username = Username::Plain(name);
        auth.chart_has_username = true;
    }
}

/// Warns of a plain credential: it has to be in a Secret, which this program doesn't create.
fn who_makes_it(chosen: &Chosen<'_>, auth: &Auth, report: &mut Report) {
    // The Runtime's chart creates it from the block that it reads.
    if chosen.of_runtime.is_some_and(|(_, spelling)| spelling.read_by_chart) {
        return;
    }
    let (mode, credential) = (auth.mode.as_str(), &auth.credential);
    let text = format!(
        "stands here itself: pods refer to Secret {}, key {}, and this program makes none; our chart does, under another name, or make it by hand",
        credential.name, credential.key
    );
    report.warn(&format!("{}.{mode}", chosen.path), text);
}

/// Warns of our own options with misspelt names. `argocd` isn't checked at the root: the Runtime's `argo-cd`
/// is close to it.
fn misspelt_options(root: &Block<'_>, below: Option<&Block<'_>>, report: &mut Report) {
    near(root, &["delivery", "onConflict", "legacyAppProxy", "rollout"], report);
    if let Some(below) = below {
        near(below, &config::OPTIONS, report);
    }
}

/// Refuses our options at the root where our chart has a key of its own: Helm passes it nothing else. Other
/// charts use these names too, so only values that fit ours are refused.
fn outside(root: &Block<'_>, report: &mut Report) {
    let only = |value: &Value, names: &[&str]| {
        value.as_object().is_some_and(|map| map.keys().all(|key| names.contains(&key.as_str())))
    };
    let is_one = |value: &Value, names: &[&str]| value.as_str().is_some_and(|text| names.contains(&text));
    let is_ours = |key: &str, value: &Value| match key {
        "auth" => only(value, &auth::FIELDS) || strays::is_auth(value),
        "argocd" => only(value, &argocd::FIELDS) && !only(value, &["namespace", "tls"]),
        "delivery" => is_one(value, &["env", "volume"]),
        "onConflict" => is_one(value, &["keep", "replace", "deny"]),
        "legacyAppProxy" => value.is_boolean(),
        "argoCdUsername" => value.is_string(),
        "rollout" => is_one(value, &["automatic", "report"]) || only(value, &controller::ROLLOUT),
        "credentials" => only(value, &controller::CREDENTIALS),
        "services" => value.as_array().is_some_and(|all| all.iter().all(|one| only(one, &services::FIELDS))),
        _ => false,
    };
    for key in root.map.keys().filter(|key| root.get(key).is_some_and(|value| is_ours(key, value))) {
        let right = format!("{CHART}.{key}");
        report.problem::<()>(key, format!("is not read here; write `{CHART}:` above it, as {right}"));
    }
}

/// Warns of keys that are nearly one of `names`.
fn near(block: &Block<'_>, names: &[&str], report: &mut Report) {
    for key in block.map.keys().filter(|key| !names.contains(&key.as_str())) {
        if let Some(name) = nearest(key, names) {
            report.warn(&block.path_of(key), format!("is not read{}", did_you_mean(name)));
        }
    }
}
