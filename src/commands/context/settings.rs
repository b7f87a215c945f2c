//! The settings as the chart keeps them in the cluster.

use super::ContextError;
use super::destination::Origin;
use crate::cluster::{Cause, ClusterError, call_patiently};
use crate::settings::{File, Overrides, Settings, SettingsError};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};
use std::path::PathBuf;

/// The settings in a ConfigMap, under `values.yaml` or else `config.yaml`; `None` if it has neither.
///
/// # Errors
/// The ConfigMap can't be read, or its settings are wrong.
pub async fn settings_of(
    client: &Client,
    namespace: &str,
    config_map: &str,
) -> Result<Option<Settings>, SettingsOfError> {
    let name = format!("{namespace}/{config_map}");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
    let map = call_patiently(&format!("reading the settings from ConfigMap {name}"), || maps.get(config_map)).await?;
    let data = map.data.unwrap_or_default();
    let path = |key: &str| PathBuf::from(format!("ConfigMap {name}, {key}"));
    let (file, text) = match (data.get("values.yaml"), data.get("config.yaml")) {
        (Some(text), _) => (File::Values(vec![path("values.yaml")]), text),
        (None, Some(text)) => (File::Config(path("config.yaml")), text),
        (None, None) => return Ok(None),
    };
    Ok(Some(Settings::from_text(&file, text, Overrides::default())?))
}

/// Why the settings can't be had from the ConfigMap.
#[derive(Debug, thiserror::Error)]
pub enum SettingsOfError {
    /// The ConfigMap can't be read.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Its settings are wrong.
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

/// The settings of the release. Where the ConfigMap is missing, has none or may not be read: the defaults of
/// the Runtime's chart, with a note.
pub(super) async fn find(
    client: &Client,
    namespace: &str,
    config_map: &str,
    notes: &mut Vec<String>,
) -> Result<(Settings, Origin), ContextError> {
    let why = match settings_of(client, namespace, config_map).await {
        Ok(Some(settings)) => return Ok((settings, Origin::ConfigMap(format!("{namespace}/{config_map}")))),
        Ok(None) => "has neither values.yaml nor config.yaml".to_owned(),
        Err(SettingsOfError::Settings(error)) => return Err(error.into()),
        Err(SettingsOfError::Cluster(error)) => match error.cause {
            Cause::NotFound => "is not there".to_owned(),
            Cause::Forbidden(_) => "may not be read".to_owned(),
            _ => return Err(error.into()),
        },
    };
    notes.push(format!(
        "ConfigMap {namespace}/{config_map} {why}, and neither --values nor --config is given: the Runtime's defaults hold"
    ));
    Ok((Settings::of_the_charts(), Origin::Charts))
}
