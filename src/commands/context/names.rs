//! The names of a release's objects that depend on the release or on the chart's values.

use crate::cluster::find_patiently;
use crate::settings::is_object_name;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

/// The ConfigMap in which the chart writes these names; at most one in a namespace. Also the default of the
/// release's name.
const INSTALLED: &str = "argocd-auth-webhook";

/// The names of a release's objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The release, which begins the names of our Secrets and of the status.
    pub release: String,
    /// The ConfigMap with the settings.
    pub config_map: String,
    /// The Secret with the serving certificate.
    pub serving_secret: String,
}

impl Names {
    /// The names by default: those that begin with the release.
    #[must_use]
    pub fn of(release: Option<&str>) -> Self {
        let release = release.unwrap_or(INSTALLED).to_owned();
        Self { config_map: format!("{release}-config"), serving_secret: format!("{release}-serving"), release }
    }

    /// The names that the ConfigMap in this namespace gives, if it is of the release `meant` or none is
    /// meant. A ConfigMap that can't be read, or a value that can't be a name, is ignored.
    pub async fn find(client: &Client, namespace: &str, meant: Option<&str>) -> Self {
        let read = find_patiently::<ConfigMap>(client, namespace, INSTALLED).await;
        let said = read.ok().flatten().and_then(|map| map.data).unwrap_or_default();
        // The name goes into request paths, and who may write the ConfigMap could write a path.
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
