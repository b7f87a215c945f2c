//! Serves one HTTP/1.1 connection, from its first byte to its last.

use super::bounds::Bounds;
use super::health::Health;
use super::phase::{Phase, Watched};
use crate::telemetry::logs;
use crate::telemetry::metrics::ConnectionMetrics;
use axum::Router;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

/// hyper's read buffer for one connection, which also bounds a request's headers. The API server's take less
/// than 1 KiB.
const MAX_BUFFER_BYTES: usize = 16 << 10;
/// How long to go on reading after the last answer. Closing a socket with unread bytes resets the connection,
/// and the client would lose the answer that says what it did wrong.
const LINGER_TIMEOUT: Duration = Duration::from_secs(1);

/// An extension of a response that marks its connection as useful: such a connection is kept when slots are
/// short.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Useful;

/// Serves a connection until the client closes it, it exceeds a limit, or `closing` becomes true; a request
/// that is being handled is then still answered.
pub(crate) async fn serve<S>(
    stream: S,
    router: Router,
    health: Arc<Health>,
    phase: Arc<Phase>,
    metrics: &ConnectionMetrics,
    bounds: &Bounds,
    mut closing: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    phase.greeted();
    let io = TokioIo::new(Watched::new(stream, Arc::clone(&phase)));
    let service = Noticed { router: TowerToHyperService::new(router), phase: Arc::clone(&phase), health };
    let mut http = http1::Builder::new();
    // hyper's timeout would also count idle time: see `phase.rs`.
    http.header_read_timeout(None).max_buf_size(MAX_BUFFER_BYTES).keep_alive(!bounds.idle_timeout.is_zero());
    let mut connection = http.serve_connection(io, service);
    {
        let mut alarm = pin!(sleep_until(phase.deadline()));
        // A dropped sender counts as `true`.
        let mut closing = pin!(closing.wait_for(|closing| *closing));
        let mut told = false;
        poll_fn(|context| {
            if !told && closing.as_mut().poll(context).is_ready() {
                told = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
            if let Poll::Ready(result) = connection.poll_without_shutdown(context) {
                if let Err(error) = result {
                    note(&error, metrics);
                }
                return Poll::Ready(());
            }
            if poll_deadline(alarm.as_mut(), &phase, context).is_ready() {
                tracing::debug!(?phase, "cut a connection that took too long");
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
    phase.lingering();
    let stream = connection.into_parts().io.into_inner().into_inner();
    let _ = timeout(LINGER_TIMEOUT, linger(stream)).await;
}

/// Counts and logs what hyper couldn't parse as a request: it answers by itself, so no handler sees that.
fn note(error: &hyper::Error, metrics: &ConnectionMetrics) {
    let status = match error {
        error if error.is_parse_too_large() => 431,
        error if error.is_parse() => 400,
        _ => {
            tracing::debug!(%error, "a connection broke");
            return;
        }
    };
    metrics.count_unread(status);
    if let Some(left_out) = logs::REFUSALS.pass() {
        tracing::warn!(status, reason = %error, left_out, "refused what is no request");
    }
}

/// Ready once the phase's deadline has passed. The timer is only ever moved forward; a later deadline is
/// noticed when it fires, so that a busy connection doesn't touch the timer with each request.
fn poll_deadline(mut alarm: Pin<&mut Sleep>, phase: &Phase, context: &mut Context<'_>) -> Poll<()> {
    if phase.deadline() < alarm.deadline() {
        alarm.as_mut().reset(phase.deadline());
    }
    while alarm.as_mut().poll(context).is_ready() {
        let due = phase.deadline();
        if due <= Instant::now() {
            return Poll::Ready(());
        }
        alarm.as_mut().reset(due);
    }
    Poll::Pending
}

async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    if stream.shutdown().await.is_ok() {
        let mut unread = [0; 4096];
        while stream.read(&mut unread).await.is_ok_and(|length| length > 0) {}
    }
}

/// The router, wrapped so that the connection's phase follows its requests.
struct Noticed {
    router: TowerToHyperService<Router>,
    phase: Arc<Phase>,
    health: Arc<Health>,
}

impl Service<Request<Incoming>> for Noticed {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.phase.handling();
        let (phase, health) = (Arc::clone(&self.phase), Arc::clone(&self.health));
        let handling = self.router.call(request);
        Box::pin(async move {
            let mut response = handling.await?;
            // While draining, each answer asks the client to close its connection. So no pooled connection is
            // left when the process stops, on which the next POST would meet a closed socket: the API server
            // doesn't repeat those. Likewise if the slot is needed for others, and after a refusal, since
            // such a client should hold no slot.
            let status = response.status();
            if health.is_draining() || phase.is_asked_to_leave() || status.is_client_error() || status.is_server_error()
            {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            if response.extensions_mut().remove::<Useful>().is_some() {
                phase.reviewed();
            }
            phase.sending();
            Ok(response)
        })
    }
}
