//! Where Argo CD is.

use super::auth::{checked, required};
use super::block::{Block, Report};
use super::names;
use serde_json::Value;

/// Where Argo CD's API is and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgoCd {
    /// Its address.
    pub address: Address,
    /// The namespace in which it runs, where that is not the Runtime's own.
    pub namespace: Option<String>,
    /// How its certificate is checked.
    pub tls: Tls,
}

/// An address of Argo CD's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A whole URL, `http` or `https`.
    Url(String),
    /// A Service, as the Runtime's values give it.
    Service {
        /// Its name, with or without namespace and domain.
        svc: String,
        /// Its port.
        port: u16,
        /// The path before `/api`, without slashes at its ends; may be empty.
        rootpath: String,
    },
}

/// How Argo CD's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// No check at all.
    pub insecure_skip_verify: bool,
    /// What signed it; the system's roots where `None`.
    pub certificate_authority: Option<CertificateAuthority>,
}

/// Where the certificate of a private CA stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateAuthority {
    /// In a key of a Secret (name, key).
    Secret(String, String),
    /// In a key of a `ConfigMap` (name, key).
    ConfigMap(String, String),
}

/// What the current Runtime's chart calls: the default of `integrations.argo-cd.server.svc`, and the
/// Argo CD that both generations can bring along.
pub(super) const SERVICE: &str = "argo-cd-server";
/// The classic chart's default of `external-argo-cd.server.svc`.
pub(super) const CLASSIC_SERVICE: &str = "argocd-server";
const DEFAULT_PORT: u16 = 80;
/// What `argocd` of our own may hold.
pub(super) const FIELDS: [&str; 6] = ["url", "svc", "port", "rootpath", "namespace", "tls"];

impl Default for Address {
    fn default() -> Self {
        Self::of_service(SERVICE)
    }
}

impl Address {
    /// The Service of this name, at the Runtime's default port.
    pub(super) fn of_service(svc: &str) -> Self {
        Self::Service { svc: svc.to_owned(), port: DEFAULT_PORT, rootpath: String::new() }
    }
}

/// Reads `server` of the Runtime's values, where keys that are not ours stand too. `None`: it says
/// nothing of the address.
pub(super) fn from_values(server: &Block<'_>, default: &str, report: &mut Report) -> Option<Address> {
    let says = ["svc", "port", "rootpath"].iter().any(|key| server.get(key).is_some());
    says.then(|| service(server, Address::of_service(default), report))
}

/// Whether a `server` block names another Argo CD than the chart's default for it does.
pub(super) fn is_default(address: &Address, service: &str) -> bool {
    *address == Address::of_service(service)
}

/// Reads `argocd` of our own configuration; what it doesn't say is as the Runtime's values have it.
pub(super) fn from_config(block: &Block<'_>, runtime: Address, report: &mut Report) -> ArgoCd {
    block.only(&FIELDS, report);
    let beside = ["svc", "port", "rootpath"].into_iter().find(|key| block.get(key).is_some());
    let address = match (block.get("url"), beside) {
        (Some(_), Some(key)) => {
            report.problem(&block.path_of("url"), format!("stands beside {}; keep one of them", block.path_of(key)))
        }
        (Some(_), None) => checked(block, "url", url, report).map(Address::Url),
        (None, _) => Some(service(block, runtime, report)),
    };
    let address = address.unwrap_or_default();
    let namespace = checked(block, "namespace", names::label, report);
    let tls = block.block("tls", report).map(|tls| read_tls(&tls, report)).unwrap_or_default();
    ArgoCd { address, namespace, tls }
}

/// What is not said is of `otherwise`, unless another Service is named.
fn service(block: &Block<'_>, otherwise: Address, report: &mut Report) -> Address {
    let mut address = checked(block, "svc", host, report).map_or(otherwise, |svc| Address::of_service(&svc));
    let said = match block.get("port") {
        None => None,
        Some(value) => {
            port(value).or_else(|| report.problem(&block.path_of("port"), "is not a port; allowed: 1 to 65535"))
        }
    };
    if let Address::Service { port, rootpath, .. } = &mut address {
        *port = said.unwrap_or(*port);
        if let Some(path) = self::rootpath(block, "rootpath", report) {
            *rootpath = path;
        }
    }
    address
}

/// A path before `/api`, without slashes at its ends.
pub(super) fn rootpath(block: &Block<'_>, key: &str, report: &mut Report) -> Option<String> {
    checked(block, key, path, report).map(|path| path.trim_matches('/').to_owned())
}

/// Helm users write ports with and without quotes.
pub(super) fn port(value: &Value) -> Option<u16> {
    let number = match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) if text.bytes().all(|c| c.is_ascii_digit()) && !text.starts_with('0') => text.parse().ok(),
        _ => None,
    };
    number.filter(|port| *port != 0)
}

fn read_tls(block: &Block<'_>, report: &mut Report) -> Tls {
    const SECRET: &str = "caSecretKeyRef";
    const CONFIG_MAP: &str = "caConfigMapKeyRef";
    block.only(&["insecureSkipVerify", SECRET, CONFIG_MAP], report);
    let mut reference = |key: &str| {
        let reference = block.block(key, report)?;
        reference.only(&["name", "key"], report);
        let name = required(&reference, "name", names::object, report);
        let key = required(&reference, "key", names::key, report);
        Some((name?, key?))
    };
    let (secret, config_map) = (reference(SECRET), reference(CONFIG_MAP));
    if secret.is_some() && config_map.is_some() {
        report.problem::<()>(
            &block.path_of(CONFIG_MAP),
            format!("stands beside {}; keep one of them", block.path_of(SECRET)),
        );
    }
    let secret = secret.map(|(name, key)| CertificateAuthority::Secret(name, key));
    let config_map = config_map.map(|(name, key)| CertificateAuthority::ConfigMap(name, key));
    Tls {
        insecure_skip_verify: block.boolean("insecureSkipVerify", report).unwrap_or_default(),
        certificate_authority: secret.or(config_map),
    }
}

fn url(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let plain = |rest: &str| {
        !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c == '@' || c == '?' || c == '#')
    };
    if rest.is_some_and(plain) {
        Ok(())
    } else {
        Err("must be a URL with http:// or https://, without user, query or fragment")
    }
}

fn host(text: &str) -> Result<(), &'static str> {
    names::object(text).map_err(|_| "must be the name of a Service, without scheme, port and path")
}

fn path(text: &str) -> Result<(), &'static str> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-._~/".contains(c));
    if plain { Ok(()) } else { Err("must be a path: letters, digits, '-', '_', '.', '~' and '/'") }
}
