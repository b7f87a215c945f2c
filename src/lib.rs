//! Gives the services of a Codefresh GitOps Runtime their Argo CD credentials as their pods are
//! created.
//!
//! [`core`] decides, purely; [`settings`] reads what it decides by; every other module is one edge.
//! `docs/architecture.md` says which module may know what.

#![warn(missing_docs)]
// Only of instants and durations, as .clippy.toml says.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod argocd;
pub mod cluster;
pub mod commands;
pub mod controller;
pub mod core;
pub mod drift;
pub mod pki;
pub mod resolve;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod time;
pub mod webhook;
pub mod webhook_probe;
mod yaml;
