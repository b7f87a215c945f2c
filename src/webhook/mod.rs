//! The webhook's server: from a socket to a decision and back.
//!
//! A review passes listener → connection → router → `core` → router → connection. [`Server`] starts these
//! parts and stops them in order.

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
