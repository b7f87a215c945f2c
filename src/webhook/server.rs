//! The webhook's server: its parts, and the order in which they start and stop.

use super::certificate::{CertificateFiles, CertificateSecret, CertificateStore, FilesError, ServingCertificate};
use super::router::router;
use crate::core::Injector;
use crate::server::{BindError, Bounds, Health, Listener, Loops, MAX_ACCEPT_SILENCE, Shutdown, admin_router, bind};
use crate::telemetry::metrics::{ConnectionMetrics, Metrics};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// The source of the serving certificate.
#[derive(Debug)]
pub enum CertificateSource {
    /// Two files, polled for changes.
    Files(CertificateFiles),
    /// This certificate, for the life of the process.
    Fixed(Box<ServingCertificate>),
    /// A Secret, watched for changes. The server isn't ready before there is one.
    Secret(CertificateSecret),
    /// Stored later through [`Server::certificates`]. The server isn't ready before.
    Later,
}

/// The server's options.
#[derive(Debug)]
pub struct Options {
    /// The address of the webhook's listener (HTTPS). With port 0 the system chooses the port.
    pub listen: SocketAddr,
    /// The address of the admin listener (plain HTTP): health and metrics.
    pub admin_listen: SocketAddr,
    /// The source of the serving certificate.
    pub certificate: CertificateSource,
    /// The limits of the webhook's listener. The admin listener has its own.
    pub bounds: Bounds,
    /// How long to go on serving after readiness fails. Commands default to 10 s: a cluster takes a few
    /// seconds to stop sending requests to an endpoint that isn't ready.
    pub drain_delay: Duration,
}

