//! Receiving a body within its bounds.

use super::refusal::Refusal;
use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The memory that bodies may take over all connections. A plain number: taking and giving back is
/// one atomic step, where a semaphore would take a lock.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(bytes) })
    }

    fn take(self: &Arc<Self>) -> Share {
        Share { budget: Arc::clone(self), taken: 0 }
    }
}

/// What one body takes of the budget. It is given back on drop.
#[derive(Debug)]
struct Share {
    budget: Arc<Budget>,
    taken: usize,
}

impl Share {
    fn grow_to(&mut self, bytes: usize) -> Result<(), Refusal> {
        let more = bytes.saturating_sub(self.taken);
        let subtract = |left: usize| left.checked_sub(more);
        self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, subtract).map_err(|_| Refusal::Busy)?;
        self.taken += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}

/// A body that was received whole, with the share of the budget that it takes.
#[derive(Debug)]
pub(crate) struct Received {
    bytes: Buffer,
    _share: Share,
}

#[derive(Debug)]
enum Buffer {
    /// It came in one piece and is used where it lies.
    One(Bytes),
    /// It came in several, copied together once.
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

/// Receives a body of at most `limit` bytes. An announced length over the limit is refused before
/// anything is read.
pub(crate) async fn receive(mut body: Body, limit: usize, budget: &Arc<Budget>) -> Result<Received, Refusal> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let known = body.size_hint().exact().is_some();
    let mut share = budget.take();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenBody)?.into_data() else { continue };
        let length = joined.len() + data.len();
        if length > limit {
            return Err(Refusal::TooLarge(limit));
        }
        // Charged as bytes come, not as they are announced: a client that announces much and sends
        // nothing takes nothing from others. A vector that grows can be twice as large as what is
        // in it; one of known length is not.
        share.grow_to(if known { length } else { length * 2 })?;
        if joined.is_empty() {
            if body.is_end_stream() {
                return Ok(Received { bytes: Buffer::One(data), _share: share });
            }
            // Pages that nothing is written to cost no memory.
            joined.reserve_exact(announced);
        }
        joined.extend_from_slice(&data);
    }
    Ok(Received { bytes: Buffer::Joined(joined), _share: share })
}
