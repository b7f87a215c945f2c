//! What the controller keeps, and asking it for something new.

use crate::support::cluster::eventually;
use crate::support::release::Release;
use serde_json::{Value, json};

const SETTLED: &str = "CA, certificate and caBundle belong together";

impl Release {
    /// One CA, one certificate of it, and a `caBundle` of nothing else in every entry.
    pub async fn settled(&self) -> Result<(String, String), String> {
        let ca = self.cluster().get(&self.secret(&format!("{}-ca", self.name))).await?;
        let serving = self.cluster().get(&self.secret(&format!("{}-serving", self.name))).await?;
        let configuration = self.cluster().get(&self.configuration()).await?;
        let current = ca["data"]["ca.crt"].as_str().unwrap_or_default().to_owned();
        let leaf = serving["data"]["tls.crt"].as_str().unwrap_or_default().to_owned();
        let entries = configuration["webhooks"].as_array().ok_or("no entries")?;
        let in_all = entries.iter().all(|entry| entry["clientConfig"]["caBundle"] == current.as_str());
        let marks = ca["metadata"]["annotations"].as_object().is_none_or(serde_json::Map::is_empty);
        let alone = ca["data"]["next-ca.crt"].is_null() && serving["data"]["ca.crt"] == current.as_str();
        if in_all && alone && marks && !current.is_empty() && !leaf.is_empty() {
            Ok((current, leaf))
        } else {
            Err(format!("in every caBundle: {in_all}, alone: {alone}, marks: {}", ca["metadata"]["annotations"]))
        }
    }

    /// Waits for it.
    pub async fn settles(&self) -> (String, String) {
        eventually(SETTLED, async || self.settled().await).await
    }

    /// Asks for a new `ca` or `leaf`.
    pub async fn ask_for(&self, what: &str) {
        let change = json!({ "metadata": { "annotations": { "argocd-auth-webhook/rotate": what } } });
        self.cluster().merge(&self.secret(&format!("{}-ca", self.name)), &change).await.unwrap();
    }

    /// Waits until it is settled with another CA, or another certificate of the same, and every
    /// replica serves that. A rotation takes more than twice the propagation time.
    pub async fn renewed(&self, before: &(String, String), what: &str) -> (String, String) {
        let now = eventually(SETTLED, async || {
            let now = self.settled().await?;
            let new_ca = now.0 != before.0;
            if now.1 != before.1 && new_ca == (what == "ca") { Ok(now) } else { Err("as before".to_owned()) }
        })
        .await;
        let mut ids: Vec<String> = Vec::new();
        for pod in self.pods("webhook").await {
            let text = eventually("it is ready", async || self.admin(&pod, "/readyz")).await;
            ids.push(text);
        }
        ids.dedup();
        assert_eq!(ids.len(), 1, "replicas serve different certificates: {ids:?}");
        now
    }

    /// The version of the configuration's managers: who owns something in it.
    pub async fn managers(&self) -> Vec<String> {
        let configuration = self.cluster().get(&self.configuration()).await.unwrap();
        let managers = configuration["metadata"]["managedFields"].as_array().unwrap().iter();
        managers.map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
    }
}

/// The names of a configuration's entries.
pub fn entries(configuration: &Value) -> Vec<String> {
    let entries = configuration["webhooks"].as_array().unwrap().iter();
    entries.map(|entry| entry["name"].as_str().unwrap().split('.').next().unwrap().to_owned()).collect()
}
