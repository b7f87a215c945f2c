//! Proxies between a command and the API server: the kubeconfig's `proxy-url`, or `HTTPS_PROXY`, `HTTP_PROXY`
//! and `NO_PROXY`, as kubectl reads them.
//!
//! kube itself matches `NO_PROXY` against the proxy's name and verifies an https proxy by the cluster's CA.
//! So the connection is made here; the rest of the client is kube's.

use super::forward_proxy::ForwardProxy;
use crate::pki::GivenRoots;
use hyper::header::{HeaderValue, PROXY_AUTHORIZATION};
use hyper::rt::{Read, Write};
use hyper::{Request, Uri};
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::legacy::connect::{Connection, HttpConnector};
use hyper_util::client::proxy::matcher::{Builder, Matcher};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ConfigExt, RustlsTlsError};
use kube::{Client, Config};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tower::{BoxError, Service, ServiceBuilder};

/// A proxy. Neither `Debug` nor `Display` shows its user and password.
#[derive(Debug)]
pub(super) struct Proxy {
    uri: Uri,
    basic: Option<HeaderValue>,
    login: Option<(String, SecretString)>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        write!(f, "{}://{}{port}", self.uri.scheme_str().unwrap_or("http"), self.uri.host().unwrap_or_default())
    }
}

/// The proxy for this server; `None` for a direct connection. `given` is the kubeconfig's `proxy-url`, which
/// overrides the environment.
///
/// # Errors
/// The value isn't the URL of a proxy; the text says where it was given.
pub(super) fn chosen(server: &Uri, given: Option<String>) -> Result<Option<Proxy>, String> {
    let matcher = match given {
        Some(url) => Matcher::builder().all(checked(&url, "the kubeconfig's proxy-url")?).build(),
        None if is_here(server) => return Ok(None),
        None => of_environment(server, |name| std::env::var(name).ok())?.build(),
    };
    Ok(matcher.intercept(server).map(|found| Proxy {
        uri: found.uri().clone(),
        basic: found.basic_auth().cloned(),
        login: found.raw_auth().map(|(user, password)| (user.to_owned(), SecretString::from(password))),
    }))
}

/// Reads the environment, upper case before lower case. Like kubectl it ignores `ALL_PROXY`.
fn of_environment(server: &Uri, read: impl Fn(&str) -> Option<String>) -> Result<Builder, String> {
    let either = |name: &str| {
        let set = |name: &str| read(name).filter(|value| !value.is_empty());
        set(name).or_else(|| set(&name.to_lowercase()))
    };
    let mut builder = Matcher::builder();
    if let Some(url) = either("HTTPS_PROXY") {
        builder = builder.https(checked(&url, "HTTPS_PROXY")?);
    }
    if let Some(url) = either("HTTP_PROXY") {
        builder = builder.http(checked(&url, "HTTP_PROXY")?);
    }
    let no = either("NO_PROXY").unwrap_or_default();
    let entries: Vec<String> = no.split(',').filter_map(|entry| for_server(entry.trim(), server)).collect();
    Ok(builder.no(entries.join(",")))
}

/// Translates an entry of `NO_PROXY` for hyper-util: `*.a` becomes `.a`, and an entry with a port counts only
/// if that is the server's port.
fn for_server(entry: &str, server: &Uri) -> Option<String> {
    let default = if server.scheme_str() == Some("http") { 80 } else { 443 };
    let port = server.port_u16().unwrap_or(default);
    let entry = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
    let is_address = entry.parse::<IpAddr>().is_ok() || entry.contains('/');
    match entry.rsplit_once(':').filter(|_| !is_address) {
        Some((host, of)) => {
            (of.parse() == Ok(port)).then(|| host.trim_start_matches('[').trim_end_matches(']').to_owned())
        }
        None => Some(entry.to_owned()),
    }
}

/// A proxy's URL, with `http://` if it has no scheme. Errors don't quote it, since it may hold a password.
fn checked(url: &str, place: &str) -> Result<String, String> {
    let url = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let known = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https" | "socks5" | "socks5h"));
    match url.parse::<Uri>() {
        Ok(uri) if known(&uri) && uri.host().is_some_and(|host| !host.is_empty()) => Ok(url),
        _ => Err(format!("{place} is no URL of a proxy, such as http://proxy.example.com:3128 or socks5://…")),
    }
}

/// Whether the server is this machine, for which no proxy of the environment is used.
fn is_here(server: &Uri) -> bool {
    let host = server.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A client without a proxy.
pub(super) fn direct(config: &Config, connect_timeout: Duration) -> kube::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(connect_timeout));
    client(config, tcp, None)
}

impl Proxy {
    /// A client that connects through the proxy.
    pub(super) fn client(self, config: &Config, connect_timeout: Duration) -> kube::Result<Client> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(connect_timeout));
        match self.uri.scheme_str() {
            Some("socks5" | "socks5h") => {
                let socks = SocksV5::new(self.uri, tcp);
                let socks = match self.login {
                    Some((user, password)) => socks.with_auth(user, password.expose_secret().to_owned()),
                    None => socks,
                };
                client(config, socks, None)
            }
            Some("https") => {
                // An https proxy is verified by the system's roots, not by the cluster's CA.
                let tls = Config::new(self.uri.clone()).rustls_https_connector_with_connector(tcp)?;
                self.through(config, tls)
            }
            _ => self.through(config, tcp),
        }
    }

    /// Sends whole requests for a server in plain HTTP, and opens a tunnel (`CONNECT`) to one with TLS.
    fn through<C>(self, config: &Config, connector: C) -> kube::Result<Client>
    where
        C: Service<Uri> + Clone + Send + Sync + 'static,
        C::Response: Connection + Read + Write + Send + Unpin + 'static,
        C::Future: Send + 'static,
        C::Error: Into<BoxError>,
    {
        if config.cluster_url.scheme_str() == Some("http") {
            return client(config, ForwardProxy { proxy: self.uri, connector }, self.basic);
        }
        let tunnel = Tunnel::new(self.uri, connector);
        client(config, if let Some(basic) = self.basic { tunnel.with_auth(basic) } else { tunnel }, None)
    }
}

