//! `account`: checks whether Argo CD's account fits the Runtime, and makes it fit.

mod config;
mod enable;
mod verify;

pub use config::{Change, Found, Unchangeable};
pub use enable::{Enabled, enable};
pub use verify::verify;

/// The ConfigMap of Argo CD that configures accounts.
const CONFIG_MAP: &str = "argocd-cm";
