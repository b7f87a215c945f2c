//! Where the Runtime's blocks may stand in a document.

use super::block::{Block, Report};
use serde_json::Value;

/// The name of our chart.
pub(super) const CHART: &str = "argocd-auth-webhook";

/// One of the three spellings: where `server` and `auth` stand under `global`, and who reads them.
#[derive(Debug)]
pub(super) struct Spelling {
    /// The keys under `global` down to the mapping that holds `server`.
    pub parent: &'static [&'static str],
    /// Whether `auth` stands inside `server`.
    pub auth_in_server: bool,
    /// Whether every Runtime's chart that knows this spelling takes user name and Secret from it. The
    /// values don't tell which chart is installed, and the two others are not read by the current one.
    pub read_by_chart: bool,
    /// The Service that is meant where `server` names none.
    pub service: &'static str,
}

/// The documentation's of before, the classic chart's (and the documentation's), the current chart's.
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

/// A root of the Runtime's values: the document's, or what an umbrella chart nests under one key.
#[derive(Clone)]
pub(super) struct Scope<'v> {
    /// All of it. The path is empty, or the one key.
    pub block: Block<'v>,
    /// Its `global`.
    pub global: Option<Block<'v>>,
}

/// The document and each mapping at its root.
pub(super) fn scopes<'v>(root: &Block<'v>, report: &mut Report) -> Vec<Scope<'v>> {
    // What isn't a mapping under another's key is that other's.
    let mut quiet = Report::new(false);
    let inner = charts_in(root).into_iter().map(|block| {
        let global = block.block("global", &mut quiet);
        Scope { block, global }
    });
    let outer = Scope { block: root.clone(), global: root.block("global", report) };
    std::iter::once(outer).chain(inner).collect()
}

/// Each mapping beside `global`, as the charts in a chart have theirs.
pub(super) fn charts_in<'v>(block: &Block<'v>) -> Vec<Block<'v>> {
    // In the order of their names, as for Helm: that of the file means nothing.
    let mut keys: Vec<_> = block.map.iter().filter(|(key, _)| *key != "global").collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    let chart = |(key, value): (&String, &'v Value)| Some(Block { map: value.as_object()?, path: block.path_of(key) });
    keys.into_iter().filter_map(chart).collect()
}

/// What one spelling says in one scope.
pub(super) struct Found<'v> {
    pub scope: usize,
    pub spelling: &'static Spelling,
    pub auth: Option<Block<'v>>,
    pub server: Option<Block<'v>>,
}

/// Every block that stands where it is read, the outermost first.
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

/// The mapping under these keys.
pub(super) fn descend<'v>(block: &Block<'v>, keys: &[&str], report: &mut Report) -> Option<Block<'v>> {
    keys.iter().try_fold(block.clone(), |block, key| block.block(key, report))
}
