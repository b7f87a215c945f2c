//! The controller reconciles certificates, the credential and the rollout of pods.
//!
//! Each reconciler is a pure plan over a snapshot, and a thin loop that executes it. Only the process that
//! holds the Lease writes; the others are ready, too.

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

/// The annotation with which a person requests a rotation, on the CA Secret: `ca` or `leaf`.
pub const ROTATE: &str = "argocd-auth-webhook/rotate";

/// The name of the Lease, in the release's namespace.
pub const LEASE: &str = "argocd-auth-webhook";
