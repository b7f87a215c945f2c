//! `doctor`: checks whether the webhook works, and says what to do if it doesn't.
//!
//! Each probe is one file. Probes change nothing: pods are created as a dry run.

mod admission;
mod bundle;
mod credential;
mod life;
mod pods;

pub use crate::commands::report::{Check, CheckResult, Report};

use crate::cluster::{Cause, ClusterError, ServiceEndpoint, call_patiently, endpoints};
use crate::commands::context::{SettingsOfError, settings_of};
use crate::commands::ownership::keys;
use crate::core::Engine;
use crate::pki::{HandshakeError, peer_chain};
use crate::settings::{Settings, SettingsError};
use futures_util::future::join_all;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client};
use rustls::pki_types::CertificateDer;
use std::time::Duration;

/// Bounds the handshake with an endpoint.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// What to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// The release's namespace.
    pub namespace: String,
    /// The release's name, with which the names of our Secrets begin.
    pub release: String,
    /// The name of the Secret with the serving certificate.
    pub serving_secret: String,
    /// The name of the webhook's Service; `None` for the one in the webhook configuration.
    pub service: Option<String>,
    /// The Service's port.
    pub service_port: u16,
    /// The name of the webhook configuration.
    pub webhook_configuration: String,
    /// The ConfigMap with the settings (`values.yaml` or `config.yaml`), if none are given.
    pub config_map: String,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The settings in the cluster can't be read.
    #[error("{0}; give them with --values or --config, or the ConfigMap's name with --config-map")]
    Cluster(ClusterError),
    /// The ConfigMap has no settings.
    #[error("ConfigMap {0} has neither values.yaml nor config.yaml; name another with --config-map")]
    NoSettings(String),
    /// The settings are invalid.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// An endpoint, and the chain that it presented.
struct Asked {
    endpoint: ServiceEndpoint,
    shown: Result<Vec<CertificateDer<'static>>, HandshakeError>,
}

/// What several probes need. Each part may be the error that reading it gave.
struct Scene {
    options: Options,
    service: String,
    configuration: Result<Option<MutatingWebhookConfiguration>, ClusterError>,
    asked: Result<Vec<Asked>, ClusterError>,
}

/// Runs every probe. Without `settings`, those in the chart's ConfigMap are read.
///
/// # Errors
/// There are no settings to compare with; see [`DoctorError`].
pub async fn run(client: &Client, options: Options, settings: Option<Settings>) -> Result<Report, DoctorError> {
    let settings = match settings {
        Some(settings) => settings,
        None => settings_in_cluster(client, &options).await?,
    };
    let injector = settings.injector(Engine::Webhook);
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let name = &options.webhook_configuration;
    let what = format!("reading MutatingWebhookConfiguration {name}");
    let configuration = call_patiently(&what, || configurations.get_opt(name)).await;
    let called = configuration.as_ref().ok().and_then(|found| called_by(found.as_ref()?));
    let service = options.service.clone().or(called).unwrap_or_else(|| options.release.clone());
    let asked = ask(client, &options, &service).await;
    let scene = Scene { options, service, configuration, asked };

    let mut report = Report::default();
    bundle::probe(&scene, &mut report);
    life::probe(client, &scene, &mut report).await;
    credential::probe(client, &scene, &settings, &mut report).await;
    let argocd = settings.argocd.namespace.as_ref().unwrap_or(&scene.options.namespace);
    keys::probe(client, argocd, &mut report).await;
    admission::probe(client, &scene, &injector, &mut report).await;
    pods::probe(client, &scene, &settings, &mut report).await;
    Ok(report)
}

async fn settings_in_cluster(client: &Client, options: &Options) -> Result<Settings, DoctorError> {
    match settings_of(client, &options.namespace, &options.config_map).await {
        Ok(Some(settings)) => Ok(settings),
        Ok(None) => Err(DoctorError::NoSettings(format!("{}/{}", options.namespace, options.config_map))),
        Err(SettingsOfError::Cluster(error)) => Err(DoctorError::Cluster(error)),
        Err(SettingsOfError::Settings(error)) => Err(error.into()),
    }
}

/// The Service that API servers call. The chart names it after the release unless its values say otherwise.
fn called_by(configuration: &MutatingWebhookConfiguration) -> Option<String> {
    let entry = configuration.webhooks.as_ref()?.first()?;
    Some(entry.client_config.service.as_ref()?.name.clone())
}

async fn ask(client: &Client, options: &Options, service: &str) -> Result<Vec<Asked>, ClusterError> {
    let found = endpoints(client, &options.namespace, service, options.service_port).await?;
    let name = format!("{service}.{}.svc", options.namespace);
    let asking = found.into_iter().map(async |endpoint| {
        let shown = peer_chain(endpoint.address, &name, HANDSHAKE_TIMEOUT).await;
        Asked { endpoint, shown }
    });
    Ok(join_all(asking).await)
}

/// The verdict about a failed call: not checked if a permission is missing, else a problem.
fn failed(error: &ClusterError, advice: &str) -> CheckResult {
    match error.cause {
        Cause::Forbidden(_) => CheckResult::NotChecked(error.to_string()),
        _ => CheckResult::Problem(error.to_string(), advice.to_owned()),
    }
}