/// Why the server can't start or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener's address can't be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The certificate's files can't be used.
    #[error(transparent)]
    Certificate(#[from] FilesError),
    /// rustls rejects the configuration, which is a bug.
    #[error("can't set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A part of the server ended by itself, which is a bug; its name. The process had better be restarted
    /// than go on without it.
    #[error("the {0} ended unexpectedly; the log says where it panicked, if it did")]
    Ended(&'static str),
}

/// A part of the server, running until the end.
type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A server whose listeners are bound and whose certificate is loaded.
pub struct Server {
    address: SocketAddr,
    admin_address: SocketAddr,
    webhook: Listener,
    admin: Listener,
    certificates: Arc<CertificateStore>,
    /// Follows the certificate's source; `None` if the certificate is fixed or stored by others.
    follow: Option<Task>,
    drain_delay: Duration,
}

const WEBHOOK: &str = "webhook listener";
const ADMIN: &str = "admin listener";
const FOLLOW: &str = "reading of the serving certificate";
/// How long one reading of the certificate may take before the process counts as stalled. A hanging file
/// system may recover, and the certificate in use is valid for longer.
const MAX_READING: Duration = Duration::from_mins(5);

impl Server {
    /// Loads the certificate and binds both listeners. Connections wait in the kernel until [`Server::run`].
    ///
    /// # Errors
    /// The certificate's files can't be used, or an address can't be bound.
    pub async fn bind(options: Options, injector: Injector) -> Result<Self, ServeError> {
        let Options { listen, admin_listen, certificate, bounds, drain_delay } = options;
        let metrics = Arc::new(Metrics::new(injector.services().map(|service| service.name.as_str())));
        let certificates = Arc::new(CertificateStore::new(metrics.certificate.clone()));
        let loops = Loops::default();
        let follows = || loops.register(FOLLOW, MAX_READING);
        let mut follow: Option<Task> = None;
        match certificate {
            CertificateSource::Files(files) => {
                follow = Some(Box::pin(files.keep(Arc::clone(&certificates), follows())?));
            }
            CertificateSource::Fixed(certificate) => certificates.store(*certificate),
            CertificateSource::Secret(secret) => {
                follow = Some(Box::pin(secret.keep(Arc::clone(&certificates), follows())));
            }
            CertificateSource::Later => {}
        }
        let tls = TlsAcceptor::from(Arc::new(tls(Arc::clone(&certificates))?));
        let (socket, address) = bind(listen).await?;
        let (admin_socket, admin_address) = bind(admin_listen).await?;

        let health = health(Arc::clone(&certificates));
        let shared = Arc::new(bounds.clone());
        let webhook = Listener {
            socket,
            tls: Some(tls),
            router: router(injector, Arc::clone(&metrics), bounds),
            bounds: shared,
            health: Arc::clone(&health),
            metrics: metrics.connections.clone(),
            address,
            progress: loops.register(WEBHOOK, MAX_ACCEPT_SILENCE),
        };
        let admin = Listener {
            socket: admin_socket,
            tls: None,
            progress: loops.register(ADMIN, MAX_ACCEPT_SILENCE),
            router: admin_router(Arc::clone(&health), move || metrics.text(), loops),
            bounds: Arc::new(Bounds::admin()),
            health,
            metrics: ConnectionMetrics::default(),
            address: admin_address,
        };
        Ok(Self { address, admin_address, webhook, admin, certificates, follow, drain_delay })
    }

    /// The bound address of the webhook's listener. If port 0 was asked for, the system chose the port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bound address of the admin listener.
    #[must_use]
    pub const fn admin_address(&self) -> SocketAddr {
        self.admin_address
    }

    /// The store of the certificate being served, into which a new one can be put at any time.
    #[must_use]
    pub fn certificates(&self) -> Arc<CertificateStore> {
        Arc::clone(&self.certificates)
    }

    /// Serves until shutdown. Then readiness fails at once, while requests and new connections are still
    /// served for the drain delay; then the socket is closed and requests in flight are finished. The admin
    /// listener serves until the end.
    ///
    /// # Errors
    /// [`ServeError::Ended`]: a part of the server ended by itself.
    pub async fn run(self, mut shutdown: Shutdown) -> Result<(), ServeError> {
        let Self { address, admin_address, webhook, admin, follow, drain_delay, .. } = self;
        let (close, closing) = watch::channel(false);
        // The admin listener ends only with the process.
        let (_open, never) = watch::channel(false);
        let health = Arc::clone(&webhook.health);
        let mut parts = Parts::default();
        parts.start(WEBHOOK, webhook.run(closing));
        parts.start(ADMIN, admin.run(never));
        if let Some(follow) = follow {
            parts.start(FOLLOW, follow);
        }
        health.serving();
        tracing::info!(%address, admin = %admin_address, "serving");

        let mut at_once = shutdown.clone();
        let drained = async {
            tokio::select! {
                () = shutdown.drain() => {}
                ended = parts.first_to_end() => return Err(ServeError::Ended(ended)),
            }
            health.draining();
            tracing::info!(delay = ?drain_delay, "draining");
            tokio::select! {
                () = sleep(drain_delay) => {}
                ended = parts.first_to_end() => return Err(ServeError::Ended(ended)),
            }
            close.send_replace(true);
            match parts.first_to_end().await {
                WEBHOOK => Ok(()),
                ended => Err(ServeError::Ended(ended)),
            }
        };
        let result = tokio::select! {
            result = drained => result,
            () = at_once.now() => Ok(()),
        };
        tracing::info!("ended");
        result
    }
}

/// Health that is ready while there is a certificate.
fn health(certificates: Arc<CertificateStore>) -> Arc<Health> {
    Health::of(move || match certificates.current() {
        Some(certificate) => Ok(format!("serving certificate {certificate}")),
        None => Err(match certificates.waiting_for() {
            Some(what) => format!("no serving certificate: {what}"),
            None => "no serving certificate".to_owned(),
        }),
    })
}

/// The TLS configuration: 1.2 and 1.3, without session resumption. An API server opens few connections and
/// keeps them, so resumption would only cost memory.
fn tls(certificates: Arc<CertificateStore>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Tasks that must not end before the server does; dropped, they are aborted.
#[derive(Default)]
struct Parts {
    tasks: JoinSet<()>,
    names: Vec<(Id, &'static str)>,
}

impl Parts {
    fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.names.push((self.tasks.spawn(task).id(), name));
    }

    async fn first_to_end(&mut self) -> &'static str {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => Some(id),
            Some(Err(error)) => Some(error.id()),
            None => None,
        };
        self.names.iter().find(|(known, _)| Some(*known) == id).map_or("server", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_or_panics_is_named() {
        for panics in [false, true] {
            let mut parts = Parts::default();
            parts.start(WEBHOOK, std::future::pending());
            parts.start(FOLLOW, async move { assert!(!panics) });
            parts.start(ADMIN, std::future::pending());
            assert_eq!(parts.first_to_end().await, FOLLOW);
        }
    }
}
