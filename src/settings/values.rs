//! The Runtime's values: blocks of our own, or the Runtime's in any of three spellings, wherever an
//! umbrella chart may have put them.

use super::block::{Block, Report, did_you_mean, kind};
use super::nearest::nearest;
use super::places::{CHART, Found, Scope, Spelling, descend, find, scopes};
use super::{Address, Settings, argocd, auth, bundled, config, names, strays};
use crate::core::{Auth, DEFAULT_USERNAME, Mode, Username};
use serde_json::Value;

/// An auth block that was found, and read.
struct Chosen<'v> {
    path: String,
    /// `None` for a block of our own.
    of_runtime: Option<(usize, &'static Spelling)>,
    read: auth::Read<'v>,
}

/// Reads the values. `legacy` stands above the file's `legacyAppProxy`.
pub(super) fn read(root: &Value, legacy: Option<bool>, report: &mut Report) -> Option<Settings> {
    let empty = serde_json::Map::new();
    let root = match root {
        Value::Null => Block { map: &empty, path: String::new() },
        Value::Object(map) => Block { map, path: String::new() },
        other => return report.problem("(the whole file)", format!("must be a mapping, but it is {}", kind(other))),
    };
    // Where an umbrella chart holds ours, our keys stand under its name.
    let below = Block::new(root.map.get(CHART).unwrap_or(&Value::Null), CHART.to_owned(), &mut Report::new(false));
    misspelt_options(&root, below.as_ref(), report);
    for holder in [Some(&root), below.as_ref()].into_iter().flatten() {
        strays::misspelt_own(holder, report);
    }
    let scopes = scopes(&root, report);
    let mut blocks = own_auth(&root, below.as_ref(), report);
    let found = if report.problems.is_empty() && blocks.is_empty() {
        strays::refuse(&scopes, report);
        let found = find(&scopes, report);
        blocks = of_runtime(&found, report);
        found
    } else {
        find(&scopes, &mut Report::new(false))
    };
    let chosen = choose(blocks, report)?;
    let ours = below.as_ref().unwrap_or(&root);
    let own_argocd = ours.block("argocd", &mut Report::new(false));
    let own_address = own_argocd.is_some_and(|block| block.get("url").is_some() || block.get("svc").is_some());
    let (address, from) = address(&scopes, &found, &chosen, own_address, report);
    let mut settings = config::options(ours, address, report);
    settings.sources.auth.clone_from(&chosen.path);
    settings.sources.argocd = if ours.get("argocd").is_some() { Some(ours.path_of("argocd")) } else { from };
    settings.auth = chosen.auth();
    let needs_name = settings.auth.mode == Mode::Password || legacy.unwrap_or(settings.legacy_app_proxy);
    if needs_name && chosen.of_runtime.is_some() {
        deprecated_username(&scopes, &chosen, &mut settings.auth, report);
    }
    if chosen.read.is_plain() {
        who_makes_it(&chosen, &settings.auth, report);
    }
    report.problems.is_empty().then_some(settings)
}

impl Chosen<'_> {
    /// Whether the Runtime's chart has the same user name in its `ConfigMap`: it does if it reads this
    /// very block, whichever chart it is, and everywhere for the default.
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

/// `auth` at the root, or under our chart's name.
fn own_auth<'v>(root: &Block<'v>, below: Option<&Block<'v>>, report: &mut Report) -> Vec<Chosen<'v>> {
    let blocks = [Some(root), below].into_iter().flatten();
    let blocks: Vec<Block<'v>> = blocks.filter_map(|holder| holder.block(auth::AUTH, report)).collect();
    let read = |block: Block<'v>| {
        // Our own block is strict in whatever file it stands.
        let mut strict = Report::new(true);
        let read = auth::read(&block, &mut strict);
        report.problems.append(&mut strict.problems);
        read.map(|read| Chosen { path: block.path, of_runtime: None, read })
    };
    blocks.into_iter().filter_map(read).collect()
}

fn of_runtime<'v>(found: &[Found<'v>], report: &mut Report) -> Vec<Chosen<'v>> {
    let blocks = found.iter().filter_map(|found| {
        let block = found.auth.as_ref()?;
        let read = auth::read(block, report)?;
        Some(Chosen { path: block.path.clone(), of_runtime: Some((found.scope, found.spelling)), read })
    });
    blocks.collect()
}

/// The one that counts. Merged values carry a chart's defaults beside what a person wrote.
fn choose<'v>(mut blocks: Vec<Chosen<'v>>, report: &mut Report) -> Option<Chosen<'v>> {
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
    // Where several say the same, the one that the Runtime's chart reads tells most.
    let read_by_chart =
        blocks.iter().position(|block| block.of_runtime.is_some_and(|(_, spelling)| spelling.read_by_chart));
    let place = read_by_chart.unwrap_or(0);
    if place >= blocks.len() {
        return report.problem(auth::AUTH, config::MISSING.trim_end());
    }
    Some(blocks.swap_remove(place))
}

