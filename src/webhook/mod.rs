//! The webhook's server: from a socket to a decision and back.
//!
//! A review travels listener → connection → router → `core` → router → connection. [`Server`] puts
//! them together and takes them down in order.

mod body;
mod certificate;
pub mod panics;
mod refusal;
mod router;
mod server;

pub use certificate::{
    CertificateError, CertificateFiles, CertificateSecret, CertificateStore, DevelopmentCertificate, FilesError,
    ServingCertificate, development_certificate,
};
pub use refusal::Refusal;
pub use router::router;
pub use server::{CertificateSource, Options, ServeError, Server};