/// A client over this connector. `login` is the proxy's authorization, if every request has to carry it.
fn client<C>(config: &Config, connector: C, login: Option<HeaderValue>) -> kube::Result<Client>
where
    C: Service<Uri> + Clone + Send + Sync + 'static,
    C::Response: Connection + Read + Write + Send + Unpin + 'static,
    C::Future: Send + 'static,
    C::Error: Into<BoxError>,
{
    let https = over_tls(config, connector)?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_request(move |mut request: Request<Body>| {
            if let Some(login) = &login {
                request.headers_mut().insert(PROXY_AUTHORIZATION, login.clone());
            }
            request
        })
        .map_err(BoxError::from)
        .service(http);
    Ok(Client::new(service, config.default_namespace.clone()))
}

/// Adds TLS to a connector. A CA in the kubeconfig is trusted in the way that kubectl does it.
fn over_tls<C>(config: &Config, connector: C) -> kube::Result<HttpsConnector<C>> {
    let mut tls = config.rustls_client_config()?;
    let given = config.root_cert.as_ref().filter(|_| !config.accept_invalid_certs);
    if let Some(roots) = given.and_then(|roots| GivenRoots::new(roots.iter().map(Vec::as_slice))) {
        tls.dangerous().set_certificate_verifier(Arc::new(roots));
    }
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    let name = config.tls_server_name.clone().map(ServerName::try_from).transpose();
    let name = name.map_err(|error| kube::Error::RustlsTls(RustlsTlsError::InvalidServerName(error)))?;
    Ok(match name {
        Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        None => builder,
    }
    .enable_http1()
    .wrap_connector(connector))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_environment(server: &str, set: &[(&str, &str)]) -> Option<String> {
        let server: Uri = server.parse().unwrap();
        let read = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        let found = of_environment(&server, read).unwrap().build().intercept(&server)?;
        (!is_here(&server)).then(|| found.uri().to_string())
    }

    #[test]
    fn the_environment_is_read_as_kubectl_reads_it() {
        let proxy = ("HTTPS_PROXY", "http://proxy:3128");
        let no = |names| [proxy, ("NO_PROXY", names)];
        let server = "https://api.example.com:6443";
        assert_eq!(by_environment(server, &[proxy]).as_deref(), Some("http://proxy:3128/"));
        assert_eq!(by_environment(server, &[("https_proxy", "proxy:3128")]).as_deref(), Some("http://proxy:3128/"));
        assert_eq!(by_environment(server, &[("HTTP_PROXY", "http://p:1"), ("ALL_PROXY", "http://p:1")]), None);
        for names in [
            "api.example.com:6443",
            "*.example.com",
            ".example.com:6443",
            "api.example.com",
            ".example.com",
            "example.com",
            "a, api.example.com,",
            "*",
        ] {
            assert_eq!(by_environment(server, &no(names)), None, "{names}");
        }
        for names in
            ["api.example.com:443", "*.example.org", "*example.com", "ample.com", "api.example.org", "10.0.0.0/8", ","]
        {
            assert!(by_environment(server, &no(names)).is_some(), "{names}");
        }
        assert_eq!(by_environment("https://10.1.2.3:6443", &no("10.0.0.0/8")), None);
        assert_eq!(by_environment("https://[fd00::1]:6443", &no("fd00::/8")), None);
        assert_eq!(by_environment("https://[fd00::1]:6443", &no("[fd00::1]:6443")), None);
        assert_eq!(by_environment("https://10.1.2.3", &no("10.1.2.3:443")), None);
        assert!(by_environment("https://11.1.2.3:6443", &no("10.0.0.0/8,11.1.2.4")).is_some());
        for here in ["https://localhost:6443", "https://127.0.0.1:6443", "https://[::1]:6443"] {
            assert_eq!(by_environment(here, &[proxy]), None, "{here}");
        }
    }

    #[test]
    fn the_kubeconfigs_proxy_holds_for_its_cluster_and_shows_no_password() {
        let server: Uri = "https://127.0.0.1:6443".parse().unwrap();
        let proxy = chosen(&server, Some("http://me:s3cret-word@proxy:3128".to_owned())).unwrap().unwrap();
        assert_eq!(proxy.to_string(), "http://proxy:3128");
        assert!(proxy.basic.as_ref().is_some_and(HeaderValue::is_sensitive), "the header is marked");
        assert!(!format!("{proxy:?}").contains("s3cret"), "{proxy:?}");
        for bad in ["ftp://s3cret@proxy", "http://", "http://s3cret@[", "a b"] {
            let error = chosen(&server, Some(bad.to_owned())).unwrap_err();
            assert!(error.contains("proxy") && !error.contains("s3cret"), "{error}");
        }
        assert_eq!(
            chosen(&server, Some("socks5://proxy:1080".to_owned())).unwrap().unwrap().to_string(),
            "socks5://proxy:1080"
        );
    }
}
