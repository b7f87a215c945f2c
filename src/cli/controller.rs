//! `controller`: reconciles certificates, credential and pods.

use super::logs::{LogArgs, start_logs};
use super::output::{Failure, Outcome, runtime};
use super::parse::{namespace, object};
use super::place::PlaceArgs;
use super::settings::{SettingsArgs, logged_settings};
use anyhow::Context;
use argocd_auth_webhook::cluster;
use argocd_auth_webhook::commands::context::Names;
use argocd_auth_webhook::controller::certificates::Lifetimes;
use argocd_auth_webhook::controller::{self, Certificates};
use argocd_auth_webhook::server::Shutdown;
use argocd_auth_webhook::settings::duration;
use argocd_auth_webhook::time::seconds;
use clap::{ArgMatches, Args, ValueEnum};
use std::net::SocketAddr;
use std::process::ExitCode;
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
    /// Namespace of the release
    #[arg(short, long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_NAMESPACE", value_parser = namespace)]
    pub namespace: String,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// ServiceAccount that owns what is made, so that uninstalling takes it along
    #[arg(long, value_name = "NAME", env = "ARGOCD_AUTH_WEBHOOK_SERVICE_ACCOUNT", value_parser = object)]
    pub service_account: Option<String>,
    #[command(flatten)]
    pub certificates: KeptCertificatesArgs,
    /// How long kubelets may serve a Secret's old value from cache; no pod is restarted for a change
    /// until then
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    #[arg(env = "ARGOCD_AUTH_WEBHOOK_KUBELET_CACHE")]
    pub kubelet_cache: Duration,
    /// Where health and metrics are (plain HTTP)
    #[arg(long, value_name = "ADDRESS", default_value = "[::]:9090", env = "ARGOCD_AUTH_WEBHOOK_ADMIN_LISTEN")]
    pub admin_listen: SocketAddr,
    #[command(flatten)]
    pub logs: LogArgs,
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

pub fn run(args: Controller, matches: Option<&ArgMatches>) -> Outcome {
    let _logs = start_logs(&args.logs)?;
    let settings = logged_settings(&args.settings, matches)?;
    let place = args.place;
    let names = Names::of(place.release().as_deref());
    let options = controller::Options {
        serving_secret: place.serving_secret.unwrap_or(names.serving_secret),
        service: place.service.unwrap_or_else(|| names.release.clone()),
        service_port: place.service_port,
        webhook_configuration: place
            .webhook_configuration
            .unwrap_or_else(|| format!("{}-{}", names.release, args.namespace)),
        namespace: args.namespace,
        release: names.release,
        service_account: args.service_account,
        certificates: kept_certificates(&args.certificates)?,
        kubelet_cache: seconds(args.kubelet_cache),
        admin_listen: args.admin_listen,
    };
    runtime()?.block_on(async {
        let shutdown = Shutdown::by_signals().context("listening for signals")?;
        let (client, _) = cluster::client(&cluster::Choice::default()).await?;
        Box::pin(controller::Controller::bind(client, options, settings).await?.run(shutdown)).await?;
        Ok(ExitCode::SUCCESS)
    })
}

fn kept_certificates(args: &KeptCertificatesArgs) -> Result<Certificates, Failure> {
    if args.certificates == CertificatesArg::External {
        return Ok(Certificates::External { publish: !args.leave_ca_bundle });
    }
    let lifetimes = Lifetimes {
        ca: seconds(args.ca_lifetime),
        leaf: seconds(args.certificate_lifetime),
        propagation: seconds(args.propagation_time),
    };
    lifetimes.check().map(Certificates::SelfManaged).map_err(Failure::usage)
}
