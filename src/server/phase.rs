//! Where a connection is between two requests, and how long it may stay there.
//!
//! hyper's own header time-out also runs while a connection idles, so one number would have to serve
//! for both: 2 s would cut the API server's pooled connections, 120 s would let headers dribble.
//! Here a connection is told apart by what is noticed beside hyper: the first byte after idling and
//! the end of sending by the stream, a request and its response by the service.

use super::bounds::Bounds;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant;

const HANDSHAKE: u8 = 0;
/// After the handshake, before the first byte.
const FRESH: u8 = 1;
const IDLE: u8 = 2;
const HEAD: u8 = 3;
const HANDLING: u8 = 4;
const SENDING: u8 = 5;
/// After the last answer.
const LINGERING: u8 = 6;
/// Its place is needed for another; nothing that it does counts any more.
const CUT: u8 = 7;

/// A request is on its way for milliseconds. One that took this long has a client that stalls, or a
/// network that lost the same packet twice.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// A handshake takes milliseconds too, and so does what follows it.
const MIN_AGE: Duration = Duration::from_millis(50);

/// A connection's phase. One task changes it, but for the end, which whoever needs its place may
/// bring on.
#[derive(Debug)]
pub(crate) struct Phase {
    opened: Instant,
    state: AtomicU8,
    /// When the phase began, in milliseconds after `opened`.
    begun: AtomicU64,
    /// When it has to be over.
    due: AtomicU64,
    limits: [Duration; 6],
    reviewed: AtomicBool,
    asked_to_leave: AtomicBool,
    cut: Notify,
}

/// What a connection's place is used for, seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Shaking hands, for so long.
    Handshake(Duration),
    /// Without a request, and it never carried a review.
    Useless(u8, Duration),
    /// Between two reviews.
    Idle(Duration),
    /// A request is on its way.
    Busy,
    /// A request was on its way for longer than any takes.
    Stalled(u8, Duration),
    /// It ends.
    Leaving,
}

impl Standing {
    /// How readily its place can be taken: the higher, the more so. `None` where it can't.
    pub(crate) const fn idleness(self) -> Option<(u8, Duration)> {
        match self {
            Self::Handshake(since) | Self::Useless(_, since) => Some((2, since)),
            Self::Idle(since) => Some((1, since)),
            Self::Stalled(_, since) => Some((0, since)),
            Self::Busy | Self::Leaving => None,
        }
    }

    /// Whether its first request can't be expected yet.
    pub(crate) fn is_young(self) -> bool {
        matches!(self, Self::Handshake(since) | Self::Useless(FRESH, since) if since < MIN_AGE)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Phase {
    /// A connection that was just accepted.
    pub(crate) fn new(bounds: &Bounds) -> Arc<Self> {
        let Bounds { handshake_timeout, header_timeout, answer_timeout: answer, idle_timeout, .. } = *bounds;
        // Whoever opens connections in silence must not hold their places as long as one that was of
        // use. Handling has twice its time, so that the handler's own answer (a 408) comes first.
        let limits = [handshake_timeout, header_timeout, idle_timeout, header_timeout, answer * 2, answer];
        let phase = Self {
            opened: Instant::now(),
            state: AtomicU8::new(HANDSHAKE),
            begun: AtomicU64::new(0),
            due: AtomicU64::new(milliseconds(handshake_timeout)),
            limits,
            reviewed: AtomicBool::new(false),
            asked_to_leave: AtomicBool::new(false),
            cut: Notify::new(),
        };
        Arc::new(phase)
    }

    fn enter(&self, state: u8) {
        let now = self.opened.elapsed();
        let limit = self.limits.get(usize::from(state)).copied().unwrap_or_default();
        self.due.store(milliseconds(now.saturating_add(limit)), Ordering::Relaxed);
        self.begun.store(milliseconds(now), Ordering::Relaxed);
        // A connection that was cut stays so: its task is about to be dropped.
        let unless_cut = |before| (before != CUT).then_some(state);
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, unless_cut);
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    /// The handshake is done.
    pub(crate) fn greeted(&self) {
        self.enter(FRESH);
    }

    /// A request's headers are there.
    pub(crate) fn handling(&self) {
        self.enter(HANDLING);
    }

    /// It was a review, and is answered as one.
    pub(crate) fn reviewed(&self) {
        self.reviewed.store(true, Ordering::Relaxed);
    }

    /// Its response is there.
    pub(crate) fn sending(&self) {
        self.enter(SENDING);
    }

    /// All of the response is on its way.
    pub(crate) fn sent(&self) {
        self.enter(IDLE);
    }

    /// The last answer is sent.
    pub(crate) fn lingering(&self) {
        self.enter(LINGERING);
    }

    /// When the connection is to be cut, unless it goes on.
    #[expect(clippy::arithmetic_side_effects, reason = "an Instant holds any u64 of milliseconds")]
    pub(crate) fn deadline(&self) -> Instant {
        self.opened + Duration::from_millis(self.due.load(Ordering::Relaxed))
    }

    pub(crate) fn standing(&self) -> Standing {
        let state = self.state.load(Ordering::Relaxed);
        let since = self.opened.elapsed().saturating_sub(Duration::from_millis(self.begun.load(Ordering::Relaxed)));
        match state {
            CUT => Standing::Leaving,
            HANDSHAKE => Standing::Handshake(since),
            IDLE if self.reviewed.load(Ordering::Relaxed) => Standing::Idle(since),
            FRESH | IDLE | LINGERING => Standing::Useless(state, since),
            _ if since > STALL_TIMEOUT => Standing::Stalled(state, since),
            _ => Standing::Busy,
        }
    }

    /// Ends the connection, unless it has gone on since it was seen like this. Says whether it did.
    pub(crate) fn cut(&self, seen: Standing) -> bool {
        let state = match seen {
            Standing::Handshake(_) => HANDSHAKE,
            Standing::Useless(state, _) | Standing::Stalled(state, _) => state,
            Standing::Idle(_) => IDLE,
            Standing::Busy | Standing::Leaving => return false,
        };
        let cut = self.state.compare_exchange(state, CUT, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if cut {
            self.cut.notify_one();
        }
        cut
    }

    /// Waits until the connection is cut.
    pub(crate) async fn until_cut(&self) {
        self.cut.notified().await;
    }

    /// The connection is to end with the answer to its request.
    pub(crate) fn ask_to_leave(&self) {
        self.asked_to_leave.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked_to_leave(&self) -> bool {
        self.asked_to_leave.load(Ordering::Relaxed)
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
        if buf.filled().len() > before && (self.phase.is(IDLE) || self.phase.is(FRESH)) {
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
            self.phase.sent();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
