//! The controller as a process, without certificates of its own.

use crate::support::process::Process;
use std::path::Path;

/// Starts it and waits until it says where its admin listener is.
pub async fn start(kubeconfig: &Path, output: &Path, namespace: &str, config: &Path) -> Process {
    let place = ["controller", "--namespace", namespace, "--release", "hook", "--certificates", "external"];
    let more = ["--config", config.to_str().unwrap(), "--log-level", "info,argocd_auth_webhook=debug"];
    Process::start(Some(kubeconfig), output, &[&place[..], &more].concat()).await
}
