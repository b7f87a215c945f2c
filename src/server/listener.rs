//! A listening socket and the connections that come in by it.

use super::bounds::Bounds;
use super::connection;
use super::health::Health;
use crate::telemetry::metrics::ConnectionMetrics;
use axum::Router;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long to wait after a failed accept. It fails where the process or the host is out of files:
/// trying on at once would burn the processor that is needed to free some.
const BACK_OFF: Duration = Duration::from_millis(100);

/// An address can't be bound.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {error}; is it taken, or the port below 1024?")]
pub struct BindError {
    /// Which one.
    pub address: SocketAddr,
    /// What the system said.
    pub error: io::Error,
}

/// Binds an address, and says which one it became: with port 0 the system chooses.
///
/// # Errors
/// The address can't be bound.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |error| BindError { address, error };
    let socket = bind_any(address).await.map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

/// Where `[::]` can't be bound because the host has no IPv6, `0.0.0.0` is.
async fn bind_any(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) => match without_ipv6(address, error.kind()) {
            Some(instead) => {
                tracing::info!(%address, %instead, "this host has no IPv6");
                TcpListener::bind(instead).await
            }
            None => Err(error),
        },
        bound => bound,
    }
}

/// What to bind instead. Linux has no code for the protocol's absence but these two: no such address
/// (IPv6 is switched off) and, which Rust has no name for, no such address family (it isn't built in).
fn without_ipv6(address: SocketAddr, error: io::ErrorKind) -> Option<SocketAddr> {
    let named = [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput];
    let any = address.is_ipv6() && address.ip().is_unspecified();
    (any && !named.contains(&error)).then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

/// A bound listener with all that its connections need.
pub(crate) struct Listener {
    pub socket: TcpListener,
    /// Without it, plain HTTP.
    pub tls: Option<TlsAcceptor>,
    pub router: Router,
    pub bounds: Arc<Bounds>,
    pub health: Arc<Health>,
    pub metrics: ConnectionMetrics,
}

impl Listener {
    /// Accepts and serves until `closing` says true; then closes the socket and waits for the
    /// connections to finish what they are at, for a bounded time.
    pub(crate) async fn run(self, closing: watch::Receiver<bool>) {
        let mut end = closing.clone();
        let slots = Arc::new(Semaphore::new(self.bounds.max_connections));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                _ = end.wait_for(|closing| *closing) => break,
                Some(ended) = connections.join_next() => note(ended),
                Some((slot, stream)) = next(&self.socket, &slots) => {
                    self.metrics.accepted.inc();
                    let open = Open::new(&self.metrics, slot);
                    connections.spawn(self.connection(stream, open, closing.clone()));
                }
            }
        }
        let Self { socket, bounds, .. } = self;
        drop(socket);
        // Each connection keeps its own bounds; this one is for what they leave open.
        let finished = async {
            while let Some(ended) = connections.join_next().await {
                note(ended);
            }
        };
        if timeout(bounds.answer_timeout * 2, finished).await.is_err() {
            tracing::warn!(connections = connections.len(), "cut connections that did not finish");
        }
    }

    fn connection(
        &self,
        stream: TcpStream,
        open: Open,
        closing: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let (tls, router) = (self.tls.clone(), self.router.clone());
        let (health, bounds) = (Arc::clone(&self.health), Arc::clone(&self.bounds));
        async move {
            // Answers are small and whole; waiting for more to send with them only adds latency.
            let _ = stream.set_nodelay(true);
            let Some(tls) = tls else {
                return connection::serve(stream, router, health, &bounds, closing).await;
            };
            match timeout(bounds.handshake_timeout, tls.accept(stream)).await {
                Ok(Ok(stream)) => connection::serve(stream, router, health, &bounds, closing).await,
                Ok(Err(error)) => {
                    open.0.handshake_failures.inc();
                    tracing::debug!(%error, "a TLS handshake failed");
                }
                Err(_) => {
                    open.0.handshake_failures.inc();
                    tracing::debug!("a TLS handshake took too long");
                }
            }
        }
    }
}

/// The next connection, once there is a slot for it. It isn't accepted before: the kernel's queue is
/// the better place to wait in.
async fn next(socket: &TcpListener, slots: &Arc<Semaphore>) -> Option<(OwnedSemaphorePermit, TcpStream)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    let (stream, _) = persistent(|| socket.accept()).await;
    Some((slot, stream))
}

/// Tries until it succeeds.
async fn persistent<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F) -> T {
    loop {
        match accept().await {
            Ok(accepted) => return accepted,
            // The client's doing, and over with it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::error!(%error, "can't accept connections; trying again");
                sleep(BACK_OFF).await;
            }
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("a connection's task panicked");
    }
}

/// Counts a connection, and holds its slot, as long as it lives.
struct Open(ConnectionMetrics, #[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Open {
    fn new(metrics: &ConnectionMetrics, slot: OwnedSemaphorePermit) -> Self {
        metrics.open.inc();
        Self(metrics.clone(), slot)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn a_failed_accept_is_tried_again_after_a_while() {
        const EMFILE: i32 = 24;
        let begun = Instant::now();
        let mut results = vec![Ok(7), Err(io::ErrorKind::ConnectionAborted.into())];
        results.extend((0..3).map(|_| Err(io::Error::from_raw_os_error(EMFILE))));
        let accepted = persistent(|| std::future::ready(results.pop().unwrap())).await;
        assert_eq!(accepted, 7);
        assert_eq!(begun.elapsed(), BACK_OFF * 3, "an aborted connection is nobody's shortage");
    }

    #[test]
    fn any_address_falls_back_to_ipv4_and_keeps_its_port() {
        const EAFNOSUPPORT: i32 = 97;
        let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 10250));
        let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 10250));
        let no_family = io::Error::from_raw_os_error(EAFNOSUPPORT).kind();
        assert_eq!(without_ipv6(any, io::ErrorKind::AddrNotAvailable), Some(any_v4));
        assert_eq!(without_ipv6(any, no_family), Some(any_v4));
        assert_eq!(without_ipv6(any, io::ErrorKind::AddrInUse), None);
        let one = SocketAddr::from((Ipv6Addr::LOCALHOST, 10250));
        assert_eq!(without_ipv6(one, io::ErrorKind::AddrNotAvailable), None);
        assert_eq!(without_ipv6(any_v4, io::ErrorKind::AddrNotAvailable), None);
    }
}
