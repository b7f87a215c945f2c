//! The controller: what keeps the webhook going, the credential valid and the pods in step.
//!
//! Each part is a pure plan and a thin loop that carries it out. One process writes, the one that
//! holds the Lease; every process is ready without it.

pub mod certificates;
mod context;
mod credential;
mod metrics;
pub mod pods;
mod run;
mod state;
mod status;

pub use context::{Consumers, Context};
pub use metrics::ControllerMetrics;
pub use run::{Certificates, Controller, ControllerError, Options};

/// The annotation with which a person asks for a rotation, on the CA Secret: `ca` or `leaf`.
pub const ROTATE: &str = "argocd-auth-webhook/rotate";

/// The name of the Lease.
pub const LEASE: &str = "argocd-auth-webhook";
