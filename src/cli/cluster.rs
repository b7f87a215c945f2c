//! The flags that choose the cluster, as in kubectl.

use super::output::Failure;
use super::parse::Maybe;
use argocd_auth_webhook::cluster::{Cause, Choice, ClusterError};
use argocd_auth_webhook::commands::context::ContextError;
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Which cluster")]
pub struct ClusterArgs {
    /// The Runtime's namespace; by default the context's
    #[arg(short, long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_NAMESPACE", value_parser = Maybe::namespace)]
    namespace: Option<Maybe>,
    /// Context of the kubeconfig; by default its current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// A kubeconfig, in place of KUBECONFIG and ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

impl ClusterArgs {
    /// The namespace, if it was given.
    pub fn namespace(&self) -> Option<String> {
        Maybe::given(self.namespace.as_ref())
    }

    pub fn choice(&self) -> Choice {
        Choice { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }

    /// Whether a kubeconfig or a context was given.
    pub const fn is_named(&self) -> bool {
        self.context.is_some() || self.kubeconfig.is_some()
    }

    /// The failure to reach the cluster: wrong usage if a kubeconfig or context was given that doesn't exist,
    /// else a problem.
    pub fn failure(&self, error: impl Into<anyhow::Error>) -> Failure {
        let error: anyhow::Error = error.into();
        let cause = match (error.downcast_ref::<ClusterError>(), error.downcast_ref::<ContextError>()) {
            (Some(error), _) | (_, Some(ContextError::Cluster(error))) => Some(&error.cause),
            _ => None,
        };
        if self.is_named() && matches!(cause, Some(Cause::Setup(_))) { Failure::usage(error) } else { error.into() }
    }
}
