//! The controller reconciles certificates, the credential and the pods.
//!
//! Each part is a pure plan over a snapshot, and a thin loop that executes it. One process writes, the one that
//! holds the Lease; every process is ready without it.

pub mod certificates;
mod consumers;
mod context;
mod credential;
mod driver;
mod guard;
mod health;
mod metrics;
mod options;
mod process;
pub mod rollout;
#[cfg(test)]
mod scripted;
mod state;
mod status;

pub use consumers::Consumers;
pub use context::Context;
pub use health::{CredentialHealth, Examined, Health, ValueId};
pub use metrics::ControllerMetrics;
pub use options::{Certificates, Options};
pub use process::{Controller, ControllerError};

/// The annotation with which a person asks for a rotation, on the CA Secret: `ca` or `leaf`.
pub const ROTATE: &str = "argocd-auth-webhook/rotate";

/// The name of the Lease.
pub const LEASE: &str = "argocd-auth-webhook";
