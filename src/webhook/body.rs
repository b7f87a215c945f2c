//! Receives bodies and keeps answers within the memory budget.

use super::refusal::Refusal;
use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

/// How many bytes every connection may hold outside of the budget. Most reviews are smaller, so they get
/// through whatever other clients send.
const OWN_BYTES: usize = 32 << 10;
/// The largest body, in bytes, that may use the part of the budget from which larger ones are excluded.
pub(crate) const MAX_SMALL_BODY: usize = 256 << 10;
/// How long a body may be in transit before it counts as stalled: it takes milliseconds. A stalled body gives
/// up its memory to one that needs it.
const STALL_TIMEOUT: Duration = Duration::from_millis(500);
/// How long to wait for a stalled body to give up its memory.
const MAX_GIVE_UP: Duration = Duration::from_millis(100);

/// The memory for bodies and answers, over all connections of the listener.
#[derive(Debug)]
pub(crate) struct Budget {
    left: Mutex<Left>,
    freed: Notify,
}

#[derive(Debug)]
struct Left {
    small: usize,
    large: usize,
    receiving: Vec<Arc<Receiving>>,
}

/// A body in transit that takes part of the budget.
#[derive(Debug)]
struct Receiving {
    since: Instant,
    large: AtomicBool,
    cut: AtomicBool,
    told: Notify,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        let small = bytes / 4;
        let left = Left { small, large: bytes - small, receiving: Vec::new() };
        Arc::new(Self { left: Mutex::new(left), freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the body that has been in transit the longest, if it has stalled. Returns whether one was cut.
    fn cut_stalled(&self, large: bool) -> bool {
        let left = self.lock();
        let of_use = |body: &&Arc<Receiving>| {
            body.since.elapsed() > STALL_TIMEOUT
                && !body.cut.load(Ordering::Relaxed)
                && (!large || body.large.load(Ordering::Relaxed))
        };
        let Some(longest) = left.receiving.iter().filter(of_use).min_by_key(|body| body.since) else { return false };
        longest.cut.store(true, Ordering::Relaxed);
        longest.told.notify_one();
        true
    }
}

/// The part of the budget that one body or answer takes; given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    small: usize,
    large: usize,
    receiving: Option<Arc<Receiving>>,
}

impl Share {
    fn new(budget: &Arc<Budget>) -> Self {
        let receiving = Receiving {
            since: Instant::now(),
            large: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            told: Notify::new(),
        };
        Self { budget: Arc::clone(budget), small: 0, large: 0, receiving: Some(Arc::new(receiving)) }
    }

    /// Takes as much as this many bytes need. Returns false, without any change, if there isn't enough left.
    fn resize(&mut self, bytes: usize) -> bool {
        let mut left = self.budget.lock();
        let (small, large) = (left.small + self.small, left.large + self.large);
        let (mine, theirs) = match bytes {
            0..=OWN_BYTES => (0, 0),
            _ if bytes <= MAX_SMALL_BODY && bytes <= small => (bytes, 0),
            _ if bytes <= large => (0, bytes),
            _ => return false,
        };
        (left.small, left.large) = (small - mine, large - theirs);
        if let Some(receiving) = &self.receiving {
            receiving.large.store(theirs > 0, Ordering::Relaxed);
            if bytes > OWN_BYTES && self.small + self.large == 0 {
                left.receiving.push(Arc::clone(receiving));
            }
        }
        (self.small, self.large) = (mine, theirs);
        drop(left);
        self.budget.freed.notify_waiters();
        true
    }

    /// Like `resize`, but makes stalled bodies give up their memory if needed.
    async fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        loop {
            let budget = Arc::clone(&self.budget);
            let freed = budget.freed.notified();
            if self.resize(bytes) {
                return Ok(());
            }
            if !budget.cut_stalled(bytes > MAX_SMALL_BODY) || timeout(MAX_GIVE_UP, freed).await.is_err() {
                return Err(Refusal::Busy);
            }
        }
    }

    /// Resizes the share to an answer of this many bytes.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), Refusal> {
        if self.resize(bytes) { Ok(()) } else { Err(Refusal::Busy) }
    }

    /// Records that the body has arrived: it can't be cut any more.
    fn received(&mut self) {
        if let Some(receiving) = self.receiving.take() {
            self.budget.lock().receiving.retain(|other| !Arc::ptr_eq(other, &receiving));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.received();
        if self.small + self.large > 0 {
            let mut left = self.budget.lock();
            left.small += self.small;
            left.large += self.large;
            drop(left);
            self.budget.freed.notify_waiters();
        }
    }
}

/// A body that was received completely, with its share of the budget.
#[derive(Debug)]
pub(crate) struct Received {
    bytes: Buffer,
    share: Share,
}

#[derive(Debug)]
enum Buffer {
    /// It came in one piece, and is used in place.
    One(Bytes),
    /// It came in several pieces, which were copied together once.
    Joined(Vec<u8>),
}

impl Deref for Received {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.bytes {
            Buffer::One(bytes) => bytes,
            Buffer::Joined(bytes) => bytes,
        }
    }
}

impl Received {
    /// Drops the body and hands its share to the answer.
    pub(crate) fn into_share(self) -> Share {
        self.share
    }
}

/// An answer with its share of the budget, which is given back once the answer was written.
pub(crate) struct Answered {
    pub bytes: Vec<u8>,
    #[expect(dead_code, reason = "held for its drop")]
    pub share: Share,
}

impl AsRef<[u8]> for Answered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Receives a body of at most `limit` bytes. If the announced length exceeds the limit, nothing is read.
pub(crate) async fn receive(mut body: Body, limit: usize, budget: &Arc<Budget>) -> Result<Received, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let most = usize::try_from(body.size_hint().exact().unwrap_or(u64::MAX)).unwrap_or(usize::MAX).min(limit);
    let mut share = Share::new(budget);
    let receiving = share.receiving.clone();
    let cut = async {
        match &receiving {
            Some(receiving) => receiving.told.notified().await,
            None => std::future::pending().await,
        }
    };
    let mut cut = std::pin::pin!(cut);
    let mut joined = Vec::new();
    loop {
        let frame = tokio::select! {
            biased;
            () = &mut cut => return Err(Refusal::Busy),
            frame = body.frame() => frame,
        };
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Refusal::BrokenBody)?.into_data() else { continue };
        let length = joined.len() + data.len();
        if length > limit {
            return Err(Refusal::TooLarge(limit));
        }
        if joined.is_empty() && body.is_end_stream() {
            share.grow_to(length).await?;
            share.received();
            return Ok(Received { bytes: Buffer::One(data), share });
        }
        if length > joined.capacity() {
            // Charge bytes as they arrive, not as they are announced: a client that announces much and sends
            // nothing takes nothing from others. What is charged equals the buffer's capacity.
            let capacity = (length * 2).clamp(length.max(most.min(OWN_BYTES)), most.max(length));
            share.grow_to(capacity).await?;
            joined.reserve_exact(capacity - joined.len());
        }
        joined.extend_from_slice(&data);
    }
    share.received();
    Ok(Received { bytes: Buffer::Joined(joined), share })
}
