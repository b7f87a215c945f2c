//! The facts about a pod that a verdict needs, extracted from the API's object.

use super::needs::needs;
use super::{Key, Need, Readiness, TrackedKeys};
use crate::core::{Outcome, Pod as Decided, Service};
use crate::time::Seconds;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Volume};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use std::collections::{BTreeMap, BTreeSet};

/// The controlling owner of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// Its kind, such as `ReplicaSet`; as `KIND.GROUP` if its API group isn't one of those known here.
    pub kind: String,
    /// Its name, in the pod's namespace.
    pub name: String,
}

impl Owner {
    /// The owner reference with `controller: true`; `None` if there is none.
    #[must_use]
    pub fn of(metadata: &ObjectMeta) -> Option<Self> {
        let owners = metadata.owner_references.iter().flatten();
        let owner = owners.into_iter().find(|owner| owner.controller == Some(true))?;
        // Other groups have kinds of the same name.
        let group = owner.api_version.split_once('/').map_or("", |(group, _)| group);
        let known = matches!(group, "" | "apps" | "batch" | "argoproj.io");
        let kind = if known { owner.kind.clone() } else { format!("{}.{group}", owner.kind) };
        Some(Self { kind, name: owner.name.clone() })
    }
}

/// A key of a Secret whose value a running container took when it started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The key.
    pub key: Key,
    /// When the container started.
    pub started: Seconds,
    /// Whether the container would have started without the key.
    pub optional: bool,
}

/// The facts about a pod that decide its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact by itself")]
pub struct PodFacts {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// When the pod was created; 0 if the API doesn't say.
    pub created: Seconds,
    /// The controlling owner; `None` for a bare pod.
    pub owner: Option<Owner>,
    /// The revision of its workload, from label `controller-revision-hash` or `pod-template-hash`.
    pub revision: Option<String>,
    /// The name of the service that it belongs to.
    pub service: String,
    /// The outcome if the webhook reviewed the pod as it is now.
    pub outcome: Outcome,
    /// Whether that review would patch the pod.
    pub changed: bool,
    /// Whether it carries anything that was injected, or that the Runtime's chart rendered for the same
    /// purpose.
    pub carries: bool,
    /// The keys that its running containers took when they started.
    pub held: Vec<Held>,
    /// Whether it is ready, and why not.
    pub readiness: Readiness,
    /// What a pod created in its place needs before its containers start.
    pub needs: BTreeSet<Need>,
    /// Whether it has a deletion timestamp.
    pub terminating: bool,
    /// Whether its phase is `Succeeded` or `Failed`.
    pub completed: bool,
}

fn seconds(time: Option<&Time>) -> Option<Seconds> {
    time.map(|time| time.0.as_second())
}

impl PodFacts {
    /// Extracts the facts; `None` for a pod of no service.
    #[must_use]
    pub fn of(pod: &Pod, subjects: &TrackedKeys) -> Option<Self> {
        let metadata = &pod.metadata;
        let text = serde_json::to_string(pod).ok()?;
        let decided = Decided::from_json(&text).ok()?;
        let decision = subjects.injector.decide(&decided);
        let (_, service) = decision.service?;
        let status = pod.status.as_ref();
        let phase = status.and_then(|status| status.phase.as_deref());
        let label = |name| metadata.labels.as_ref().and_then(|labels| labels.get(name));
        let revision = label("controller-revision-hash").or_else(|| label("pod-template-hash"));
        Some(Self {
            name: metadata.name.clone().unwrap_or_default(),
            uid: metadata.uid.clone().unwrap_or_default(),
            created: seconds(metadata.creation_timestamp.as_ref()).unwrap_or_default(),
            owner: Owner::of(metadata),
            revision: revision.cloned(),
            service: service.name.clone(),
            outcome: decision.outcome,
            changed: decision.patch.is_some(),
            carries: subjects.injector.carries(&decided),
            held: held(pod, service, subjects),
            readiness: Readiness::of(pod),
            needs: successor(pod, &text, decision.patch.as_deref()),
            terminating: metadata.deletion_timestamp.is_some(),
            completed: matches!(phase, Some("Succeeded" | "Failed")),
        })
    }
}

/// What the pod's successor needs: the needs of this pod after the webhook's patch.
fn successor(pod: &Pod, text: &str, patch: Option<&str>) -> BTreeSet<Need> {
    let Some(patch) = patch else { return needs(pod) };
    let patched = || {
        let mut changed: serde_json::Value = serde_json::from_str(text).ok()?;
        let patch: json_patch::Patch = serde_json::from_str(patch).ok()?;
        json_patch::patch(&mut changed, &patch).ok()?;
        serde_json::from_value(changed).ok()
    };
    patched().map_or_else(|| needs(pod), |pod| needs(&pod))
}

