//! What the tests of acts work with: pods and workloads of a scripted API server.

use super::snapshot::{Kind, WorkloadId};
use crate::cluster::scripted::NAMESPACE;
use serde_json::{Value, json};

/// The path of a pod.
pub(super) fn pod(name: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}")
}

/// The path of a workload.
pub(super) fn path(WorkloadId { kind, name }: &WorkloadId) -> String {
    let plural = format!("{}s", kind.as_str().to_lowercase());
    format!("/apis/{}/namespaces/{NAMESPACE}/{plural}/{name}", kind.api_version())
}

/// A workload with a template that holds something else as well.
pub(super) fn workload(kind: Kind) -> Value {
    let template = json!({ "metadata": { "annotations": { "theirs": "stays" } } });
    let spec = json!({ "replicas": 3, "selector": {}, "serviceName": "s", "template": template });
    json!({ "apiVersion": kind.api_version(), "kind": kind.as_str(), "spec": spec })
}
