//! What the controller is to keep, and where.

use super::certificates::Lifetimes;
use crate::time::Seconds;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Who makes the webhook's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// This controller.
    SelfManaged(Lifetimes),
    /// Somebody else.
    External {
        /// Whether the CA in the serving Secret, if there is one, becomes `caBundle`.
        publish: bool,
    },
}

/// What to keep, and where.
#[derive(Clone, Debug)]
pub struct Options {
    /// The release's namespace.
    pub namespace: String,
    /// The first part of the names of our Secrets.
    pub release: String,
    /// The Secret with the serving certificate.
    pub serving_secret: String,
    /// The webhook's Service.
    pub service: String,
    /// Its port.
    pub service_port: u16,
    /// The webhook configuration whose `caBundle` is kept.
    pub webhook_configuration: String,
    /// Owner of what is made; without one it has none.
    pub service_account: Option<String>,
    /// Who makes the certificates.
    pub certificates: Certificates,
    /// How long a kubelet may hand out a Secret's value before, in seconds.
    pub kubelet_cache: Seconds,
    /// Plain HTTP, for health and metrics.
    pub admin_listen: SocketAddr,
}

impl Options {
    /// The Secret with the CA.
    #[must_use]
    pub fn ca_secret(&self) -> String {
        format!("{}-ca", self.release)
    }

    /// The names that the serving certificate is for.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        let Self { service, namespace, .. } = self;
        ["", ".svc", ".svc.cluster.local"]
            .map(|rest| format!("{service}.{namespace}{rest}"))
            .into_iter()
            .chain([service.clone()])
            .collect()
    }

    /// The name that API servers ask for.
    #[must_use]
    pub fn server_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// The metadata of an object of ours.
    pub(super) fn metadata(&self, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": self.namespace,
            "labels": {
                "app.kubernetes.io/name": "argocd-auth-webhook",
                "app.kubernetes.io/instance": self.release,
                "app.kubernetes.io/managed-by": "argocd-auth-webhook",
            },
        })
    }
}
