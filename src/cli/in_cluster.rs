//! Commands that look at a cluster: the controller and the doctor.

use super::{LogArgs, SettingsArgs};
use argocd_auth_webhook::settings::duration;
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::time::Duration;

/// Run the controller, which keeps certificates, the credential and the pods
///
/// Makes the webhook's CA and serving certificate, publishes the CA as `caBundle`, renews and rotates
/// both without a gap, and mends what is lost or damaged. In password mode it keeps a valid API key in
/// Secret argocd-token; in token mode it verifies the token. Pods that are out of step are replaced,
/// or with `rollout: report` only reported.
///
/// Health and metrics are at --admin-listen: /livez, /readyz, /metrics. Only the process that holds
/// the Lease writes. On SIGTERM it is given back, and the process ends with 0.
///
/// A rotation can be asked for: kubectl annotate secret RELEASE-ca argocd-auth-webhook/rotate=ca
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  \
    argocd-auth-webhook controller --namespace codefresh --release argocd-auth-webhook \\\n    \
    --service argocd-auth-webhook --webhook-configuration argocd-auth-webhook-codefresh")]
pub struct Controller {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// ServiceAccount that owns what is made, so that uninstalling takes it along
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVICE_ACCOUNT")]
    pub service_account: Option<String>,
    #[command(flatten)]
    pub certificates: KeptCertificatesArgs,
    /// How long a kubelet may give containers a Secret's value of before; no pod is restarted for a
    /// change until then
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_KUBELET_CACHE")]
    pub kubelet_cache: Duration,
    /// Where health and metrics are (plain HTTP)
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:9090", env = "ARGOCD_AUTH_WEBHOOK_ADMIN_LISTEN")]
    pub admin_listen: SocketAddr,
    #[command(flatten)]
    pub logs: LogArgs,
}

/// Where the webhook is.
#[derive(Args, Debug)]
#[command(next_help_heading = "Where the webhook is")]
pub struct PlaceArgs {
    /// Namespace of the release
    #[arg(short, long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_NAMESPACE")]
    pub namespace: String,
    /// First part of the names of our Secrets, such as RELEASE-ca; by default argocd-auth-webhook, and
    /// for `doctor` the release that is there
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_RELEASE")]
    pub release: Option<String>,
    /// The Secret with the serving certificate; by default RELEASE-serving
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVING_SECRET")]
    pub serving_secret: Option<String>,
    /// The webhook's Service; by default named as the release, and for `doctor` the one that the
    /// configuration calls
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVICE")]
    pub service: Option<String>,
    /// Its port
    #[arg(long, value_name = "PORT", default_value_t = 443, env = "ARGOCD_AUTH_WEBHOOK_SERVICE_PORT")]
    pub service_port: u16,
    /// The MutatingWebhookConfiguration; by default RELEASE-NAMESPACE
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_WEBHOOK_CONFIGURATION")]
    pub webhook_configuration: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Certificates")]
pub struct KeptCertificatesArgs {
    /// Who makes them
    #[arg(long, value_enum, default_value = "self-managed", env = "ARGOCD_AUTH_WEBHOOK_CERTIFICATES")]
    pub certificates: CertificatesArg,
    /// With certificates of somebody else, leave `caBundle` alone too
    #[arg(long, env = "ARGOCD_AUTH_WEBHOOK_LEAVE_CA_BUNDLE")]
    pub leave_ca_bundle: bool,
    /// How long a CA lasts; replaced at two thirds of it, or before it would cut a certificate short
    #[arg(long, value_name = "TIME", default_value = "8760h", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_CA_LIFETIME")]
    pub ca_lifetime: Duration,
    /// How long a serving certificate lasts, at most half as long; replaced at two thirds of it
    #[arg(long, value_name = "TIME", default_value = "2160h", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_CERTIFICATE_LIFETIME")]
    pub certificate_lifetime: Duration,
    /// How long it takes every API server to learn of a change, with a reserve
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_PROPAGATION_TIME")]
    pub propagation_time: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CertificatesArg {
    /// The controller
    SelfManaged,
    /// Somebody else, in the serving Secret; a ca.crt in it becomes `caBundle`
    External,
}

/// Look whether the webhook is in order
///
/// Compares what API servers trust with what each pod of the webhook serves, looks at the
/// certificates' life, at the Secrets that pods refer to and at the pods that are there, and creates
/// a pod of each service and a foreign one as a dry run: they must come back as the settings say.
/// Changes nothing. Each line says ok, warning, problem or not
/// checked, and what to do.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    argocd-auth-webhook doctor --namespace codefresh\n  \
    argocd-auth-webhook doctor --namespace codefresh --values values.yaml -o json")]
pub struct Doctor {
    #[command(flatten)]
    pub settings: SettingsArgs,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// ConfigMap with the settings, where no file is given; by default RELEASE-config
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_CONFIG_MAP")]
    pub config_map: Option<String>,
    /// Format of the output
    #[arg(short, long, value_enum, default_value = "text")]
    pub output: ReportFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    Text,
    Json,
}
