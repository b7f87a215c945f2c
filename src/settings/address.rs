//! Where Argo CD is as far as the Runtime's values say, and what says so.

use super::block::{Block, Report};
use super::places::{Found, Scope, Spelling, charts_in};
use super::{Address, argocd, bundled};

/// Added to what is wrong with an address of the Runtime's.
const SAY_WHERE: &str = "; or say where Argo CD is with argocd.url or argocd.svc";

/// Reads it. `counted` are the spellings whose credential is taken. What can't be used (a Helm template,
/// say) is refused, and so are two that differ, unless our own block has the whole address.
pub(super) fn of_runtime(
    scopes: &[Scope<'_>],
    found: &[Found<'_>],
    scope: usize,
    counted: &[&'static Spelling],
    own_address: bool,
    report: &mut Report,
) -> (Address, Option<String>) {
    let mut quiet = Report::new(false);
    let argo_cd = one_argo_cd(argo_cds(scopes, scope), &mut quiet);
    let enabled = argo_cd.as_ref().and_then(bundled::enabled);
    let taken = if enabled == Some(true) { None } else { server(found, counted, enabled, &mut quiet) };
    let address = match (taken, enabled, argo_cd) {
        (Some((address, path)), ..) => (address, Some(path)),
        (None, Some(false), _) => {
            (counted.first().map(|own| Address::of_service(own.service)).unwrap_or_default(), None)
        }
        (None, _, Some(argo_cd)) => (bundled::address(&argo_cd, &mut quiet), Some(argo_cd.path)),
        (None, _, None) => (Address::default(), None),
    };
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

/// What a `server` block says: one beside a block that counts before another. One that says the default
/// names nothing else, and holds only where nothing is brought along.
fn server(
    found: &[Found<'_>],
    counted: &[&'static Spelling],
    enabled: Option<bool>,
    report: &mut Report,
) -> Option<(Address, String)> {
    for own in [true, false] {
        let mut given = Vec::new();
        let mut by_default = None;
        for found in found.iter().filter(|found| own == counted.iter().any(|own| own.parent == found.spelling.parent)) {
            let Some(server) = &found.server else { continue };
            let Some(address) = argocd::from_values(server, found.spelling.service, report) else { continue };
            if argocd::is_default(&address, found.spelling.service) {
                by_default.get_or_insert((address, server.path.clone()));
            } else {
                given.push((address, server.path.clone()));
            }
        }
        let taken = agreed(given, report).or(if enabled == Some(false) { by_default } else { None });
        if taken.is_some() {
            return taken;
        }
    }
    None
}

/// The Argo CDs that the Runtime's charts may bring along.
pub(super) fn argo_cds<'v>(scopes: &[Scope<'v>], scope: usize) -> Vec<Block<'v>> {
    beside(scopes, scope, "argo-cd", |block| bundled::SAYS.iter().any(|key| block.map.contains_key(*key)))
}

/// The Argo CD of the Runtime's charts: two must say the same.
fn one_argo_cd<'v>(mut blocks: Vec<Block<'v>>, report: &mut Report) -> Option<Block<'v>> {
    if blocks.len() > 1 {
        let said = blocks.iter().map(|block| {
            let enabled = bundled::enabled(block);
            let address = (enabled != Some(false)).then(|| bundled::address(block, report));
            (address, block.path.clone())
        });
        let said = said.collect();
        agreed(said, report);
    }
    (!blocks.is_empty()).then(|| blocks.swap_remove(0))
}

/// The first, if the others say the same; else it is said which differ.
pub(super) fn agreed<T: PartialEq>(mut said: Vec<(T, String)>, report: &mut Report) -> Option<(T, String)> {
    if let [(first, path), rest @ ..] = said.as_slice()
        && let Some((_, other)) = rest.iter().find(|(other, _)| other != first)
    {
        report.problem::<()>(other, format!("differs from {path}, and both are given; keep one of them"));
    }
    (!said.is_empty()).then(|| said.swap_remove(0))
}

/// How deep charts stand in charts.
const MAX_DEPTH: usize = 2;
/// What the Runtime's values have at their root, and nobody else's.
const OF_RUNTIME: [&str; 5] = ["app-proxy", "event-reporters", "gitops-operator", "internal-router", "tunnel-client"];

/// The blocks of this name beside a scope's `global`: the scope's own. Where `global` is at the root it may be
/// an umbrella's, shared by all: then there are also those of the nearest charts in it that have one, as far as
/// they say anything (`says`); and where what stands around some is the Runtime's, it is one of these.
pub(super) fn beside<'v>(
    scopes: &[Scope<'v>],
    scope: usize,
    name: &str,
    says: fn(&Block<'_>) -> bool,
) -> Vec<Block<'v>> {
    let mut quiet = Report::new(false);
    let Some(around) = scopes.get(scope).map(|scope| &scope.block) else { return Vec::new() };
    let own = around.block(name, &mut quiet).map(|own| (around.clone(), own));
    let mut found: Vec<_> = own.into_iter().collect();
    if scope > 0 && !found.is_empty() {
        return found.into_iter().map(|(_, own)| own).collect();
    }
    let mut level = vec![around.clone()];
    for _ in 0..MAX_DEPTH {
        level = level.iter().flat_map(|around| but_for(name, around)).collect();
        let nested = level.iter().filter_map(|chart| Some((chart.clone(), chart.block(name, &mut quiet)?)));
        let nested: Vec<_> = nested.filter(|(_, block)| says(block)).collect();
        if !nested.is_empty() {
            found.extend(nested);
            break;
        }
    }
    let is_runtime = |around: &Block<'_>| OF_RUNTIME.iter().any(|key| *key != name && around.get(key).is_some());
    if found.iter().any(|(around, _)| is_runtime(around)) {
        found.retain(|(around, _)| is_runtime(around));
    }
    found.into_iter().map(|(_, block)| block).collect()
}

/// The charts in one, without what has this name.
fn but_for<'v>(name: &str, around: &Block<'v>) -> Vec<Block<'v>> {
    let mut charts = charts_in(around);
    charts.retain(|chart| chart.path != around.path_of(name));
    charts
}
