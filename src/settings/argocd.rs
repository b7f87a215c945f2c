//! Where Argo CD is.

use super::auth::{checked, required};
use super::block::{Block, Report, shown};
use super::names;
use serde_json::Value;

/// Where Argo CD's API is and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgoCd {
    /// Its address; `None` where the settings name none.
    pub address: Option<Address>,
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

const DEFAULT_PORT: u16 = 80;

/// Reads `server` of the Runtime's values. Keys that are not ours stand there too.
pub(super) fn from_values(server: &Block<'_>, report: &mut Report) -> Option<Address> {
    service(server, report)
}

/// Reads `argocd` of our own configuration.
pub(super) fn from_config(block: &Block<'_>, report: &mut Report) -> ArgoCd {
    block.only(&["url", "svc", "port", "rootpath", "namespace", "tls"], report);
    let address = match (block.get("url"), block.get("svc")) {
        (Some(_), Some(_)) => {
            report.problem(&block.path_of("url"), format!("stands beside {}; keep one of them", block.path_of("svc")))
        }
        (Some(_), None) => checked(block, "url", url, report).map(Address::Url),
        (None, _) => service(block, report),
    };
    let namespace = checked(block, "namespace", names::label, report);
    let tls = block.block("tls", report).map(|tls| read_tls(&tls, report)).unwrap_or_default();
    ArgoCd { address, namespace, tls }
}

fn service(block: &Block<'_>, report: &mut Report) -> Option<Address> {
    let svc = checked(block, "svc", host, report);
    let port = match block.get("port") {
        None => Some(DEFAULT_PORT),
        Some(value) => port(value).or_else(|| {
            report.problem(&block.path_of("port"), format!("{} is not a port; allowed: 1 to 65535", shown(value)))
        }),
    };
    let rootpath = checked(block, "rootpath", path, report).unwrap_or_default();
    Some(Address::Service { svc: svc?, port: port?, rootpath: rootpath.trim_matches('/').to_owned() })
}

/// Helm users write ports with and without quotes.
fn port(value: &Value) -> Option<u16> {
    let number = match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
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
