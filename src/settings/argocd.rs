//! Where Argo CD is: the settings' `argocd` block and the Runtime's `server` blocks.

use super::auth::{checked, required};
use super::block::{Block, Report};
use super::names;
use serde_json::Value;

/// Argo CD's address and how its certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgoCd {
    /// The address of its API.
    pub address: Address,
    /// The namespace that it runs in; `None` for the Runtime's own.
    pub namespace: Option<String>,
    /// How its certificate is checked, where it is spoken to over TLS.
    pub tls: Tls,
}

/// An address of Argo CD's API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A whole URL: `http` or `https`, host, and optionally port and path.
    Url(String),
    /// A Service, as the Runtime's values give it.
    Service {
        /// The Service's name, with or without namespace and domain.
        svc: String,
        /// The Service's port, 1 to 65535. Only 443 is spoken to over TLS.
        port: u16,
        /// The path before `/api`, without slashes at either end; may be empty.
        rootpath: String,
    },
}

/// How Argo CD's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whether any certificate is accepted.
    pub insecure_skip_verify: bool,
    /// Where the CA's certificate is kept; `None` for the system's roots.
    pub certificate_authority: Option<CertificateAuthority>,
}

/// Where the certificate of a private CA is kept, in the Runtime's namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateAuthority {
    /// In a key of a Secret (name, key).
    Secret(String, String),
    /// In a key of a `ConfigMap` (name, key).
    ConfigMap(String, String),
}

/// The current chart's default of `integrations.argo-cd.server.svc`. Both generations of the chart give the
/// Argo CD that they can bundle this name too.
pub(super) const SERVICE: &str = "argo-cd-server";
/// The classic chart's default of `external-argo-cd.server.svc`.
pub(super) const CLASSIC_SERVICE: &str = "argocd-server";
const DEFAULT_PORT: u16 = 80;
/// The keys that our own `argocd` block may have.
pub(super) const FIELDS: [&str; 6] = ["url", "svc", "port", "rootpath", "namespace", "tls"];

impl Default for Address {
    fn default() -> Self {
        Self::of_service(SERVICE)
    }
}

impl Address {
    /// The Service of this name, with the Runtime's default port and no root path.
    pub(super) fn of_service(svc: &str) -> Self {
        Self::Service { svc: svc.to_owned(), port: DEFAULT_PORT, rootpath: String::new() }
    }
}

/// Reads a `server` block of the Runtime's values; other keys in it are ignored. `None` if it gives no
/// address.
pub(super) fn from_values(server: &Block<'_>, default: &str, report: &mut Report) -> Option<Address> {
    let says = ["svc", "port", "rootpath"].iter().any(|key| server.get(key).is_some());
    says.then(|| service(server, Address::of_service(default), report))
}

/// Whether an address is the chart's default for a spelling, which names `service`.
pub(super) fn is_default(address: &Address, service: &str) -> bool {
    *address == Address::of_service(service)
}

/// Reads our own `argocd` block. An address that it leaves out is taken from `runtime`.
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

/// Reads `svc`, `port` and `rootpath`. Fields left out come from `otherwise`, unless another Service is
/// named.
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

/// Reads a path before `/api`; slashes at either end are dropped.
pub(super) fn rootpath(block: &Block<'_>, key: &str, report: &mut Report) -> Option<String> {
    checked(block, key, path, report).map(|path| path.trim_matches('/').to_owned())
}

/// Reads a port from 1 to 65535. Helm users write it with and without quotes.
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
