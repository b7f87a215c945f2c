//! Secrets that a person names.

use super::{CommandContext, ContextError};
use crate::cluster::{Cause, ClusterError, FIELD_MANAGER, call, filled, merge_if};
use crate::resolve::value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// One value of a Secret, as `NAME` or `NAME/KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret's name.
    pub name: String,
    /// The key in its data.
    pub key: String,
}

impl SecretKey {
    /// Parses `NAME/KEY`, or `NAME` with `key` as its key.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str, key: &str) -> Result<Self, String> {
        let (name, key) = text.split_once('/').unwrap_or((text, key));
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        };
        if plain(name) && plain(key) {
            Ok(Self { name: name.to_owned(), key: key.to_owned() })
        } else {
            Err(format!("{text:?} is neither NAME nor NAME/KEY of a Secret"))
        }
    }
}

/// `token` is the key if none is named.
impl FromStr for SecretKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, "token")
    }
}

impl fmt::Display for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, key {}", self.name, self.key)
    }
}

impl CommandContext {
    /// The bytes of one value of a Secret in the Runtime's namespace.
    ///
    /// # Errors
    /// It can't be read, or isn't there. An empty value isn't an error here.
    pub async fn secret_value(&self, place: &SecretKey) -> Result<Vec<u8>, ContextError> {
        let resolver = self.resolver();
        let secret = resolver.secret(&place.name).await?;
        Ok(value(secret.as_ref(), resolver.namespace, &place.name, &place.key)?)
    }
}

/// How a value was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The Secret was created.
    Created,
    /// The Secret existed, and was patched.
    Changed,
}

impl CommandContext {
    fn secrets(&self) -> Result<Api<Secret>, ContextError> {
        Ok(Api::namespaced(self.client()?.clone(), self.namespace()))
    }

    /// Checks that a value may be written: there is none yet, or `replace` is set.
    ///
    /// # Errors
    /// There is a value already, or the Secret can't be read.
    pub async fn check_free(&self, place: &SecretKey, replace: bool) -> Result<(), ContextError> {
        let found = self.resolver().secret(&place.name).await?;
        if replace || found.is_none_or(|secret| filled(&secret, &place.key).is_none()) {
            return Ok(());
        }
        let namespace = self.namespace();
        Err(ContextError::Other(format!(
            "Secret {namespace}/{} already has a value at {}; give --replace to overwrite it",
            place.name, place.key
        )))
    }

    /// Writes a value into a Secret of the Runtime's namespace, if [`Self::check_free`] allows it; creates
    /// the Secret if there is none.
    ///
    /// # Errors
    /// As [`Self::check_free`], or the Secret can't be written or has changed meanwhile.
    pub async fn write_secret(
        &self,
        place: &SecretKey,
        value: &SecretString,
        replace: bool,
    ) -> Result<Written, ContextError> {
        let (secrets, name) = (self.secrets()?, &place.name);
        let what = format!("writing Secret {}/{name}", self.namespace());
        self.check_free(place, replace).await?;
        let Some(found) = self.resolver().secret(&place.name).await? else {
            let mut secret = Secret { type_: Some("Opaque".to_owned()), ..Secret::default() };
            secret.metadata.name = Some(name.clone());
            secret.string_data = Some(BTreeMap::from([(place.key.clone(), value.expose_secret().to_owned())]));
            let parameters = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
            call(&what, secrets.create(&parameters, &secret)).await?;
            return Ok(Written::Created);
        };
        let Some(version) = found.metadata.resource_version.as_deref() else {
            return Err(ClusterError { what, cause: Cause::Unreadable }.into());
        };
        let patch = json!({ "data": { &place.key: STANDARD.encode(value.expose_secret()) } });
        merge_if::<Secret>(&secrets, &what, name, Some(version), patch).await?;
        Ok(Written::Changed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_named_with_or_without_its_key() {
        let read = |text: &str| text.parse::<SecretKey>().map(|place| place.to_string());
        assert_eq!(read("argocd-token"), Ok("argocd-token, key token".to_owned()));
        assert_eq!(read("mine/key.txt"), Ok("mine, key key.txt".to_owned()));
        for bad in ["", "/", "a/", "/b", "a b", "a/b/c", "ns:a"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
