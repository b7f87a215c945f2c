//! The Argo CD that the Runtime's chart can bundle, and the name of its Service.

use super::auth::checked;
use super::block::{Block, Report};
use super::{Address, argocd, names};
use serde_json::Value;

/// The Runtime's default of `argo-cd.fullnameOverride`.
const FULL_NAME: &str = "argo-cd";
/// The default of `server.name` in Argo CD's chart.
const SERVER: &str = "server";
/// The longest name of a Service, in characters.
const MAX_NAME: usize = 63;

/// The keys of an `argo-cd` block that are read here.
pub(super) const SAYS: [&str; 5] = ["enabled", "fullnameOverride", "nameOverride", "server", "configs"];

/// Whether the values enable the bundled Argo CD; `None` where they don't say, which the chart takes for yes.
/// Only the boolean `false` disables a chart in Helm.
pub(super) fn enabled(argo_cd: &Block<'_>) -> Option<bool> {
    argo_cd.map.get("enabled").filter(|value| !value.is_null()).map(|value| *value != Value::Bool(false))
}

/// The address of the bundled Argo CD. Of `configs.params`, `server.rootpath` moves the API;
/// `server.basehref` moves only the pages for browsers, so it isn't read.
pub(super) fn address(argo_cd: &Block<'_>, report: &mut Report) -> Address {
    let name = match (argo_cd.map.contains_key("fullnameOverride"), argo_cd.get("fullnameOverride")) {
        (true, None) => {
            report.warn(
                &argo_cd.path_of("fullnameOverride"),
                "is empty, so that Argo CD's Service is called after the Runtime's release, which isn't known here",
            );
            checked(argo_cd, "nameOverride", names::object, report)
        }
        _ => checked(argo_cd, "fullnameOverride", names::object, report),
    };
    let quiet = &mut Report::new(false);
    let server = argo_cd.block("server", quiet);
    let server_name = server.as_ref().and_then(|server| checked(server, "name", names::object, report));
    let full = cut(name.as_deref().unwrap_or(FULL_NAME));
    let svc = cut(&format!("{full}-{}", server_name.as_deref().unwrap_or(SERVER)));
    let params = argo_cd.block("configs", quiet).and_then(|configs| configs.block("params", quiet));
    // The Runtime's chart sets `server.insecure: true` by default.
    let insecure = params.as_ref().and_then(|params| params.map.get("server.insecure")).is_none_or(is_true);
    let rootpath = params.and_then(|params| argocd::rootpath(&params, "server.rootpath", report)).unwrap_or_default();
    let service = server.and_then(|server| server.block("service", quiet));
    let key = if insecure { "servicePortHttp" } else { "servicePortHttps" };
    let port = service.and_then(|service| {
        let value = service.get(key)?;
        argocd::port(value).or_else(|| report.problem(&service.path_of(key), "is not a port; allowed: 1 to 65535"))
    });
    match (insecure, port) {
        (true, port) => Address::Service { svc, port: port.unwrap_or(80), rootpath },
        (false, None | Some(443)) => Address::Service { svc, port: 443, rootpath },
        // For a Service, TLS is assumed only on port 443, so another port needs a whole URL.
        (false, Some(port)) => Address::Url(format!("https://{svc}:{port}/{rootpath}")),
    }
}

/// Cuts a name to [`MAX_NAME`] and drops a trailing hyphen, as the chart's templates do.
fn cut(name: &str) -> String {
    let cut: String = name.chars().take(MAX_NAME).collect();
    cut.strip_suffix('-').unwrap_or(&cut).to_owned()
}

/// Whether a parameter is true; Argo CD takes them with or without quotes.
fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::String(text) => !text.is_empty() && text != "false",
        Value::Null => false,
        _ => true,
    }
}
