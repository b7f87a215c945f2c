//! How much one client may take of the process, and for how long.

use std::time::Duration;

/// The bounds of a listener. A client that stalls, floods or speaks something else costs a slot for
/// a bounded time and nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// For the TLS handshake. Default 5 s: it takes milliseconds, and the API server's own limit
    /// for all of a call is at most 30 s.
    pub handshake_timeout: Duration,
    /// For the headers of a request, from its first byte, or from the handshake for the first one.
    /// Default 10 s: they come in one packet, so only a lost one makes it last.
    pub header_timeout: Duration,
    /// From the end of the headers to the answer, and again for sending it. Default 10 s: what the
    /// API server waits for unless a configuration says otherwise.
    pub answer_timeout: Duration,
    /// For a connection between two requests. Default 120 s: the API server keeps idle connections
    /// for 90 s and doesn't repeat a POST on one that was closed under it, so it has to be the one
    /// who closes.
    pub idle_timeout: Duration,
    /// Open connections, counted for each listener. Default 1024: an API server opens tens, and as
    /// many as this stay small in memory. More wait in the kernel's queue.
    pub max_connections: usize,
    /// Bytes of a body. Default 8 MiB: etcd takes objects up to 1.5 MiB, which a review can hold
    /// twice, and the API server lets requests up to 3 MiB through.
    pub max_body: usize,
    /// Bytes of the bodies of all connections that are being received. Default 64 MiB: eight of the
    /// largest, or thousands of usual ones.
    pub max_body_memory: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            max_connections: 1024,
            max_body: 8 << 20,
            max_body_memory: 64 << 20,
        }
    }
}
