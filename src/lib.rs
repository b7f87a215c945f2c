//! Gives the services of a Codefresh GitOps Runtime their Argo CD credentials as their pods are
//! created.
//!
//! [`core`] decides, purely; [`settings`] reads what it decides by; every other module is one edge.
//! `docs/architecture.md` says which module may know what.

#![warn(missing_docs)]

pub mod access;
pub mod account;
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
pub mod report;
pub mod settings;
pub mod status;
pub mod telemetry;
pub mod terminal;
pub mod token;
pub mod webhook;
mod yaml;
