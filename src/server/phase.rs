//! The phase of a connection and its deadline.
//!
//! hyper's header timeout also runs while a connection is idle, so one value would have to serve for both: 2
//! s would close the API server's pooled connections, 120 s would let headers dribble. Here the phases are
//! told apart beside hyper: the stream notices the first byte after idling and the end of sending, the
//! service a request and its response.

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
/// After the handshake, before the first byte of a request.
const FRESH: u8 = 1;
const IDLE: u8 = 2;
const HEAD: u8 = 3;
const HANDLING: u8 = 4;
const SENDING: u8 = 5;
/// After the last answer, reading what the client still sends.
const LINGERING: u8 = 6;
/// Its slot was taken for another connection; whatever it does has no effect.
const CUT: u8 = 7;

/// How long a request may be in transit before its connection counts as stalled. It takes milliseconds unless
/// the client stalls or the network loses the same packet twice.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a connection without a request is protected: handshake and first request take milliseconds.
const MIN_AGE: Duration = Duration::from_millis(50);

/// The phase of one connection. Only the connection's task advances it, except to [`CUT`], which is set by
/// whoever takes its slot.
#[derive(Debug)]
pub(crate) struct Phase {
    opened: Instant,
    state: AtomicU8,
    /// When the phase began, in milliseconds since `opened`.
    begun: AtomicU64,
    /// The deadline of the phase, in milliseconds since `opened`.
    due: AtomicU64,
    limits: [Duration; 6],
    reviewed: AtomicBool,
    asked_to_leave: AtomicBool,
    cut: Notify,
}

/// What a connection uses its slot for, as seen by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In the handshake, for this long.
    Handshake(Duration),
    /// Without a request for this long, and it never carried a review.
    Useless(u8, Duration),
    /// Between two reviews, for this long.
    Idle(Duration),
    /// A request is being received, handled or answered.
    Busy,
    /// A request is in transit for longer than [`STALL_TIMEOUT`].
    Stalled(u8, Duration),
    /// Its slot was taken already.
    Leaving,
}

impl Standing {
    /// How readily the slot can be taken: the highest first. `None` if it can't.
    pub(crate) const fn idleness(self) -> Option<(u8, Duration)> {
        match self {
            Self::Handshake(since) | Self::Useless(_, since) => Some((2, since)),
            Self::Idle(since) => Some((1, since)),
            Self::Stalled(_, since) => Some((0, since)),
            Self::Busy | Self::Leaving => None,
        }
    }

    /// Whether the client can't be expected to have sent its first request yet.
    pub(crate) fn is_young(self) -> bool {
        matches!(self, Self::Handshake(since) | Self::Useless(FRESH, since) if since < MIN_AGE)
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Phase {
    /// The phase of a connection that was just accepted.
    pub(crate) fn new(bounds: &Bounds) -> Arc<Self> {
        let Bounds { handshake_timeout, header_timeout, answer_timeout: answer, idle_timeout, .. } = *bounds;
        // A connection that never carried a review must not hold a slot as long as one that did. Handling has
        // twice its limit, so that the handler's own timeout (a 408) comes first.
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
        // A connection that was cut stays cut: its task is about to be dropped.
        let unless_cut = |before| (before != CUT).then_some(state);
        let _ = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, unless_cut);
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    /// Records that the handshake is done.
    pub(crate) fn greeted(&self) {
        self.enter(FRESH);
    }

    /// Records that a request's headers have arrived.
    pub(crate) fn handling(&self) {
        self.enter(HANDLING);
    }

    /// Records that the connection carried a review and answered it.
    pub(crate) fn reviewed(&self) {
        self.reviewed.store(true, Ordering::Relaxed);
    }

    /// Records that a response is ready to be sent.
    pub(crate) fn sending(&self) {
        self.enter(SENDING);
    }

    /// Records that the response was sent completely.
    pub(crate) fn sent(&self) {
        self.enter(IDLE);
    }

    /// Records that the last answer was sent.
    pub(crate) fn lingering(&self) {
        self.enter(LINGERING);
    }

    /// When the connection is cut, unless its phase changes before.
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

    /// Cuts the connection, unless its phase has changed since it was `seen`. Returns whether it was cut.
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

    /// Asks for the connection to be closed with its current or next answer.
    pub(crate) fn ask_to_leave(&self) {
        self.asked_to_leave.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked_to_leave(&self) -> bool {
        self.asked_to_leave.load(Ordering::Relaxed)
    }
}

/// A stream that tells the phase when bytes arrive and when a response has been sent.
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
        // hyper flushes the stream once it has written everything.
        if self.phase.is(SENDING) {
            self.phase.sent();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
