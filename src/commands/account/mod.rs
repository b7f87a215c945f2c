//! `account`: is Argo CD's account fit for the Runtime, and making it so.

mod config;
mod enable;
mod verify;

pub use config::{Change, Found, Unchangeable};
pub use enable::{Enabled, enable};
pub use verify::verify;

/// Argo CD's own ConfigMap.
const CONFIG_MAP: &str = "argocd-cm";
