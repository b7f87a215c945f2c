//! Argo CD's address as the Runtime's values give it, and which key gives it.

use super::block::{Block, Report};
use super::places::{Found, Scope, Spelling, charts_in};
use super::{Address, argocd, bundled};

/// Appended to every problem with an address in the Runtime's values.
const SAY_WHERE: &str = "; or say where Argo CD is with argocd.url or argocd.svc";

/// Finds the address and the path of the key that gives it; the path is `None` for a default. `counted` are
/// the spellings that the credential is taken from. An unusable address (a Helm template, say) or two that
/// differ are problems, unless our own `argocd` block has a whole address (`own_address`).
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
    // An unusable address is a problem rather than a reason to take another, unless our own block has one.
    quiet.problems.append(&mut quiet.warnings);
    quiet.problems.dedup();
    if !own_address {
        for problem in quiet.problems {
            report.problem::<()>(&problem.path, format!("{}{SAY_WHERE}", problem.text));
        }
    }
    address
}

/// The address from a `server` block. Blocks of the spellings in `counted` come before the others. An address
/// that equals the chart's default counts only where no Argo CD is bundled (`enabled` is false).
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

/// The `argo-cd` blocks of the Argo CDs that the Runtime's charts may bundle.
pub(super) fn argo_cds<'v>(scopes: &[Scope<'v>], scope: usize) -> Vec<Block<'v>> {
    beside(scopes, scope, "argo-cd", |block| bundled::SAYS.iter().any(|key| block.map.contains_key(*key)))
}

/// The `argo-cd` block of the Runtime's charts. Several must give the same address.
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

/// The first of several; if another differs, that is a problem. `None` if there is none.
pub(super) fn agreed<T: PartialEq>(mut said: Vec<(T, String)>, report: &mut Report) -> Option<(T, String)> {
    if let [(first, path), rest @ ..] = said.as_slice()
        && let Some((_, other)) = rest.iter().find(|(other, _)| other != first)
    {
        report.problem::<()>(other, format!("differs from {path}, and both are given; keep one of them"));
    }
    (!said.is_empty()).then(|| said.swap_remove(0))
}

/// How many levels of charts below an umbrella chart are searched.
const MAX_DEPTH: usize = 2;
/// Keys at the root of the Runtime's values that no other chart has.
const OF_RUNTIME: [&str; 5] = ["app-proxy", "event-reporters", "gitops-operator", "internal-router", "tunnel-client"];

/// The blocks of this name that belong to a scope's `global`: the scope's own. A `global` at the root may be
/// an umbrella's, shared by its charts; then the blocks of the nearest charts that say anything (`says`)
/// count too. If some of them stand among the Runtime's keys, only those are kept.
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

/// The mappings in a block that may be charts, except the block named `name`.
fn but_for<'v>(name: &str, around: &Block<'v>) -> Vec<Block<'v>> {
    let mut charts = charts_in(around);
    charts.retain(|chart| chart.path != around.path_of(name));
    charts
}
