//! The webhook's server: from a socket to a decision and back.
//!
//! A review travels listener → connection → router → `core` → router → connection. [`Server`] puts
//! them together and takes them down in order.

mod admin;
mod body;
mod bounds;
mod certificate;
mod connection;
mod health;
mod listener;
pub mod panics;
mod phase;
mod refusal;
mod router;
mod server;
mod shutdown;

pub use admin::AdminServer;
pub use bounds::Bounds;
pub use certificate::{
    CertificateError, CertificateFiles, CertificateSecret, CertificateStore, DevelopmentCertificate, FilesError,
    ServingCertificate, development_certificate,
};
pub use refusal::Refusal;
pub use router::router;
pub use server::{CertificateSource, Options, ServeError, Server};
pub use shutdown::{Shutdown, Trigger};
