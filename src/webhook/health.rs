//! Whether the process is to be sent reviews.

use super::certificate::CertificateStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const STARTING: u8 = 0;
const SERVING: u8 = 1;
const DRAINING: u8 = 2;

/// The process's state, and the certificate without which it isn't ready.
#[derive(Debug)]
pub(crate) struct Health {
    state: AtomicU8,
    certificates: Arc<CertificateStore>,
}

impl Health {
    pub(crate) fn new(certificates: Arc<CertificateStore>) -> Arc<Self> {
        Arc::new(Self { state: AtomicU8::new(STARTING), certificates })
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

    /// Which certificate is served, or why nothing is.
    pub(crate) fn readiness(&self) -> Result<String, &'static str> {
        match self.state.load(Ordering::Relaxed) {
            STARTING => Err("starting"),
            DRAINING => Err("draining"),
            _ => match self.certificates.current() {
                Some(certificate) => Ok(format!("ready; serving certificate {certificate}")),
                None => Err("no serving certificate"),
            },
        }
    }
}
