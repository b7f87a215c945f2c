//! Where a connection is between two requests, and how long it may stay there.
//!
//! hyper's own header time-out also runs while a connection idles, so one number would have to serve
//! for both: 10 s would cut the API server's pooled connections, 120 s would let headers dribble.
//! Here a connection is told apart by what is noticed beside hyper: the first byte after idling and
//! the end of sending by the stream, a request and its response by the service.

use super::bounds::Bounds;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const HANDLING: u8 = 2;
const SENDING: u8 = 3;

/// A connection's phase. One task reads and writes it; it is atomic only because that task may move
/// between threads.
#[derive(Debug)]
pub(crate) struct Phase {
    opened: Instant,
    state: AtomicU8,
    /// When the phase has to be over, in milliseconds after `opened`.
    due: AtomicU64,
    limits: [Duration; 4],
}

impl Phase {
    /// A connection on which nothing has come yet. It has the time of a request's head: whoever opens
    /// connections in silence must not hold their slots as long as one that was of use.
    pub(crate) fn new(bounds: &Bounds) -> Arc<Self> {
        let answer = bounds.answer_timeout;
        // Handling has twice its time, so that the handler's own answer (a 408) comes first.
        let limits = [bounds.idle_timeout, bounds.header_timeout, answer * 2, answer];
        let phase = Self { opened: Instant::now(), state: AtomicU8::new(IDLE), due: AtomicU64::new(0), limits };
        phase.enter(HEAD);
        Arc::new(phase)
    }

    fn enter(&self, state: u8) {
        let limit = self.limits.get(usize::from(state)).copied().unwrap_or_default();
        let due = self.opened.elapsed().saturating_add(limit).as_millis();
        self.due.store(u64::try_from(due).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.state.store(state, Ordering::Relaxed);
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    /// A request's headers are there.
    pub(crate) fn handling(&self) {
        self.enter(HANDLING);
    }

    /// Its response is there.
    pub(crate) fn sending(&self) {
        self.enter(SENDING);
    }

    /// When the connection is to be cut, unless it goes on.
    #[expect(clippy::arithmetic_side_effects, reason = "an Instant holds any u64 of milliseconds")]
    pub(crate) fn deadline(&self) -> Instant {
        self.opened + Duration::from_millis(self.due.load(Ordering::Relaxed))
    }
}

/// A stream that tells a phase when bytes come and when all of a response is sent.
#[derive(Debug)]
pub(crate) struct Watched<S> {
    stream: S,
    phase: Arc<Phase>,
}

impl<S> Watched<S> {
    pub(crate) const fn new(stream: S, phase: Arc<Phase>) -> Self {
        Self { stream, phase }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buf))?;
        if buf.filled().len() > before && self.phase.is(IDLE) {
            self.phase.enter(HEAD);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        // hyper flushes the stream once it has written all that it had.
        if self.phase.is(SENDING) {
            self.phase.enter(IDLE);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
