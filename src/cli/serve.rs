//! `serve`: the admission webhook.

use super::logs::{LogArgs, start_logs};
use super::output::{Failure, Outcome, runtime};
use super::parse::{bound, count, size};
use super::settings::{SettingsArgs, by_flag, logged_settings};
use anyhow::Context;
use argocd_auth_webhook::cluster::{self, Named};
use argocd_auth_webhook::core::Engine;
use argocd_auth_webhook::server::{Bounds, Shutdown};
use argocd_auth_webhook::settings::duration;
use argocd_auth_webhook::webhook::{
    CertificateFiles, CertificateSecret, CertificateSource, Options, Server, ServingCertificate,
    development_certificate,
};
use clap::{ArgGroup, ArgMatches, Args};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

/// Run the admission webhook
///
/// Answers the API server's admission reviews over HTTPS at POST /mutate. Health and metrics are on
/// a second, plain HTTP listener: /livez, /readyz, /metrics.
///
/// On SIGTERM or SIGINT readiness fails at once, serving goes on for --drain-delay, what is in
/// flight is finished, and the process ends with 0. A second signal ends it at once.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("serving certificate").args(["tls_cert", "tls_secret", "tls_self_signed"]).required(true).multiple(true))]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook serve --values values.yaml --tls-cert tls.crt --tls-key tls.key\n  \
    argocd-auth-webhook serve --values values.yaml --tls-secret codefresh/argocd-auth-webhook-serving\n  \
    argocd-auth-webhook serve --config config.yaml --tls-self-signed --tls-ca-out ca.crt")]
pub struct Serve {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Where to listen for the API server (HTTPS)
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:10250", env = "ARGOCD_AUTH_WEBHOOK_LISTEN")]
    pub listen: SocketAddr,
    /// Where health and metrics are (plain HTTP)
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:9090", env = "ARGOCD_AUTH_WEBHOOK_ADMIN_LISTEN")]
    pub admin_listen: SocketAddr,
    #[command(flatten)]
    pub certificate: CertificateArgs,
    #[command(flatten)]
    pub bounds: BoundsArgs,
    #[command(flatten)]
    pub logs: LogArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Serving certificate")]
#[group(skip)]
#[expect(clippy::struct_field_names, reason = "the fields are named as the flags are")]
pub struct CertificateArgs {
    /// PEM file with the certificate and its chain; read again when its content changes
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "ARGOCD_AUTH_WEBHOOK_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// PEM file with its private key
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "ARGOCD_AUTH_WEBHOOK_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// How often the two files are looked at
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = bound)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_TLS_RELOAD_INTERVAL")]
    pub tls_reload_interval: Duration,
    /// Secret of type kubernetes.io/tls to serve from instead, followed through the Kubernetes API;
    /// not ready until it is there
    #[arg(long, value_name = "NAMESPACE/NAME")]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_TLS_SECRET")]
    pub tls_secret: Option<Named>,
    /// Make a certificate at start instead, for development
    #[arg(long)]
    pub tls_self_signed: bool,
    /// A name for that certificate, DNS name or address; may be repeated
    #[arg(long, value_name = "NAME", requires = "tls_self_signed")]
    #[arg(default_values = ["localhost", "127.0.0.1", "::1"])]
    pub tls_name: Vec<String>,
    /// Where to write the CA of that certificate, for `caBundle`
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    pub tls_ca_out: Option<PathBuf>,
}

