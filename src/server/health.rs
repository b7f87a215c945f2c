//! Whether the process is to be sent reviews.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// Says that what the process needs is there, or what is missing.
type Ready = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The process's state, and what it needs to be ready.
pub(crate) struct Health {
    state: AtomicU8,
    ready: Ready,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Health {
    /// Of a process that is ready as `ready` says.
    pub(crate) fn of(ready: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(STARTING), ready: Box::new(ready) })
    }

    /// The listeners are bound and served.
    pub(crate) fn serving(&self) {
        self.state.store(SERVING, Ordering::Relaxed);
    }

    /// The process is about to end.
    pub(crate) fn draining(&self) {
        self.state.store(DRAINING, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.load(Ordering::Relaxed) == DRAINING
    }

    /// What it is ready with (which certificate is served), or why it isn't.
    pub(crate) fn readiness(&self) -> Result<String, String> {
        match self.state.load(Ordering::Relaxed) {
            STARTING => Err("starting".to_owned()),
            DRAINING => Err("draining".to_owned()),
            _ => (self.ready)().map(|with| format!("ready; {with}")),
        }
    }
}
