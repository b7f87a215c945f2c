//! Limits on the time and memory that clients can take.

use std::time::Duration;

/// The limits of a listener. A client that stalls, floods or speaks another protocol costs one slot for a
/// bounded time, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time for the TLS handshake. Default 5 s: it takes milliseconds, and the API server waits at most 30 s
    /// for a webhook's whole call.
    pub handshake_timeout: Duration,
    /// Time for a request's headers, from their first byte or, for the first request, from the end of the
    /// handshake. Default 2 s: headers come in one packet, so only a lost packet delays them.
    pub header_timeout: Duration,
    /// Time from the end of the headers to the answer, and again for sending it. Default 10 s: how long the
    /// API server waits unless the webhook configuration says otherwise.
    pub answer_timeout: Duration,
    /// Time that a connection may stay open between two requests. Default 120 s: the API server keeps idle
    /// connections for 90 s and doesn't repeat a POST if the other side closes one, so it has to be the one
    /// that closes. With zero, each connection is closed after one answer.
    pub idle_timeout: Duration,
    /// Open connections of the listener. Default 256: an API server opens tens, and the memory of this many
    /// stays small, whatever they send. To admit another, a connection without use is closed; if there is
    /// none, it waits in the kernel's queue.
    pub max_connections: usize,
    /// Connections that are in the TLS handshake. Default 128, half of all, so that clients that never finish
    /// it don't crowd out those that did.
    pub max_handshakes: usize,
    /// Bytes of one body. Default 8 MiB: etcd takes objects of up to 1.5 MiB, a review can hold one twice,
    /// and the API server accepts requests of up to 3 MiB.
    pub max_body: usize,
    /// Bytes of all bodies being received and all answers not yet sent, apart from the first 32 KiB of each,
    /// which every connection has to itself. A quarter is reserved for bodies of up to 256 KiB. Default 16
    /// MiB: with connections and the program itself, the process stays below 64 MiB.
    pub max_body_memory: usize,
}

impl Bounds {
    /// The limits of the admin listener. The kubelet and Prometheus send a request in one packet, and a probe
    /// that had to wait for other connections would get a healthy process killed.
    #[must_use]
    pub const fn admin() -> Self {
        let second = Duration::from_secs(1);
        Self {
            handshake_timeout: second,
            header_timeout: second,
            answer_timeout: second,
            idle_timeout: Duration::ZERO,
            max_connections: 64,
            max_handshakes: 64,
            max_body: 0,
            max_body_memory: 0,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(2),
            answer_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_mins(2),
            max_connections: 256,
            max_handshakes: 128,
            max_body: 8 << 20,
            max_body_memory: 16 << 20,
        }
    }
}
