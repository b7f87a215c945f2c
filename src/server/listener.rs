//! A listening socket and the connections that come in by it.

use super::bounds::Bounds;
use super::connection;
use super::health::Health;
use super::phase::Phase;
use super::progress::Progress;
use super::slots::{Slot, Slots};
use crate::telemetry::metrics::ConnectionMetrics;
use axum::Router;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// How long to wait after a failed accept. It fails where the process or the host is out of files:
/// trying on at once would burn the processor that is needed to free some.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);
/// How long it may fail before the process is taken for one that stalls. Files that are short come
/// back with the connections that hold them, each of which ends within its bounds.
pub(crate) const MAX_ACCEPT_SILENCE: Duration = Duration::from_mins(1);
/// What the kernel keeps of a connection in either direction, which counts as the container's memory.
/// It would grow to megabytes for each; this much is a review, and ample where packets take less
/// than a millisecond.
const RECEIVE_BUFFER_BYTES: u32 = 32 << 10;
const SEND_BUFFER_BYTES: u32 = 16 << 10;
const BACKLOG: u32 = 1024;

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
    let socket = bind_any(address).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

/// Where `[::]` can't be bound because the host has no IPv6, `0.0.0.0` is.
fn bind_any(address: SocketAddr) -> io::Result<TcpListener> {
    match listen(address) {
        Err(error) => match without_ipv6(address, error.kind()) {
            Some(instead) => {
                tracing::info!(%address, %instead, "this host has no IPv6");
                listen(instead)
            }
            None => Err(error),
        },
        bound => bound,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    socket.set_reuseaddr(true)?;
    // The connections inherit them.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
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
    pub address: SocketAddr,
    pub progress: Progress,
}

impl Listener {
    /// Accepts and serves until `closing` says true; then closes the socket and waits for the
    /// connections to finish what they are at, for a bounded time.
    pub(crate) async fn run(self, closing: watch::Receiver<bool>) {
        let mut end = closing.clone();
        let slots = Slots::new(self.bounds.max_connections, self.bounds.max_handshakes);
        let mut connections = JoinSet::new();
        let mut beats = interval(MAX_ACCEPT_SILENCE / 4);
        let failing = AtomicBool::new(false);
        // Accepted, and waiting for a place.
        let mut waiting: Option<(TcpStream, SocketAddr)> = None;
        loop {
            let newcomer = waiting.as_ref().map_or(self.address.ip(), |(_, from)| from.ip());
            tokio::select! {
                _ = end.wait_for(|closing| *closing) => break,
                Some(ended) = connections.join_next() => note(ended),
                _ = beats.tick() => if !failing.load(Ordering::Relaxed) {
                    self.progress.beat();
                },
                accepted = persistent(|| self.socket.accept(), &failing), if waiting.is_none() => {
                    waiting = Some(accepted);
                }
                () = slots.room(newcomer), if waiting.is_some() => if let Some((stream, from)) = waiting.take() {
                    self.metrics.accepted.inc();
                    let slot = slots.take(from.ip(), Phase::new(&self.bounds));
                    let open = Open::new(&self.metrics, slot);
                    connections.spawn(self.connection(stream, open, closing.clone()));
                },
            }
        }
        drop(waiting);
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
            let phase = Arc::clone(open.slot.phase());
            let cut = phase.until_cut();
            let metrics = &open.metrics;
            let serving = async {
                let Some(tls) = tls else {
                    return connection::serve(stream, router, health, Arc::clone(&phase), metrics, &bounds, closing)
                        .await;
                };
                match timeout(bounds.handshake_timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        connection::serve(stream, router, health, Arc::clone(&phase), metrics, &bounds, closing).await;
                    }
                    Ok(Err(error)) => {
                        metrics.handshake_failures.inc();
                        tracing::debug!(%error, "a TLS handshake failed");
                    }
                    Err(_) => {
                        metrics.handshake_failures.inc();
                        tracing::debug!("a TLS handshake took too long");
                    }
                }
            };
            tokio::select! {
                biased;
                () = cut => {
                    metrics.displaced.inc();
                    tracing::debug!("ended a connection whose place was needed");
                }
                () = serving => {}
            }
        }
    }
}

/// Tries until it succeeds; `failing` says whether it doesn't.
async fn persistent<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F, failing: &AtomicBool) -> T {
    loop {
        match accept().await {
            Ok(accepted) => {
                failing.store(false, Ordering::Relaxed);
                return accepted;
            }
            // The client's doing, and over with it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                failing.store(true, Ordering::Relaxed);
                tracing::error!(%error, "can't accept connections; trying again");
                sleep(ACCEPT_DELAY).await;
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
struct Open {
    metrics: ConnectionMetrics,
    slot: Slot,
}

impl Open {
    fn new(metrics: &ConnectionMetrics, slot: Slot) -> Self {
        metrics.open.inc();
        Self { metrics: metrics.clone(), slot }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.open.dec();
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
        let (begun, failing) = (Instant::now(), AtomicBool::new(true));
        let mut results = vec![Ok(7), Err(io::ErrorKind::ConnectionAborted.into())];
        results.extend((0..3).map(|_| Err(io::Error::from_raw_os_error(EMFILE))));
        let accepted = persistent(|| std::future::ready(results.pop().unwrap()), &failing).await;
        assert_eq!((accepted, failing.into_inner()), (7, false));
        assert_eq!(begun.elapsed(), ACCEPT_DELAY * 3, "an aborted connection is nobody's shortage");
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
