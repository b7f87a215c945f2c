//! The options of the controller: the names of what it maintains.

use super::certificates::Lifetimes;
use crate::time::Seconds;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Who creates the webhook's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// This controller, with these lifetimes.
    SelfManaged(Lifetimes),
    /// Somebody else, such as cert-manager.
    External {
        /// Whether `ca.crt` of the serving Secret, if it has one, is written into `caBundle`.
        publish: bool,
    },
}

/// The options of the controller.
#[derive(Clone, Debug)]
pub struct Options {
    /// The namespace of the release and of the Runtime.
    pub namespace: String,
    /// The release's name, with which the names of our objects begin.
    pub release: String,
    /// The name of the Secret with the serving certificate.
    pub serving_secret: String,
    /// The name of the webhook's Service.
    pub service: String,
    /// The Service's port.
    pub service_port: u16,
    /// The name of the webhook configuration whose `caBundle` is maintained.
    pub webhook_configuration: String,
    /// The ServiceAccount that owns what is created; `None` creates it without an owner.
    pub service_account: Option<String>,
    /// Who creates the certificates.
    pub certificates: Certificates,
    /// How many seconds after a change the kubelet may still hand out a Secret's former value.
    pub kubelet_cache: Seconds,
    /// The address of the admin listener (plain HTTP): health and metrics.
    pub admin_listen: SocketAddr,
}

impl Options {
    /// The name of the Secret with the CA.
    #[must_use]
    pub fn ca_secret(&self) -> String {
        format!("{}-ca", self.release)
    }

    /// The DNS names of the serving certificate.
    #[must_use]
    pub fn service_names(&self) -> Vec<String> {
        let Self { service, namespace, .. } = self;
        ["", ".svc", ".svc.cluster.local"]
            .map(|rest| format!("{service}.{namespace}{rest}"))
            .into_iter()
            .chain([service.clone()])
            .collect()
    }

    /// The DNS name by which API servers call the Service.
    #[must_use]
    pub fn server_name(&self) -> String {
        format!("{}.{}.svc", self.service, self.namespace)
    }

    /// The name, namespace and labels of an object of ours.
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
