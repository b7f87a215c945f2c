//! Where the Runtime's `server` and `auth` blocks may stand in its values.

use super::block::{Block, Report};
use serde_json::Value;

/// The name of our chart, and so of its values in an umbrella chart's.
pub(super) const CHART: &str = "argocd-auth-webhook";

/// One of the three spellings: where `server` and `auth` stand under `global`, and which chart reads them.
#[derive(Debug)]
pub(super) struct Spelling {
    /// The keys under `global` down to the mapping that holds `server`.
    pub parent: &'static [&'static str],
    /// Whether `auth` stands inside `server`; otherwise it stands beside it.
    pub auth_in_server: bool,
    /// Whether every Runtime chart that knows this spelling takes user name and Secret from it. The values
    /// don't tell which chart is installed, and the current chart doesn't read the two older spellings.
    pub read_by_chart: bool,
    /// The Service that is meant where `server` names none.
    pub service: &'static str,
}

/// The spelling of former documentation, the classic chart's, and the current chart's.
pub(super) const SPELLINGS: [Spelling; 3] = [
    Spelling {
        parent: &["external-arg-cd"],
        auth_in_server: false,
        read_by_chart: false,
        service: super::argocd::CLASSIC_SERVICE,
    },
    Spelling {
        parent: &["external-argo-cd"],
        auth_in_server: false,
        read_by_chart: false,
        service: super::argocd::CLASSIC_SERVICE,
    },
    Spelling {
        parent: &["integrations", "argo-cd"],
        auth_in_server: true,
        read_by_chart: true,
        service: super::argocd::SERVICE,
    },
];

/// A possible root of the Runtime's values: the document, or a chart's values nested in an umbrella's.
#[derive(Clone)]
pub(super) struct Scope<'v> {
    /// The whole mapping. Its path is empty, or the one key that it stands under.
    pub block: Block<'v>,
    /// The `global` in it.
    pub global: Option<Block<'v>>,
}

/// The document, then each mapping at its root.
pub(super) fn scopes<'v>(root: &Block<'v>, report: &mut Report) -> Vec<Scope<'v>> {
    // A wrong type under another chart's key isn't ours to report.
    let mut quiet = Report::new(false);
    let inner = charts_in(root).into_iter().map(|block| {
        let global = block.block("global", &mut quiet);
        Scope { block, global }
    });
    let outer = Scope { block: root.clone(), global: root.block("global", report) };
    std::iter::once(outer).chain(inner).collect()
}

/// Each mapping except `global`: in an umbrella's values, each of its charts has one.
pub(super) fn charts_in<'v>(block: &Block<'v>) -> Vec<Block<'v>> {
    // Sorted by name, as in Helm: the order in the file means nothing.
    let mut keys: Vec<_> = block.map.iter().filter(|(key, _)| *key != "global").collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    let chart = |(key, value): (&String, &'v Value)| Some(Block { map: value.as_object()?, path: block.path_of(key) });
    keys.into_iter().filter_map(chart).collect()
}

/// The blocks of one spelling in one scope.
pub(super) struct Found<'v> {
    pub scope: usize,
    pub spelling: &'static Spelling,
    pub auth: Option<Block<'v>>,
    pub server: Option<Block<'v>>,
}

/// Every block of the three spellings, the document's first.
pub(super) fn find<'v>(scopes: &[Scope<'v>], report: &mut Report) -> Vec<Found<'v>> {
    let mut found = Vec::new();
    for (scope, global) in scopes.iter().enumerate().filter_map(|(place, scope)| Some((place, scope.global.as_ref()?)))
    {
        for spelling in &SPELLINGS {
            let Some(parent) = descend(global, spelling.parent, report) else { continue };
            let server = parent.block("server", report);
            let holder = if spelling.auth_in_server { server.as_ref() } else { Some(&parent) };
            let auth = holder.and_then(|holder| holder.block("auth", report));
            found.push(Found { scope, spelling, auth, server });
        }
    }
    found
}

/// The mapping that these keys lead to; `None` if one is missing.
pub(super) fn descend<'v>(block: &Block<'v>, keys: &[&str], report: &mut Report) -> Option<Block<'v>> {
    keys.iter().try_fold(block.clone(), |block, key| block.block(key, report))
}
