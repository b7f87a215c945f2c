//! What every test at a cluster starts from.

use crate::support::cluster::{Cluster, Namespaces, output};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// Namespaces of a test's own, a folder for its files, and one for what its processes print.
pub struct Scene {
    namespaces: Namespaces,
    pub cluster: Cluster,
    /// Kept, and looked through for secret values when the tests have ended.
    pub output: PathBuf,
    /// Unique in the cluster. The namespaces' names begin with it, and those of cluster-wide objects are it.
    pub name: String,
    files: TempDir,
}

/// A name that nothing else has, in this run of the tests or another.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{:x}-{count}", name.replace('_', "-"), std::process::id())
}

impl Scene {
    /// One namespace.
    pub async fn new(test: &str) -> Self {
        Self::with_namespaces(test, &[""]).await
    }

    /// A namespace for each of these endings.
    pub async fn with_namespaces(test: &str, endings: &[&str]) -> Self {
        let (cluster, name) = (Cluster::connect().await, unique(test));
        let names = endings.iter().map(|ending| format!("{name}{ending}")).collect();
        let namespaces = Namespaces::create(&cluster, names).await;
        Self { namespaces, cluster, output: output(test), name, files: TempDir::new().unwrap() }
    }

    /// The first namespace, which most tests have alone.
    pub fn namespace(&self) -> &str {
        &self.namespaces.names[0]
    }

    pub fn namespaces(&self) -> &[String] {
        &self.namespaces.names
    }

    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// Writes a YAML file, each time another one.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let count = fs::read_dir(self.folder()).unwrap().count();
        let path = self.folder().join(format!("{name}-{count}.yaml"));
        fs::write(&path, text).unwrap();
        path
    }

    /// Where an object of the core group is, in the first namespace.
    pub fn path(&self, kind: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{}/{kind}s/{name}", self.namespace())
    }

    pub fn secret(&self, name: &str) -> String {
        self.path("secret", name)
    }

    /// Where the controller's Lease is.
    pub fn lease(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/argocd-auth-webhook", self.namespace())
    }

    /// Nobody has to wait for the Lease of a process that is known to be dead. It may have died before it
    /// had one.
    pub async fn free_lease(&self) {
        if let Err(error) = self.cluster.delete(&self.lease()).await {
            assert!(error.contains("not found"), "{error}");
        }
    }

    /// The Events of the first namespace.
    pub async fn events(&self) -> Vec<Value> {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace());
        let events = self.cluster.get(&path).await.unwrap();
        events["items"].as_array().unwrap().clone()
    }
}
