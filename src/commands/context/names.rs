//! The names of a release's objects, as far as the chart chooses them.

use crate::cluster::find_patiently;
use crate::settings::is_object_name;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

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
        let read = find_patiently::<ConfigMap>(client, namespace, INSTALLED).await;
        let said = read.ok().flatten().and_then(|map| map.data).unwrap_or_default();
        // Whoever may write it could name any path.
        let name = |key: &str| said.get(key).map(String::as_str).filter(|name| is_object_name(name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::scripted::{ApiServer, NAMESPACE};
    use serde_json::json;

    async fn found(said: &serde_json::Value, meant: Option<&str>) -> Names {
        let server = ApiServer::default();
        server.put(&format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{INSTALLED}"), json!({ "data": said }));
        Names::find(&server.client(), NAMESPACE, meant).await
    }

    #[tokio::test]
    async fn a_release_says_what_is_called_how_and_no_path() {
        let said = json!({ "release": "hook", "servingSecret": "mine" });
        let hook = Names { serving_secret: "mine".to_owned(), ..Names::of(Some("hook")) };
        assert_eq!(found(&said, None).await, hook);
        assert_eq!(found(&said, Some("hook")).await, hook);
        assert_eq!(found(&said, Some("other")).await, Names::of(Some("other")));
        for name in ["../secrets/argocd-token", "a/b", "a?b", "a#b", "", "A", "a b", "..", "a\n"] {
            let said = json!({ "release": name, "servingSecret": name });
            assert_eq!(found(&said, None).await, Names::of(None), "{name:?}");
            let said = json!({ "release": "hook", "servingSecret": name });
            assert_eq!(found(&said, None).await, Names::of(Some("hook")), "{name:?}");
        }
    }
}
