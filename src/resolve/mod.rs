//! What the settings refer to in the cluster: the Secret of the API key, the user name, the password, and
//! Argo CD's address and CA. The controller and the commands both use this, so that they can't differ.

mod password;
mod username;
mod way;

pub use password::no_password;
pub use username::is_account_name;
pub use way::base;

use crate::cluster::{ClusterError, find, find_patiently};
use crate::core::{Auth, GENERATED_TOKEN, Mode, SecretKeyRef};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// Why something that the settings refer to can't be used: it is missing, empty or of the wrong form. A
/// sentence that quotes no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

/// A value from the cluster. The outer error: the call failed, which says nothing about the value.
pub type Resolved<T> = Result<Result<T, Missing>, ClusterError>;

/// Reads what the settings refer to in the Runtime's namespace, uncached.
pub struct Resolver<'a> {
    /// The cluster's client, or why there is none; it isn't needed for what the settings hold themselves.
    pub client: Result<Client, ClusterError>,
    /// The Runtime's namespace, which is the release's.
    pub namespace: &'a str,
    /// Whether a call is retried for some seconds while the API server has just started: for commands. The
    /// controller has its own backoff.
    pub patient: bool,
}

impl Resolver<'_> {
    /// A Secret; `None` if there is none.
    ///
    /// # Errors
    /// The call failed otherwise than by status 404.
    pub async fn secret(&self, name: &str) -> Result<Option<Secret>, ClusterError> {
        self.find(name).await
    }

    async fn find<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
    {
        let Self { client, namespace, patient } = self;
        let client = client.as_ref().map_err(Clone::clone)?;
        if *patient { find_patiently(client, namespace, name).await } else { find(client, namespace, name).await }
    }

    /// One value of a Secret; [`Missing`] if it is empty.
    ///
    /// # Errors
    /// The call failed otherwise than by status 404.
    pub async fn secret_value(&self, name: &str, key: &str) -> Resolved<Vec<u8>> {
        let secret = self.secret(name).await?;
        Ok(filled_value(secret.as_ref(), self.namespace, name, key))
    }

    /// One value of a `ConfigMap`; [`Missing`] if it is empty.
    ///
    /// # Errors
    /// The call failed otherwise than by status 404.
    pub async fn config_map_value(&self, name: &str, key: &str) -> Resolved<String> {
        let map: Option<ConfigMap> = self.find(name).await?;
        let there = map.is_some();
        let text = map.and_then(|map| map.data).and_then(|mut data| data.remove(key));
        let place = Place { kind: "ConfigMap", namespace: self.namespace, name, key };
        Ok(place.held(there, text).and_then(|text| place.filled(text, String::is_empty)))
    }
}

/// One value of a Secret that was read; it may be empty. `namespace` and `name` are for the error.
///
/// # Errors
/// There is no Secret, or it lacks the key.
pub fn value(secret: Option<&Secret>, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, Missing> {
    let bytes = secret.and_then(|secret| secret.data.as_ref()).and_then(|data| data.get(key));
    Place { kind: "Secret", namespace, name, key }.held(secret.is_some(), bytes.map(|bytes| bytes.0.clone()))
}

/// As [`value`], but an empty value counts as missing.
///
/// # Errors
/// There is no Secret, it lacks the key, or the value is empty.
pub fn filled_value(secret: Option<&Secret>, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, Missing> {
    let bytes = value(secret, namespace, name, key)?;
    Place { kind: "Secret", namespace, name, key }.filled(bytes, Vec::is_empty)
}

/// The place of a value, for the sentence that says what is missing: the object, the key or the value.
struct Place<'a> {
    kind: &'static str,
    namespace: &'a str,
    name: &'a str,
    key: &'a str,
}

impl Place<'_> {
    fn held<T>(&self, is_there: bool, value: Option<T>) -> Result<T, Missing> {
        let Self { kind, namespace, name, key } = self;
        value.ok_or_else(|| {
            Missing(if is_there {
                format!("{kind} {namespace}/{name} has no key {key}")
            } else {
                format!("there is no {kind} {namespace}/{name}")
            })
        })
    }

    fn filled<T>(&self, value: T, is_empty: fn(&T) -> bool) -> Result<T, Missing> {
        let Self { kind, namespace, name, key } = self;
        if is_empty(&value) { Err(Missing(format!("{key} in {kind} {namespace}/{name} is empty"))) } else { Ok(value) }
    }
}

/// The Secret and key that hold the API key: in token mode those of the settings, in password mode
/// `argocd-token`, which the controller fills.
#[must_use]
pub fn key_place(auth: &Auth) -> SecretKeyRef {
    match auth.mode {
        Mode::Password => GENERATED_TOKEN.into(),
        Mode::Token => auth.credential.clone(),
    }
}

#[cfg(test)]
mod tests;
