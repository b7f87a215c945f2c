//! X.509: certificates are created, parsed, verified and read from servers.
//!
//! Knows nothing of Kubernetes.

mod algorithms;
mod authority;
mod certificate;
mod handshake;
mod verify;

pub use algorithms::{install, provider};
pub use authority::{Authority, AuthorityError, BACKDATED, Pair};
pub use certificate::{Certificate, Flaw, Id, Validity, key_fits};
pub(crate) use handshake::unchecked;
pub use handshake::{HandshakeError, chain, connect, peer_chain};
pub(crate) use verify::GivenRoots;
pub use verify::{ChainVerdict, Doubt, Refusal, judge, verifies};
