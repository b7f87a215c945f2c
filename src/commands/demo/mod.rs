//! The command `demo`: runs the real server, and plays the API server to it.

mod api_server;
mod pods;
mod show;

use crate::core::Engine;
use crate::server::{Bounds, Shutdown, Trigger};
use crate::settings::{File, Overrides, Settings, SettingsError};
use crate::webhook::{
    CertificateError, CertificateSource, DevelopmentCertificate, Options, ServeError, Server, ServingCertificate,
    development_certificate,
};
use api_server::{ApiServer, CallError};
use pods::Sample;
use show::Page;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;

/// Why the demo can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The certificate can't be created.
    #[error("making a certificate for the demo: {0}")]
    Make(#[from] rcgen::Error),
    /// The certificate can't be used for serving.
    #[error("serving the demo's certificate: {0}")]
    Certificate(#[from] CertificateError),
    /// The server can't start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The demo's settings are invalid, which is a bug.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A review isn't answered.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The output, the files for `--stay` or the signals fail.
    #[error("{what}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
}

impl From<io::Error> for DemoError {
    fn from(error: io::Error) -> Self {
        Self::Io { what: "writing the demo's output", error }
    }
}

/// Both modes, as values in two different spellings.
const MODES: [(&str, &str); 2] = [
    (
        "Token mode: a token that a person made, in a Secret of their own",
        "global:
  external-arg-cd:
    auth:
      type: token
      tokenSecretKeyRef:
        name: argocd-admin
        key: token
",
    ),
    (
        "Password mode: a user name and a password; the API key made from them is kept in argocd-token",
        "global:
  integrations:
    argo-cd:
      server:
        auth:
          type: password
          username: admin
          passwordSecretKeyRef:
            name: argocd-admin
            key: password
",
    ),
];

/// A running server of the demo.
struct Running {
    address: SocketAddr,
    admin: SocketAddr,
    task: JoinHandle<Result<(), ServeError>>,
    trigger: Trigger,
}

/// Shows the webhook at work on `out`. With `stay` the servers go on until a signal.
///
/// # Errors
/// The server can't start, or doesn't answer as expected.
pub async fn run(out: &mut impl Write, colour: bool, stay: bool) -> Result<(), DemoError> {
    let certificate = development_certificate(&["localhost".to_owned(), "127.0.0.1".to_owned()])?;
    let mut page = Page::new(out, colour);
    page.opening()?;
    let mut running = Vec::new();
    for (title, values) in MODES {
        let server = start(values, &certificate).await?;
        let mut api_server = ApiServer::connect(server.address, &certificate.ca_pem).await?;
        page.mode(title, values, server.address)?;
        for sample in Sample::of_each_service() {
            page.sample(&sample, &api_server.create(&sample.pod).await?)?;
        }
        if running.is_empty() {
            page.left_alone()?;
            for sample in Sample::left_alone() {
                page.sample(&sample, &api_server.create(&sample.pod).await?)?;
            }
            let sample = Sample::first();
            page.on_the_wire(&api_server.create(&sample.pod).await?)?;
        }
        running.push(server);
    }
    page.closing(stay)?;
    if stay {
        let folder = keep(&certificate)?;
        for (server, (title, _)) in running.iter().zip(MODES) {
            page.serving(title, server.address, server.admin, &folder)?;
        }
        page.waiting()?;
        let waited = wait_for_a_signal().await;
        // The folder holds only what was created here; a failure leaves a temporary folder behind.
        let _ = std::fs::remove_dir_all(&folder);
        waited?;
    }
    for server in running {
        server.trigger.now();
        // It was told to end at once, so only a panic can be in the way, and panics are logged.
        let _ = server.task.await;
    }
    if stay {
        page.ended()?;
    }
    Ok(())
}

async fn start(values: &str, certificate: &DevelopmentCertificate) -> Result<Running, DemoError> {
    let settings = Settings::from_text(&File::Values(vec!["values.yaml".into()]), values, Overrides::default())?;
    let serving = ServingCertificate::from_pem(
        certificate.cert_pem.as_bytes(),
        certificate.key_pem.as_bytes(),
        SystemTime::now(),
    )?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let options = Options {
        listen: any_port,
        admin_listen: any_port,
        certificate: CertificateSource::Fixed(Box::new(serving)),
        bounds: Bounds::default(),
        drain_delay: Duration::ZERO,
    };
    let server = Server::bind(options, settings.injector(Engine::Webhook)).await?;
    let (trigger, shutdown) = Shutdown::new();
    let (address, admin) = (server.address(), server.admin_address());
    Ok(Running { address, admin, task: tokio::spawn(server.run(shutdown)), trigger })
}

/// Writes what a person needs for requests of their own: the CA's certificate and a review.
fn keep(certificate: &DevelopmentCertificate) -> Result<PathBuf, DemoError> {
    let failed = |error| DemoError::Io { what: "writing the files for requests of your own", error };
    let folder = std::env::temp_dir().join(format!("argocd-auth-webhook-demo-{}", std::process::id()));
    // An existing folder is somebody else's.
    std::fs::create_dir(&folder).map_err(failed)?;
    std::fs::write(folder.join("ca.crt"), &certificate.ca_pem).map_err(failed)?;
    let review = crate::webhook_probe::review("11111111-2222-3333-4444-555555555555", &Sample::first().pod);
    std::fs::write(folder.join("review.json"), review.to_string()).map_err(failed)?;
    Ok(folder)
}

async fn wait_for_a_signal() -> Result<(), DemoError> {
    let mut shutdown =
        Shutdown::by_signals().map_err(|error| DemoError::Io { what: "listening for signals", error })?;
    shutdown.drain().await;
    Ok(())
}
