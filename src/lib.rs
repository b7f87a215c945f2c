//! Gives the services of a Codefresh GitOps Runtime their Argo CD credentials as their pods are
//! created.
//!
//! [`core`] decides, purely; [`settings`] reads what it decides by; every other module is one edge.
//! `docs/architecture.md` says which module may know what.

#![warn(missing_docs)]

pub mod argocd;
pub mod cluster;
pub mod controller;
pub mod core;
pub mod demo;
pub mod doctor;
pub mod inject;
pub mod pki;
pub mod pods;
pub mod proof;
pub mod settings;
pub mod telemetry;
pub mod webhook;
mod yaml;
