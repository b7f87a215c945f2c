//! From the settings to what stands in the cluster: where the API key is, whose it is, the password, and
//! how Argo CD is reached and trusted. The controller and the commands ask here, so that they can't differ.

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

/// What settings refer to and isn't there, or is no such thing: a sentence without a value in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

/// The outer error: the API server couldn't be asked, which says nothing about what stands there.
pub type Resolved<T> = Result<Result<T, Missing>, ClusterError>;

/// Reads what settings refer to in the Runtime's namespace, always fresh.
pub struct Resolver<'a> {
    /// The way to the cluster, or why there is none: what settings say by themselves needs none.
    pub client: Result<Client, ClusterError>,
    /// The Runtime's namespace, which is the release's.
    pub namespace: &'a str,
    /// Whether an API server that has just started is given time, as a person's command does; a
    /// controller backs off by itself.
    pub patient: bool,
}

impl Resolver<'_> {
    /// A Secret; nothing where there is none.
    ///
    /// # Errors
    /// The API server can't be asked, or doesn't allow it.
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

    /// One value of a Secret, which isn't empty.
    ///
    /// # Errors
    /// The API server can't be asked, or doesn't allow it.
    pub async fn secret_value(&self, name: &str, key: &str) -> Resolved<Vec<u8>> {
        let secret = self.secret(name).await?;
        Ok(filled_value(secret.as_ref(), self.namespace, name, key))
    }

    /// One value of a `ConfigMap`, which isn't empty.
    ///
    /// # Errors
    /// The API server can't be asked, or doesn't allow it.
    pub async fn config_map_value(&self, name: &str, key: &str) -> Resolved<String> {
        let map: Option<ConfigMap> = self.find(name).await?;
        let there = map.is_some();
        let text = map.and_then(|map| map.data).and_then(|mut data| data.remove(key));
        let place = Place { kind: "ConfigMap", namespace: self.namespace, name, key };
        Ok(place.held(there, text).and_then(|text| place.filled(text, String::is_empty)))
    }
}

/// One value of a Secret that was read. It may be empty: API servers take that for a value, and who looks
/// at a person's token says so of it.
///
/// # Errors
/// There is no Secret, or it hasn't the key.
pub fn value(secret: Option<&Secret>, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, Missing> {
    let bytes = secret.and_then(|secret| secret.data.as_ref()).and_then(|data| data.get(key));
    Place { kind: "Secret", namespace, name, key }.held(secret.is_some(), bytes.map(|bytes| bytes.0.clone()))
}

/// The same, where an empty value is as good as none.
///
/// # Errors
/// There is no Secret, it hasn't the key, or the value is empty.
pub fn filled_value(secret: Option<&Secret>, namespace: &str, name: &str, key: &str) -> Result<Vec<u8>, Missing> {
    let bytes = value(secret, namespace, name, key)?;
    Place { kind: "Secret", namespace, name, key }.filled(bytes, Vec::is_empty)
}

/// Where a value stands, for the sentence that says which of the three is missing: the object, the key or
/// the value.
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

/// Which Secret and key hold the API key: the ones that the settings name, and in password mode, where
/// they name a password, those that the controller fills.
#[must_use]
pub fn key_place(auth: &Auth) -> SecretKeyRef {
    match auth.mode {
        Mode::Password => GENERATED_TOKEN.into(),
        Mode::Token => auth.credential.clone(),
    }
}

#[cfg(test)]
mod tests;
