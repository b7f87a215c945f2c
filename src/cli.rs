//! The command line: flags as they are typed. What they mean together is worked out in `main`.

mod in_cluster;
mod people;

pub use in_cluster::{CertificatesArg, Controller, Doctor, KeptCertificatesArgs, ReportFormat};
pub use people::{AccessArgs, Account, AccountAction, Status, Token, TokenAction};

use argocd_auth_webhook::cluster::Named;
use argocd_auth_webhook::core::{Delivery, OnConflict};
use argocd_auth_webhook::settings::duration;
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Gives the services of a Codefresh GitOps Runtime their Argo CD credentials.
#[derive(Debug, Parser)]
#[command(name = "argocd-auth-webhook", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 good, 1 a problem was found, 2 wrong usage or input.\n\
    A flag counts before its environment variable, and that before the file.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(Box<Serve>),
    Controller(Box<Controller>),
    Inject(Inject),
    Doctor(Doctor),
    Status(Status),
    Account(Box<Account>),
    Token(Box<Token>),
    Demo(Demo),
    Completions(Completions),
}

/// Where the settings come from.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings")]
pub struct SettingsArgs {
    /// Our own configuration file
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_CONFIG")]
    pub config: Option<PathBuf>,
    /// The Runtime's Helm values file; its auth block is found in each of its three spellings
    #[arg(long, value_name = "FILE", env = "ARGOCD_AUTH_WEBHOOK_VALUES")]
    pub values: Option<PathBuf>,
    /// How services that read a credential themselves get it
    #[arg(long, value_enum, env = "ARGOCD_AUTH_WEBHOOK_DELIVERY")]
    pub delivery: Option<DeliveryArg>,
    /// What happens to a user's own variables where ours belong
    #[arg(long, value_enum, env = "ARGOCD_AUTH_WEBHOOK_ON_CONFLICT")]
    pub on_conflict: Option<OnConflictArg>,
    /// Whether the app-proxy is one of the Runtime's releases 0.18.0 to 0.24.3
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_LEGACY_APP_PROXY")]
    pub legacy_app_proxy: Option<bool>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum DeliveryArg {
    /// Environment variables
    Env,
    /// Files of a mounted Secret
    Volume,
}

impl From<DeliveryArg> for Delivery {
    fn from(delivery: DeliveryArg) -> Self {
        match delivery {
            DeliveryArg::Env => Self::Env,
            DeliveryArg::Volume => Self::Volume,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OnConflictArg {
    /// Theirs stays; a warning says so
    Keep,
    /// Ours takes its place; a warning says so
    Replace,
    /// The pod is refused
    Deny,
}

impl From<OnConflictArg> for OnConflict {
    fn from(policy: OnConflictArg) -> Self {
        match policy {
            OnConflictArg::Keep => Self::Keep,
            OnConflictArg::Replace => Self::Replace,
            OnConflictArg::Deny => Self::Deny,
        }
    }
}

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
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = bound)]
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
    /// Open connections, for each listener
    #[arg(long, value_name = "COUNT", default_value = "1024", value_parser = count)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_CONNECTIONS")]
    pub max_connections: usize,
    /// Size of a body, in bytes or with Ki, Mi or Gi
    #[arg(long, value_name = "SIZE", default_value = "8Mi", value_parser = size)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_BODY")]
    pub max_body: usize,
    /// Memory for the bodies of all connections together
    #[arg(long, value_name = "SIZE", default_value = "64Mi", value_parser = size)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_MAX_BODY_MEMORY")]
    pub max_body_memory: usize,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// How much is logged: error, warn, info, debug or trace, also for a module alone (info,hyper=warn)
    #[arg(long, value_name = "FILTER", default_value = "info", env = "ARGOCD_AUTH_WEBHOOK_LOG_LEVEL")]
    pub log_level: String,
    /// Text or JSON; by default text on a terminal
    #[arg(long, value_enum, default_value = "auto", env = "ARGOCD_AUTH_WEBHOOK_LOG_FORMAT")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    Auto,
    Text,
    Json,
}

/// Inject into manifests, without a cluster
///
/// Reads YAML or JSON from files or standard input, changes Pods and the pod templates of
/// workloads, passes everything else through, and says on standard error what it did to each
/// object. A broken document leaves standard output empty.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    helm template runtime … | argocd-auth-webhook inject --values values.yaml | kubectl apply -f -\n  \
    argocd-auth-webhook inject --config config.yaml -o json deployment.yaml")]
pub struct Inject {
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Format of the output; by default that of each input
    #[arg(short, long, value_enum)]
    pub output: Option<ManifestFormat>,
    /// Manifests; standard input where there is none, or for -
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ManifestFormat {
    Yaml,
    Json,
}

/// See it work: pods of each service, before and after
///
/// Starts the real HTTPS server with a certificate of its own, plays the API server to it, and
/// shows what goes in and what comes out. No cluster is touched; --stay keeps a certificate and a
/// review in a temporary folder while it serves.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  argocd-auth-webhook demo\n  argocd-auth-webhook demo --stay")]
pub struct Demo {
    /// Go on serving at the end, to try requests of your own
    #[arg(long)]
    pub stay: bool,
}

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  source <(argocd-auth-webhook completions bash)")]
pub struct Completions {
    pub shell: Shell,
}

/// A time above zero.
fn bound(text: &str) -> Result<Duration, String> {
    duration(text)?.checked_sub(Duration::from_millis(1)).ok_or("it must be above 0")?;
    duration(text)
}

/// Bytes, with the binary suffixes of Kubernetes' quantities.
fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is no size; write it as a number of bytes, or with Ki, Mi or Gi");
    let (number, shift) = [("Ki", 10), ("Mi", 20), ("Gi", 30)]
        .into_iter()
        .find_map(|(suffix, shift)| text.strip_suffix(suffix).map(|number| (number, shift)))
        .unwrap_or((text, 0));
    let number: usize = number.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

fn count(text: &str) -> Result<usize, String> {
    const MOST: usize = 1 << 20;
    let wrong = || format!("{text:?} is no number from 1 to {MOST}");
    text.parse().ok().filter(|count| (1..=MOST).contains(count)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_and_counts_are_read_and_nonsense_is_refused() {
        assert_eq!(size("8Mi"), Ok(8 << 20));
        assert_eq!(size("100"), Ok(100));
        for bad in ["", "0", "Mi", "8M", "-1", "99999999999999999999", "99999999999Gi0"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        assert!(count("0").is_err() && count("5") == Ok(5) && count("9223372036854775807").is_err());
        assert!(bound("0s").is_err() && bound("1ms").is_ok());
    }
}