/// Added to what is wrong with an address of the Runtime's.
const SAY_WHERE: &str = "; or say where Argo CD is with argocd.url or argocd.svc";

/// Where Argo CD is as far as the Runtime's values say, and what says so. What can't be used (a Helm
/// template, say) is refused, unless our own block has the whole address.
fn address(
    scopes: &[Scope<'_>],
    found: &[Found<'_>],
    chosen: &Chosen<'_>,
    own_address: bool,
    report: &mut Report,
) -> (Address, Option<String>) {
    let mut quiet = Report::new(false);
    let scope = chosen.of_runtime.map_or(0, |(scope, _)| scope);
    let argo_cd = beside(scopes, scope, "argo-cd");
    let enabled = argo_cd.as_ref().and_then(bundled::enabled);
    let spelling = chosen.of_runtime.map(|(_, spelling)| spelling);
    // The block's own `server` before one of another spelling.
    let own_first = found.iter().filter(|found| Some(found.spelling.parent) == spelling.map(|own| own.parent));
    let mut servers = own_first.chain(found).filter_map(|found| {
        let server = found.server.as_ref()?;
        let address = argocd::from_values(server, found.spelling.service, &mut quiet)?;
        let default = argocd::is_default(&address, found.spelling.service);
        Some((address, server.path.clone(), default))
    });
    let taken = match enabled {
        Some(true) => None,
        Some(false) => servers.next(),
        // Nothing says that there is none; but another one that is named is the one that is meant.
        None => servers.find(|(_, _, default)| !default),
    };
    let taken = taken.map(|(address, path, _)| (address, Some(path)));
    let address = taken.unwrap_or_else(|| match (enabled, argo_cd) {
        (Some(false), _) => (spelling.map(|own| Address::of_service(own.service)).unwrap_or_default(), None),
        (_, Some(argo_cd)) => (bundled::address(&argo_cd, &mut quiet), Some(argo_cd.path)),
        (_, None) => (Address::default(), None),
    });
    // What can't be used is no reason to look somewhere else, unless our own block says where.
    quiet.problems.append(&mut quiet.warnings);
    quiet.problems.dedup();
    if !own_address {
        for problem in quiet.problems {
            report.problem::<()>(&problem.path, format!("{}{SAY_WHERE}", problem.text));
        }
    }
    address
}

/// A key of the Runtime's beside a scope's `global`. Where `global` is an umbrella's, shared by all, it is that
/// of a chart in it, before an Argo CD that stands beside the Runtime.
fn beside<'v>(scopes: &[Scope<'v>], scope: usize, key: &str) -> Option<Block<'v>> {
    let mut quiet = Report::new(false);
    let mut of = |scope: &Scope<'v>| scope.block.block(key, &mut quiet);
    let inner = if scope == 0 { scopes.iter().skip(1).find_map(&mut of) } else { None };
    inner.or_else(|| scopes.get(scope).and_then(&mut of))
}

/// The chart takes this one first where both stand.
fn deprecated_username(scopes: &[Scope<'_>], chosen: &Chosen<'_>, auth: &mut Auth, report: &mut Report) {
    let scope = chosen.of_runtime.map_or(0, |(scope, _)| scope);
    // The app-proxy's values are its own; anything odd in their shape is not for us to refuse.
    let app_proxy = beside(scopes, scope, "app-proxy");
    let Some(config) = app_proxy.and_then(|block| descend(&block, &["config"], &mut Report::new(false))) else {
        return;
    };
    let Some(name) = auth::checked(&config, "argoCdUsername", names::username, report) else { return };
    let left_out = beside(scopes, scope, "argo-cd").as_ref().and_then(bundled::enabled) == Some(false);
    if name == DEFAULT_USERNAME && left_out {
        // The classic charts' default, which they read for the Argo CD that they bring along alone.
        return;
    }
    if let Username::Plain(given) = &auth.username {
        // The charts' own values say it twice.
        if *given != name {
            report.warn(&config.path_of("argoCdUsername"), "is deprecated and wins over auth.username; move it there");
        }
        auth.username = Username::Plain(name);
        auth.chart_has_username = true;
    }
}

/// A plain credential has to be in a Secret, and this program makes none of it.
fn who_makes_it(chosen: &Chosen<'_>, auth: &Auth, report: &mut Report) {
    // The Runtime's chart makes it of the block that it reads.
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

/// Our own options under names that are nearly right. The Runtime has root keys of its own that are
/// near to the others (`argo-cd`).
fn misspelt_options(root: &Block<'_>, below: Option<&Block<'_>>, report: &mut Report) {
    near(root, &["delivery", "onConflict", "legacyAppProxy", "rollout"], report);
    if let Some(below) = below {
        near(below, &config::OPTIONS, report);
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
