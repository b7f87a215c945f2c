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
    /// Default 2 s: they come in one packet, so only a lost one makes it last.
    pub header_timeout: Duration,
    /// From the end of the headers to the answer, and again for sending it. Default 10 s: what the
    /// API server waits for unless a configuration says otherwise.
    pub answer_timeout: Duration,
    /// For a connection between two requests. Default 120 s: the API server keeps idle connections
    /// for 90 s and doesn't repeat a POST on one that was closed under it, so it has to be the one
    /// who closes. Zero for one answer a connection.
    pub idle_timeout: Duration,
    /// Open connections, counted for each listener. Default 256: an API server opens tens, and as many
    /// as this stay small in memory, whatever each of them sends. For one more, a connection that is
    /// of no use is ended; if there is none, it waits in the kernel's queue.
    pub max_connections: usize,
    /// Connections that shake hands. Default 128: half of all, so that those who never finish don't
    /// crowd out those who have.
    pub max_handshakes: usize,
    /// Bytes of a body. Default 8 MiB: etcd takes objects up to 1.5 MiB, which a review can hold
    /// twice, and the API server lets requests up to 3 MiB through.
    pub max_body: usize,
    /// Bytes of all bodies that are being received and of all answers that aren't sent yet, but for
    /// the first 32 KiB of each, which every connection has to itself. A quarter is for bodies of up to
    /// 256 KiB alone. Default 16 MiB: with connections and the program itself the process stays below
    /// 64 MiB.
    pub max_body_memory: usize,
}

impl Bounds {
    /// Those of the admin listener: the kubelet and Prometheus ask in one packet, and a probe that
    /// waits for others' connections would end a process that is well.
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
