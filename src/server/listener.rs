//! A listening socket and its connections.

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

/// The delay after a failed accept. It fails when process or host have no file descriptors left, and retrying
/// at once would take the CPU that is needed to free some.
const ACCEPT_DELAY: Duration = Duration::from_millis(100);
/// How long accepting may fail before the process counts as stalled. Descriptors become free as connections
/// end, each within its limits.
pub(crate) const MAX_ACCEPT_SILENCE: Duration = Duration::from_mins(1);
/// The kernel's buffers of a connection, which count as the container's memory. They would grow to megabytes;
/// these sizes hold a review, and are ample where a round trip takes less than a millisecond.
const RECEIVE_BUFFER_BYTES: u32 = 32 << 10;
const SEND_BUFFER_BYTES: u32 = 16 << 10;
const BACKLOG: u32 = 1024;

/// An address can't be bound.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {error}; is it taken, or the port below 1024?")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// The system's error.
    pub error: io::Error,
}

/// Binds an address and returns the actual one: for port 0 the system chooses the port.
///
/// # Errors
/// The address can't be bound.
pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), BindError> {
    let failed = |error| BindError { address, error };
    let socket = bind_any(address).map_err(failed)?;
    let bound = socket.local_addr().map_err(failed)?;
    Ok((socket, bound))
}

/// If `[::]` can't be bound because the host has no IPv6, binds `0.0.0.0`.
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
    // Accepted connections inherit these sizes.
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What to bind instead. Linux reports a missing protocol as one of two errors: no such address (IPv6 is
/// disabled), or no such address family (IPv6 isn't built in), which has no `ErrorKind`.
fn without_ipv6(address: SocketAddr, error: io::ErrorKind) -> Option<SocketAddr> {
    let named = [io::ErrorKind::AddrInUse, io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput];
    let any = address.is_ipv6() && address.ip().is_unspecified();
    (any && !named.contains(&error)).then(|| SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port())))
}

/// A bound listener with everything that its connections need.
pub(crate) struct Listener {
    pub socket: TcpListener,
    /// `None` serves plain HTTP.
    pub tls: Option<TlsAcceptor>,
    pub router: Router,
    pub bounds: Arc<Bounds>,
    pub health: Arc<Health>,
    pub metrics: ConnectionMetrics,
    pub address: SocketAddr,
    pub progress: Progress,
}

impl Listener {
    /// Accepts and serves connections until `closing` becomes true. Then closes the socket and waits, for a
    /// bounded time, until connections have finished their requests.
    pub(crate) async fn run(self, closing: watch::Receiver<bool>) {
        let mut end = closing.clone();
        let slots = Slots::new(self.bounds.max_connections, self.bounds.max_handshakes);
        let mut connections = JoinSet::new();
        let mut beats = interval(MAX_ACCEPT_SILENCE / 4);
        let failing = AtomicBool::new(false);
        // A connection that was accepted and waits for a slot.
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
        // Connections have their own limits; this one covers what those leave open.
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
            // Answers are small and complete, so waiting for more data to send only adds latency.
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

/// Accepts until it succeeds. `failing` is true while it doesn't.
async fn persistent<T, F: Future<Output = io::Result<T>>>(mut accept: impl FnMut() -> F, failing: &AtomicBool) -> T {
    loop {
        match accept().await {
            Ok(accepted) => {
                failing.store(false, Ordering::Relaxed);
                return accepted;
            }
            // The client's doing, and done with.
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

/// Counts a connection as open and holds its slot, until dropped.
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
