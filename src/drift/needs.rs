//! The objects that the kubelet must find before it starts the containers of a pod.

use k8s_openapi::api::core::v1::{Pod, PodSpec, Volume};
use std::collections::BTreeSet;
use std::fmt;

/// The kind of an object that containers can require.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A Secret.
    Secret,
    /// A `ConfigMap`.
    ConfigMap,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

/// An object in the pod's namespace, or a key of it, without which a container doesn't start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    /// The object's kind.
    pub holder: Holder,
    /// The object's name.
    pub name: String,
    /// The required key; `None` if the object itself is enough.
    pub key: Option<String>,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "key {key} of {} {}", self.holder, self.name),
            None => write!(f, "{} {}", self.holder, self.name),
        }
    }
}

/// Everything that the pod requires through variables and volumes. Optional references are left out.
#[must_use]
pub fn needs(pod: &Pod) -> BTreeSet<Need> {
    let mut found = Found::default();
    let Some(spec) = &pod.spec else { return found.0 };
    variables(spec, &mut found);
    for volume in spec.volumes.iter().flatten() {
        of_volume(volume, &mut found);
    }
    found.0
}

#[derive(Default)]
struct Found(BTreeSet<Need>);

impl Found {
    fn add(&mut self, holder: Holder, name: &str, key: Option<&str>, optional: Option<bool>) {
        if optional != Some(true) && !name.is_empty() {
            self.0.insert(Need { holder, name: name.to_owned(), key: key.map(str::to_owned) });
        }
    }

    /// Adds an object and these of its keys.
    fn add_items<'i>(
        &mut self,
        holder: Holder,
        name: &str,
        keys: impl Iterator<Item = &'i String>,
        optional: Option<bool>,
    ) {
        self.add(holder, name, None, optional);
        keys.for_each(|key| self.add(holder, name, Some(key), optional));
    }
}

fn variables(spec: &PodSpec, found: &mut Found) {
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        for from in container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref()) {
            if let Some(from) = &from.secret_key_ref {
                found.add(Holder::Secret, &from.name, Some(&from.key), from.optional);
            }
            if let Some(from) = &from.config_map_key_ref {
                found.add(Holder::ConfigMap, &from.name, Some(&from.key), from.optional);
            }
        }
        for from in container.env_from.iter().flatten() {
            if let Some(from) = &from.secret_ref {
                found.add(Holder::Secret, &from.name, None, from.optional);
            }
            if let Some(from) = &from.config_map_ref {
                found.add(Holder::ConfigMap, &from.name, None, from.optional);
            }
        }
    }
}

fn of_volume(volume: &Volume, found: &mut Found) {
    if let Some(secret) = &volume.secret {
        let keys = secret.items.iter().flatten().map(|item| &item.key);
        found.add_items(Holder::Secret, secret.secret_name.as_deref().unwrap_or_default(), keys, secret.optional);
    }
    if let Some(map) = &volume.config_map {
        found.add_items(Holder::ConfigMap, &map.name, map.items.iter().flatten().map(|item| &item.key), map.optional);
    }
    for source in volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten()) {
        if let Some(secret) = &source.secret {
            let keys = secret.items.iter().flatten().map(|item| &item.key);
            found.add_items(Holder::Secret, &secret.name, keys, secret.optional);
        }
        if let Some(map) = &source.config_map {
            let keys = map.items.iter().flatten().map(|item| &item.key);
            found.add_items(Holder::ConfigMap, &map.name, keys, map.optional);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_that_is_required_is_found_and_nothing_that_is_optional() {
        let pod = json!({ "spec": {
            "initContainers": [{ "name": "i", "envFrom": [
                { "secretRef": { "name": "all" } }, { "configMapRef": { "name": "may", "optional": true } }] }],
            "containers": [{ "name": "c", "env": [
                { "name": "A", "valueFrom": { "secretKeyRef": { "name": "s", "key": "a" } } },
                { "name": "B", "valueFrom": { "secretKeyRef": { "name": "s", "key": "b", "optional": true } } },
                { "name": "C", "valueFrom": { "configMapKeyRef": { "name": "m", "key": "c", "optional": false } } },
            ] }],
            "volumes": [
                { "name": "v", "secret": { "secretName": "vs", "items": [{ "key": "k", "path": "p" }] } },
                { "name": "w", "configMap": { "name": "vm", "optional": true } },
                { "name": "x", "projected": { "sources": [
                    { "secret": { "name": "ps", "items": [{ "key": "k", "path": "p" }] } },
                    { "configMap": { "name": "pm" } }, { "serviceAccountToken": { "path": "t" } }] } },
            ],
        } });
        let found: Vec<String> = needs(&serde_json::from_value(pod).unwrap()).iter().map(ToString::to_string).collect();
        let wanted = [
            "Secret all",
            "Secret ps",
            "key k of Secret ps",
            "key a of Secret s",
            "Secret vs",
            "key k of Secret vs",
            "key c of ConfigMap m",
            "ConfigMap pm",
        ];
        assert_eq!(found, wanted);
    }
}
