//! The controller's process: its parts, and how it ends.

use super::LEASE;
use super::certificates::{CertificateReconciler, ExternalReconciler};
use super::consumers::Consumers;
use super::context::Context;
use super::metrics::ControllerMetrics;
use super::options::{Certificates, Options};
use super::{credential, guard, rollout};
use crate::cluster::find_owner;
use crate::cluster::leader_election::LeaderElector;
use crate::server::{AdminServer, BindError, Loops, Shutdown};
use crate::settings::Settings;
use kube::Client;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// Why the controller can't start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ControllerError {
    /// The admin listener can't be bound.
    #[error(transparent)]
    Listen(#[from] BindError),
    /// A part ended by itself, which is a bug; its name. The process had better be restarted.
    #[error("the {0} ended unexpectedly; the log says where it panicked, if it did")]
    Ended(&'static str),
}

/// A controller whose admin listener is bound.
pub struct Controller {
    client: Client,
    options: Options,
    settings: Settings,
    metrics: Arc<ControllerMetrics>,
    admin: AdminServer,
    loops: Loops,
}

impl Controller {
    /// Binds the admin listener.
    ///
    /// # Errors
    /// [`ControllerError::Listen`]: the address can't be bound.
    pub async fn bind(client: Client, options: Options, settings: Settings) -> Result<Self, ControllerError> {
        let metrics = Arc::new(ControllerMetrics::default());
        let text = Arc::clone(&metrics);
        let ready = || Ok("controller".to_owned());
        let loops = Loops::default();
        let admin = AdminServer::bind(options.admin_listen, ready, move || text.text(), loops.clone()).await?;
        Ok(Self { client, options, settings, metrics, admin, loops })
    }

    /// The bound address of the admin listener.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin.address()
    }

    /// Runs until shutdown, then gives up the Lease.
    ///
    /// # Errors
    /// [`ControllerError::Ended`]: a part ended by itself.
    pub async fn run(self, mut shutdown: Shutdown) -> Result<(), ControllerError> {
        let Self { client, options, settings, metrics, admin, loops } = self;
        let options = Arc::new(options);
        let identity = identity();
        tracing::info!(admin = %admin.address(), identity, namespace = options.namespace, "controller started");
        let owner = find_owner(&client, &options.namespace, options.service_account.as_deref()).await;
        let (mut elector, leadership) =
            LeaderElector::new(client.clone(), &options.namespace, identity.clone(), options.metadata(LEASE), owner);
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
            published: Arc::default(),
            consumers: Arc::new(watch::Sender::new(Consumers::Unknown)),
            health: Arc::default(),
            login_wanted: Arc::default(),
            loops,
        };
        let credential = Box::pin(credential::run(context.clone()));
        let pods = Box::pin(rollout::run(context.clone()));
        let guard = Box::pin(guard::run(context.clone()));
        let work = async move {
            match certificates {
                Certificates::SelfManaged(terms) => CertificateReconciler::new(context, terms).run().await,
                Certificates::External { publish } => ExternalReconciler::new(context, publish).run().await,
            }
        };
        let mut admin = tokio::spawn(admin.run());
        // The parts are dropped before the Lease is given up, so nothing is written afterwards.
        let result = tokio::select! {
            () = shutdown.drain() => Ok(()),
            () = work => Err(ControllerError::Ended("keeping of certificates")),
            () = credential => Err(ControllerError::Ended("keeping of the credential")),
            () = pods => Err(ControllerError::Ended("keeping of pods in step")),
            () = guard => Err(ControllerError::Ended("keeping of objects")),
            () = elector.run() => Err(ControllerError::Ended("keeping of the Lease")),
            _ = &mut admin => Err(ControllerError::Ended("admin listener")),
        };
        elector.release().await;
        admin.abort();
        tracing::info!("ended");
        result
    }
}

/// The identity of the Lease's holder. Stable within a container, so that a restarted process carries on with
/// its Lease; two processes on one host have different ones.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}_{}", host.trim(), std::process::id())
}
