//! Argo CD's base URL: the part that all of its API's URLs share.

use crate::core::text::without_url_secrets;
use crate::settings::Address;
use hyper::Uri;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Scheme, host, port and the root path before `/api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub(super) https: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Begins with a slash and doesn't end with one; empty if there is none.
    pub(super) root: String,
}

/// Why a URL can't be the address of Argo CD.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address:?} is no address of Argo CD: {reason}")]
pub struct BadAddress {
    address: String,
    reason: &'static str,
}

impl Base {
    /// Parses `http://` or `https://`, a host, and optionally a port and a path.
    ///
    /// # Errors
    /// The URL has another scheme, no host, a port outside 1 to 65535, or a user, query or fragment.
    pub fn parse(url: &str) -> Result<Self, BadAddress> {
        let wrong = |reason| BadAddress { address: without_url_secrets(url).into_owned(), reason };
        if url.contains(['@', '?', '#']) {
            return Err(wrong("it has a user, a query or a fragment"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("it begins with neither http:// nor https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
        let port = match uri.port() {
            None if uri.authority().is_some_and(|all| all.as_str() != host) => {
                return Err(wrong("its port is no number from 1 to 65535"));
            }
            None => None,
            Some(port) => Some(
                Some(port.as_u16())
                    .filter(|port| *port != 0)
                    .ok_or_else(|| wrong("its port is no number from 1 to 65535"))?,
            ),
        };
        let root = uri.path().trim_matches('/');
        Ok(Self {
            https,
            host: host.to_owned(),
            port: port.unwrap_or(if https { 443 } else { 80 }),
            root: if root.is_empty() { String::new() } else { format!("/{root}") },
        })
    }

    /// The base URL of the settings' address. A Service name without dots is one of `namespace`. A Service is
    /// spoken to in plain HTTP, except on port 443.
    ///
    /// # Errors
    /// The address isn't a valid URL; see [`Base::parse`].
    pub fn of(address: &Address, namespace: &str) -> Result<Self, BadAddress> {
        match address {
            Address::Url(url) => Self::parse(url),
            Address::Service { svc, port, rootpath } => {
                let host = if svc.contains('.') { svc.clone() } else { format!("{svc}.{namespace}.svc") };
                let scheme = if *port == 443 { "https" } else { "http" };
                Self::parse(&format!("{scheme}://{host}:{port}/{rootpath}"))
            }
        }
    }

    /// The host, without the port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 80 or 443 by default.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is https.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// Whether the host is inside the cluster, judged by its name or IP address. No proxy is used for such a
    /// host.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(address) => is_inside(address),
            Err(_) => {
                !host.contains('.')
                    || [".svc", ".cluster.local", ".localhost"].iter().any(|end| host.ends_with(end))
                    || host.contains(".svc.")
            }
        }
    }

    /// Whether passwords would go there unencrypted over networks outside of the cluster.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.https && !self.is_inside()
    }

    /// The value of the `Host` header.
    pub(super) fn authority(&self) -> String {
        match (self.https, self.port) {
            (true, 443) | (false, 80) => self.host.clone(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

/// Whether an IP address is loopback, link-local or private, as those inside a cluster are.
#[must_use]
pub fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inside_v4(address),
        IpAddr::V6(address) => is_inside_v6(address),
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    // Some clusters take the addresses of pods and Services from 100.64.0.0/10 (RFC 6598).
    let shared = first == 100 && (64..128).contains(&second);
    address.is_loopback() || address.is_private() || address.is_link_local() || shared
}

fn is_inside_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped() {
        return is_inside_v4(address);
    }
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        for (url, shown) in [
            ("http://argocd", "http://argocd"),
            ("http://argocd:80/", "http://argocd"),
            ("https://argocd:443//argo//", "https://argocd/argo"),
            ("https://a.example.com:8443/one/two", "https://a.example.com:8443/one/two"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(Base::parse(url).unwrap().to_string(), shown, "{url}");
        }
        for bad in [
            "",
            "argocd",
            "argocd:80",
            "ftp://a",
            "http://",
            "http:///x",
            "http://a:0",
            "http://a:99999",
            "http://a:",
            "http://a/?b",
            "http://a b",
        ] {
            assert!(Base::parse(bad).is_err(), "{bad}");
        }
        let error = Base::parse("https://admin:hunter2@argocd").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_bare_service_is_one_of_the_namespace_and_plain_http_but_for_443() {
        let of = |svc: &str, port, rootpath: &str| {
            let address = Address::Service { svc: svc.to_owned(), port, rootpath: rootpath.to_owned() };
            Base::of(&address, "codefresh").unwrap().to_string()
        };
        assert_eq!(of("argo-cd-server", 80, ""), "http://argo-cd-server.codefresh.svc");
        assert_eq!(of("argo-cd-server", 8080, "argo"), "http://argo-cd-server.codefresh.svc:8080/argo");
        assert_eq!(of("argo-cd-server.argocd", 443, ""), "https://argo-cd-server.argocd");
    }

    #[test]
    fn what_is_inside_is_told_by_its_name() {
        let inside = |host: &str| Base::parse(&format!("https://{host}")).unwrap().is_inside();
        for host in [
            "argo-cd-server",
            "a.b.svc",
            "a.b.svc.",
            "A.B.SVC",
            "a.b.svc.cluster.local",
            "a.b.svc.corp.example",
            "localhost",
            "127.0.0.1",
            "10.1.2.3",
            "100.64.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.1.1",
            "[::1]",
            "[fd00::1]",
        ] {
            assert!(inside(host), "{host}");
        }
        let is_open = |url: &str| Base::parse(url).unwrap().is_open();
        assert!(is_open("http://argocd.example.com") && !is_open("https://argocd.example.com"));
        assert!(!is_open("http://argocd-server.codefresh.svc") && !is_open("http://127.0.0.1:8080"));
        for host in ["argocd.example.com", "8.8.8.8", "100.128.0.1", "[2001:db8::1]", "svc.example.com"] {
            assert!(!inside(host), "{host}");
        }
    }
}
