//! The names of a release's objects, as far as the chart chooses them.

use crate::cluster::call_patiently;
use crate::settings::names::is_object;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client};

/// The ConfigMap in which a release says so; there is one in a namespace at most. Also the release's
/// name where nobody says one.
const INSTALLED: &str = "argocd-auth-webhook";

/// What is called how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The first part of the names of our Secrets, and of the status.
    pub release: String,
    /// The ConfigMap with the settings.
    pub config_map: String,
    /// The Secret with the serving certificate.
    pub serving_secret: String,
}

impl Names {
    /// As they are where nothing says otherwise.
    #[must_use]
    pub fn of(release: Option<&str>) -> Self {
        let release = release.unwrap_or(INSTALLED).to_owned();
        Self { config_map: format!("{release}-config"), serving_secret: format!("{release}-serving"), release }
    }

    /// As the release in this namespace says, if it is the one that is meant. What can't be read, or is no
    /// name, says nothing.
    pub async fn find(client: &Client, namespace: &str, meant: Option<&str>) -> Self {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        let read =
            call_patiently(&format!("reading ConfigMap {namespace}/{INSTALLED}"), || maps.get_opt(INSTALLED)).await;
        let said = read.ok().flatten().and_then(|map| map.data).unwrap_or_default();
        // Whoever may write it could name any path.
        let name = |key: &str| said.get(key).map(String::as_str).filter(|name| is_object(name));
        let installed = name("release");
        let names = Self::of(meant.or(installed));
        match name("servingSecret") {
            Some(serving) if Some(names.release.as_str()) == installed => {
                Self { serving_secret: serving.to_owned(), ..names }
            }
            _ => names,
        }
    }
}
