//! Connects to Argo CD: DNS, TCP, optionally a proxy, optionally TLS.

use super::base::Base;
use super::error::Cause;
use super::tls::{TlsTrust, failure};
use crate::core::text::innermost;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Uri;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::rt::{Read, Write};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower_service::Service;

/// The proxies that may be used, only ever for https URLs outside of the cluster: a password never passes a
/// proxy unencrypted.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Option<Arc<Matcher>>);

impl Proxies {
    /// Reads `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower case.
    #[must_use]
    pub fn from_env() -> Self {
        Self(Some(Arc::new(Matcher::from_env())))
    }

    /// Uses the proxy `https` except for the hosts in `no`, written as in `HTTPS_PROXY` and `NO_PROXY`.
    #[must_use]
    pub fn new(https: &str, no: &str) -> Self {
        Self(Some(Arc::new(Matcher::builder().https(https.to_owned()).no(no.to_owned()).build())))
    }

    /// Uses no proxy.
    #[must_use]
    pub fn none() -> Self {
        Self(None)
    }

    fn on_the_way_to(&self, base: &Base) -> Option<Intercept> {
        if !base.https || base.is_inside() {
            return None;
        }
        let address: Uri = format!("https://{}", base.authority()).parse().ok()?;
        self.0.as_ref()?.intercept(&address)
    }
}

/// Opens connections to one Argo CD.
#[derive(Debug)]
pub(super) struct Connector {
    base: Base,
    tls: Option<Arc<ClientConfig>>,
    /// Connect to this address instead of the base URL's host and port.
    resolve: Option<SocketAddr>,
    proxies: Proxies,
    limit: Duration,
}

pub(super) type Sender = SendRequest<Full<Bytes>>;

trait Stream: Read + Write + Send + Unpin {}
impl<T: Read + Write + Send + Unpin> Stream for T {}

impl Connector {
    pub(super) fn new(
        base: &Base,
        trust: &TlsTrust,
        resolve: Option<SocketAddr>,
        proxies: Proxies,
        limit: Duration,
    ) -> Result<Self, Cause> {
        let tls = if base.https { Some(trust.config()?) } else { None };
        Ok(Self { base: base.clone(), tls, resolve, proxies, limit })
    }

    /// Opens a connection. The time limit covers DNS, TCP, proxy, TLS and HTTP handshake together.
    pub(super) async fn connect(&self) -> Result<Sender, Cause> {
        let connecting = async {
            let stream = self.stream().await?;
            // hyper's default bound on a response's headers is more than enough.
            let (sender, connection) =
                handshake(stream).await.map_err(|error| Cause::Unreachable(error.to_string()))?;
            tokio::spawn(async move {
                // Whoever waits for an answer gets the error.
                let _ = connection.await;
            });
            Ok(sender)
        };
        tokio::time::timeout(self.limit, connecting)
            .await
            .unwrap_or_else(|_| Err(Cause::Unreachable(format!("nothing within {:?}", self.limit))))
    }

    async fn stream(&self) -> Result<Box<dyn Stream>, Cause> {
        let tcp = match (self.resolve, self.proxies.on_the_way_to(&self.base)) {
            (None, Some(proxy)) => self.through(&proxy).await?,
            (resolve, _) => {
                let address = resolve
                    .map_or_else(|| format!("{}:{}", self.base.host, self.base.port), |address| address.to_string());
                tcp(&format!("http://{address}")).await.map_err(Cause::Unreachable)?
            }
        };
        let Some(config) = &self.tls else { return Ok(Box::new(tcp)) };
        let name = self.base.host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned();
        let name = ServerName::try_from(name)
            .map_err(|_| Cause::Setup(format!("{} is no name that a certificate can have", self.base.host)))?;
        let connecting = TlsConnector::from(Arc::clone(config)).connect(name, TokioIo::new(tcp));
        let stream = connecting.await.map_err(|error| Cause::Tls(failure(&error)))?;
        Ok(Box::new(TokioIo::new(stream)))
    }

    async fn through(&self, proxy: &Intercept) -> Result<TokioIo<TcpStream>, Cause> {
        if proxy.uri().scheme_str() != Some("http") {
            let scheme = proxy.uri().scheme_str().unwrap_or_default();
            return Err(Cause::Proxy(format!("it is spoken to by {scheme}, and only http is known here")));
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), connector());
        if let Some(auth) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(auth.clone());
        }
        let target = format!("https://{}:{}", self.base.host, self.base.port);
        let target: Uri = target.parse().map_err(|_| Cause::Setup(format!("{} is no host", self.base.host)))?;
        tunnel.call(target).await.map_err(|error| Cause::Proxy(innermost(&error)))
    }
}

fn connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector
}

async fn tcp(address: &str) -> Result<TokioIo<TcpStream>, String> {
    let uri: Uri = address.parse().map_err(|_| format!("{address} is no address"))?;
    connector().call(uri).await.map_err(|error| innermost(&error))
}
