//! The kinds of objects that create pods, and where the pod is in them.

/// The JSON pointer to the pod or pod template in objects of a kind; `None` if the kind creates no pods. The
/// API group matters, since a custom resource may be called `Deployment` too; the version doesn't.
pub(super) fn pod_pointer(api_version: &str, kind: &str) -> Option<&'static str> {
    if api_version.is_empty() {
        return None;
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        ("", "Pod") => Some(""),
        ("", "PodTemplate") => Some("/template"),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("extensions", "Deployment" | "DaemonSet" | "ReplicaSet")
        | ("", "ReplicationController")
        | ("batch", "Job") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        _ => None,
    }
}

/// Whether objects of this kind create pods in some API group.
pub(super) fn is_workload_name(kind: &str) -> bool {
    ["v1", "apps/v1", "batch/v1"].iter().any(|api_version| pod_pointer(api_version, kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_decides_and_not_the_version() {
        for (api_version, kind, pointer) in [
            ("v1", "Pod", Some("")),
            ("v1", "PodTemplate", Some("/template")),
            ("v1", "ReplicationController", Some("/spec/template")),
            ("apps/v1", "Deployment", Some("/spec/template")),
            ("apps/v1beta2", "StatefulSet", Some("/spec/template")),
            ("extensions/v1beta1", "DaemonSet", Some("/spec/template")),
            ("batch/v1", "Job", Some("/spec/template")),
            ("batch/v1beta1", "CronJob", Some("/spec/jobTemplate/spec/template")),
            ("extensions/v1beta1", "StatefulSet", None),
            ("example.com/v1", "Deployment", None),
            ("apps/v1", "Pod", None),
            ("v1", "Deployment", None),
            ("v1", "Secret", None),
            ("", "Pod", None),
        ] {
            assert_eq!(pod_pointer(api_version, kind), pointer, "{api_version} {kind}");
        }
    }
}