/// The keys held by running containers. Others hold none: the kubelet reads the Secret when it starts them.
fn held(pod: &Pod, service: &Service, subjects: &TrackedKeys) -> Vec<Held> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return Vec::new() };
    let sidecars = spec.init_containers.iter().flatten();
    let sidecars = sidecars.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let statuses = || status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    let mut all = Vec::new();
    for container in spec.containers.iter().chain(sidecars) {
        let state = statuses().find(|status| status.name == container.name).and_then(|status| status.state.as_ref());
        let running = state.and_then(|state| state.running.as_ref());
        let Some(started) = running.and_then(|running| seconds(running.started_at.as_ref())) else { continue };
        let named = service.containers.iter().chain(&service.or_containers).any(|name| *name == container.name);
        let mut keys = taken_up(container, spec, &subjects.keys);
        // A variable with a Secret's name is set whether or not the Secret exists.
        keys.extend(subjects.read_at_start(service).filter(|_| named).map(|key| (key, true)));
        all.extend(keys.into_iter().map(|(key, optional)| Held { key: key.clone(), started, optional }));
    }
    all
}

/// The keys whose values a container takes only when it starts: from variables, and from `subPath` mounts,
/// which the kubelet doesn't update. For each, whether the container starts without it.
fn taken_up<'k>(container: &Container, spec: &PodSpec, keys: &'k BTreeSet<Key>) -> BTreeMap<&'k Key, bool> {
    let mut found = BTreeMap::new();
    // A key required in one place is required.
    let mut take = |key: &'k Key, optional: Option<bool>| {
        let optional = optional.unwrap_or(false);
        found.entry(key).and_modify(|known| *known &= optional).or_insert(optional);
    };
    for variable in container.env.iter().flatten() {
        let Some(from) = variable.value_from.as_ref().and_then(|from| from.secret_key_ref.as_ref()) else { continue };
        for key in keys.iter().filter(|key| from.name == key.secret && from.key == key.key) {
            take(key, from.optional);
        }
    }
    for from in container.env_from.iter().flatten().filter_map(|from| from.secret_ref.as_ref()) {
        for key in keys.iter().filter(|key| from.name == key.secret) {
            // `envFrom` requires the Secret, but no particular key.
            take(key, Some(true));
        }
    }
    for mount in container.volume_mounts.iter().flatten() {
        let part = |path: &Option<String>| path.as_ref().is_some_and(|path| !path.is_empty());
        if part(&mount.sub_path) || part(&mount.sub_path_expr) {
            let volume = spec.volumes.iter().flatten().find(|volume| volume.name == mount.name);
            for key in keys.iter().filter(|key| volume.is_some_and(|volume| is_made_of(volume, key))) {
                take(
                    key,
                    volume.and_then(|volume| volume.secret.as_ref()).map_or(Some(true), |secret| secret.optional),
                );
            }
        }
    }
    found
}

fn is_made_of(volume: &Volume, key: &Key) -> bool {
    use k8s_openapi::api::core::v1::KeyToPath;
    let has = |name: Option<&str>, items: &Option<Vec<KeyToPath>>| {
        name == Some(key.secret.as_str())
            && items.as_ref().is_none_or(|items| items.is_empty() || items.iter().any(|item| item.key == key.key))
    };
    let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
    volume.secret.as_ref().is_some_and(|secret| has(secret.secret_name.as_deref(), &secret.items))
        || projected.filter_map(|source| source.secret.as_ref()).any(|secret| has(Some(&secret.name), &secret.items))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_of_another_group_is_another_kind() {
        let owner = |version: &str, kind: &str| {
            let reference =
                serde_json::json!({ "apiVersion": version, "kind": kind, "name": "a", "uid": "1", "controller": true });
            let metadata = serde_json::from_value(serde_json::json!({ "ownerReferences": [reference] })).unwrap();
            Owner::of(&metadata).unwrap().kind
        };
        assert_eq!(owner("apps/v1", "StatefulSet"), "StatefulSet");
        assert_eq!(owner("apps.kruise.io/v1beta1", "StatefulSet"), "StatefulSet.apps.kruise.io");
        assert_eq!(owner("argoproj.io/v1alpha1", "Rollout"), "Rollout");
        assert_eq!(owner("v1", "Node"), "Node");
    }
}
