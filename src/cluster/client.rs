//! The way to the API server.

use super::error::{Cause, ClusterError};
use kube::{Client, Config};
use std::time::Duration;

/// For a connection. The API server is in the same network, or it isn't there.
const CONNECT: Duration = Duration::from_secs(5);

/// A client by `KUBECONFIG` or `~/.kube/config`, else by the pod's ServiceAccount. `context` is one
/// of the kubeconfig, in place of its current one.
///
/// # Errors
/// There is neither, or one that can't be read.
pub async fn client(context: Option<&str>) -> Result<Client, ClusterError> {
    let failed = |reason: String| ClusterError {
        what: "finding the cluster, by KUBECONFIG, ~/.kube/config or the pod's ServiceAccount".to_owned(),
        cause: Cause::Setup(reason),
    };
    let config = match context {
        None => Config::infer().await.map_err(|error| failed(error.to_string())),
        Some(context) => {
            let options = kube::config::KubeConfigOptions { context: Some(context.to_owned()), ..Default::default() };
            Config::from_kubeconfig(&options).await.map_err(|error| failed(error.to_string()))
        }
    };
    let mut config = config?;
    config.connect_timeout = Some(CONNECT);
    // Whoever calls decides when to try again. To an eviction, 429 is an answer: a disruption budget.
    config.default_retry = false;
    Client::try_from(config).map_err(|error| failed(error.to_string()))
}
