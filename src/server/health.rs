//! Whether the process is ready for requests.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// Gives the text of `/readyz`, or what is missing.
type Ready = Box<dyn Fn() -> Result<String, String> + Send + Sync>;

/// The stage of the process, and its condition for being ready.
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
    /// The health of a starting process that is ready when `ready` says so.
    pub(crate) fn of(ready: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(STARTING), ready: Box::new(ready) })
    }

    /// Records that the listeners are bound and being served.
    pub(crate) fn serving(&self) {
        self.state.store(SERVING, Ordering::Relaxed);
    }

    /// Records that the process is about to end; it is never ready again.
    pub(crate) fn draining(&self) {
        self.state.store(DRAINING, Ordering::Relaxed);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state.load(Ordering::Relaxed) == DRAINING
    }

    /// The text of `/readyz`, such as which certificate is served, or why the process isn't ready.
    pub(crate) fn readiness(&self) -> Result<String, String> {
        match self.state.load(Ordering::Relaxed) {
            STARTING => Err("starting".to_owned()),
            DRAINING => Err("draining".to_owned()),
            _ => (self.ready)().map(|with| format!("ready; {with}")),
        }
    }
}
