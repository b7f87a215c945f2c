//! The process: what it is made of, and how it ends.

use super::LEASE;
use super::certificates::{CertificateReconciler, ExternalReconciler, Lifetimes};
use super::context::{Consumers, Context};
use super::metrics::ControllerMetrics;
use super::{credential, rollout};
use crate::cluster::find_owner;
use crate::cluster::leader_election::LeaderElector;
use crate::server::{AdminServer, BindError, Loops, Shutdown};
use crate::settings::Settings;
use crate::time::Seconds;
use kube::Client;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

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

/// Why the controller can't go on.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// Its listener can't be bound.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A part of it ended by itself; a bug. Better to end and be started again.
    #[error("the {0} ended unexpectedly; the log says where it panicked, if it did")]
    Ended(&'static str),
}

/// A controller whose listener is bound.
pub struct Controller {
    client: Client,
    options: Options,
    settings: Settings,
    metrics: Arc<ControllerMetrics>,
    admin: AdminServer,
    loops: Loops,
}

impl Controller {
    /// Binds the listener.
    ///
    /// # Errors
    /// The address can't be bound.
    pub async fn bind(client: Client, options: Options, settings: Settings) -> Result<Self, ControllerError> {
        let metrics = Arc::new(ControllerMetrics::default());
        let text = Arc::clone(&metrics);
        let ready = || Ok("controller".to_owned());
        let loops = Loops::default();
        let admin = AdminServer::bind(options.admin_listen, ready, move || text.text(), loops.clone()).await?;
        Ok(Self { client, options, settings, metrics, admin, loops })
    }

    /// Where health and metrics are.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Works until it is told to end; then gives the Lease back.
    ///
    /// # Errors
    /// A part of it ended by itself.
    pub async fn run(self, mut shutdown: Shutdown) -> Result<(), ControllerError> {
        let Self { client, options, settings, metrics, admin, loops } = self;
        let options = Arc::new(options);
        let identity = identity();
        tracing::info!(admin = %admin.address(), identity, namespace = options.namespace, "controller started");
        let mut metadata = options.metadata(LEASE);
        if let Some(owner) = find_owner(&client, &options.namespace, options.service_account.as_deref()).await {
            metadata["ownerReferences"] = json!([owner]);
        }
        let (mut keeper, leadership) =
            LeaderElector::new(client.clone(), &options.namespace, LEASE, identity.clone(), metadata);
        metrics.follow(leadership.clone());
        let certificates = options.certificates;
        let context = Context {
            client,
            options,
            settings: Arc::new(settings),
            metrics,
            leadership,
            instance: identity,
            remembered: Arc::default(),
            consumers: Arc::new(watch::Sender::new(Consumers::Unknown)),
            health: Arc::default(),
            login_wanted: Arc::default(),
            loops,
        };
        let credential = Box::pin(credential::run(context.clone()));
        let pods = Box::pin(rollout::run(context.clone()));
        let work = async move {
            match certificates {
                Certificates::SelfManaged(terms) => CertificateReconciler::new(context, terms).run().await,
                Certificates::External { publish } => ExternalReconciler::new(context, publish).run().await,
            }
        };
        let mut admin = tokio::spawn(admin.run());
        // The work is dropped before the Lease is released: nothing is written after.
        let result = tokio::select! {
            () = shutdown.drain() => Ok(()),
            () = work => Err(ControllerError::Ended("keeping of certificates")),
            () = credential => Err(ControllerError::Ended("keeping of the credential")),
            () = pods => Err(ControllerError::Ended("keeping of pods in step")),
            () = keeper.keep() => Err(ControllerError::Ended("keeping of the Lease")),
            _ = &mut admin => Err(ControllerError::Ended("admin listener")),
        };
        keeper.release().await;
        admin.abort();
        tracing::info!("ended");
        result
    }
}

/// The same within one container, whose process is the only one: a restarted one carries on with the
/// Lease that it held. Two processes on one host differ.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{}", host.trim(), std::process::id())
}