/// The defaults are those of `Bounds`, where each has its reason.
#[derive(Args, Debug)]
#[command(next_help_heading = "Bounds")]
pub struct BoundsArgs {
    /// How long serving goes on after SIGTERM; longer than it takes the cluster to notice
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_DRAIN_DELAY")]
    pub drain_delay: Duration,
    /// For a TLS handshake
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = bound)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_HANDSHAKE_TIMEOUT")]
    pub handshake_timeout: Duration,
    /// For the headers of a request
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = bound)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_HEADER_TIMEOUT")]
    pub header_timeout: Duration,
    /// For the body of a request and its answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = bound)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_ANSWER_TIMEOUT")]
    pub answer_timeout: Duration,
    /// For a connection between two requests; the API server keeps its own for 90 s
    #[arg(long, value_name = "TIME", default_value = "120s", value_parser = bound)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_KEEP_ALIVE")]
    pub keep_alive: Duration,
    /// Open connections; one of no use is ended for one more
    #[arg(long, value_name = "COUNT", default_value = "256", value_parser = count)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_CONNECTIONS")]
    pub max_connections: usize,
    /// Size of a body, in bytes or with Ki, Mi or Gi
    #[arg(long, value_name = "SIZE", default_value = "8Mi", value_parser = size)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_BODY")]
    pub max_body: usize,
    /// Memory for all bodies and answers together, a quarter of it for small ones alone
    #[arg(long, value_name = "SIZE", default_value = "16Mi", value_parser = size)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_BODY_MEMORY")]
    pub max_body_memory: usize,
}

pub fn run(args: Serve, matches: Option<&ArgMatches>) -> Outcome {
    let _logs = start_logs(&args.logs)?;
    let settings = logged_settings(&args.settings, matches)?;
    let bounds = Bounds {
        handshake_timeout: args.bounds.handshake_timeout,
        header_timeout: args.bounds.header_timeout,
        answer_timeout: args.bounds.answer_timeout,
        idle_timeout: args.bounds.keep_alive,
        max_connections: args.bounds.max_connections,
        max_handshakes: args.bounds.max_connections.div_ceil(2),
        max_body: args.bounds.max_body,
        max_body_memory: args.bounds.max_body_memory,
    };
    let options = Options {
        listen: args.listen,
        admin_listen: args.admin_listen,
        certificate: CertificateSource::Later,
        bounds,
        drain_delay: args.bounds.drain_delay,
    };
    let runtime = runtime()?;
    let result = runtime.block_on(async {
        let options = Options { certificate: certificate(args.certificate, matches).await?, ..options };
        // Before the first connection is served, so that no signal is missed.
        let shutdown = Shutdown::by_signals().context("listening for signals")?;
        let server = Server::bind(options, settings.injector(Engine::Webhook)).await?;
        server.run(shutdown).await?;
        Ok(ExitCode::SUCCESS)
    });
    // A hanging file system under the certificate's files must not delay the end.
    runtime.shutdown_background();
    result
}

/// The source of the serving certificate. A source named by a flag takes precedence over one named by the
/// environment.
async fn certificate(args: CertificateArgs, matches: Option<&ArgMatches>) -> Result<CertificateSource, Failure> {
    let given = [args.tls_cert.is_some(), args.tls_secret.is_some(), args.tls_self_signed];
    let count = |chosen: &[bool]| chosen.iter().filter(|chosen| **chosen).count();
    let typed = ["tls_cert", "tls_secret", "tls_self_signed"].map(|id| by_flag(matches, id));
    let chosen = if count(&given) > 1 { typed } else { given };
    if count(&chosen) != 1 {
        return Err(Failure::usage(anyhow::anyhow!(
            "of --tls-cert, --tls-secret and --tls-self-signed (or their environment variables) only one can be given"
        )));
    }
    let [by_files, by_secret, _] = chosen;
    if let (Some(cert), Some(key), true) = (args.tls_cert, args.tls_key, by_files) {
        return Ok(CertificateSource::Files(CertificateFiles { cert, key, poll: args.tls_reload_interval }));
    }
    if let (Some(secret), true) = (args.tls_secret, by_secret) {
        let (client, _) = cluster::client(&cluster::Choice::default()).await?;
        return Ok(CertificateSource::Secret(CertificateSecret { client, secret }));
    }
    let made = development_certificate(&args.tls_name).map_err(Failure::usage)?;
    if let Some(path) = args.tls_ca_out {
        std::fs::write(&path, &made.ca_pem).with_context(|| format!("writing the CA to {}", path.display()))?;
    }
    tracing::warn!("serving a self-signed certificate: for development only");
    Ok(CertificateSource::Fixed(Box::new(ServingCertificate::from_pem(
        made.cert_pem.as_bytes(),
        made.key_pem.as_bytes(),
        SystemTime::now(),
    )?)))
}
