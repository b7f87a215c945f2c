//! `doctor`: is the webhook in order, and if not, what is to be done.
//!
//! One file a probe. A probe looks and says; it changes nothing: pods are created as a dry run.

mod admission;
mod bundle;
mod credential;
mod life;
mod pods;

pub use crate::commands::report::{Check, Report, Verdict};

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

/// For the handshake with an endpoint.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// What to look at.
#[derive(Clone, Debug)]
pub struct Options {
    /// The release's namespace.
    pub namespace: String,
    /// The first part of the names of our Secrets.
    pub release: String,
    /// The Secret with the serving certificate.
    pub serving_secret: String,
    /// The webhook's Service; by default the one that the webhook configuration calls.
    pub service: Option<String>,
    /// Its port.
    pub service_port: u16,
    /// The webhook configuration.
    pub webhook_configuration: String,
    /// Where the settings are if they aren't given: `values.yaml` or `config.yaml` in this ConfigMap.
    pub config_map: String,
}

/// Why there is nothing to report.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// The settings in the cluster can't be read.
    #[error("{0}; give them with --values or --config, or the ConfigMap's name with --config-map")]
    Cluster(ClusterError),
    /// The ConfigMap holds none.
    #[error("ConfigMap {0} has neither values.yaml nor config.yaml; name another with --config-map")]
    NoSettings(String),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// One endpoint, and what it served when it was asked.
struct Asked {
    endpoint: ServiceEndpoint,
    shown: Result<Vec<CertificateDer<'static>>, HandshakeError>,
}

/// What several probes look at; each part can be what couldn't be read.
struct Scene {
    options: Options,
    service: String,
    configuration: Result<Option<MutatingWebhookConfiguration>, ClusterError>,
    asked: Result<Vec<Asked>, ClusterError>,
}

/// Runs every probe. Without `settings` they are read from the chart's ConfigMap.
///
/// # Errors
/// There are no settings to compare with.
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

/// The Service that API servers call: the chart names it after the release, and by values otherwise.
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

/// What a failed call means to a probe: what this account may not see is not checked, everything
/// else is a problem.
fn failed(error: &ClusterError, advice: &str) -> Verdict {
    match error.cause {
        Cause::Forbidden(_) => Verdict::NotChecked(error.to_string()),
        _ => Verdict::Problem(error.to_string(), advice.to_owned()),
    }
}
