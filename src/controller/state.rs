//! The Secret `<release>-state`: what has to survive the process. It holds no credential, only keyed hashes
//! of some; the random key of these hashes is in it, too, and is never logged or published. If the Secret is
//! lost, the process that knows its content writes it again.

use super::Context;
use super::context::{StateEntries, is_empty};
use crate::cluster::{Cause, ClusterError, merge_if};
use crate::drift::Key;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

const HASH_KEY: &str = "hash-key";
/// What was observed of the API key, and what is to be done about former keys.
pub(super) const CREDENTIAL_ENTRY: &str = "credential";
/// The login attempts that weren't seen to succeed.
pub(super) const LOGIN_ENTRY: &str = "login";
/// The last login that succeeded.
pub(super) const LOGIN_PROOF_ENTRY: &str = "logged-in";
/// The keyed hashes of the values that pods take up.
pub(super) const VALUES_ENTRY: &str = "values";
/// The evictions and restarts of workloads.
pub(super) const ROLLOUT_ENTRY: &str = "rollouts";
const HASH_KEY_LENGTH: usize = 32;

/// The state as it was read. A write succeeds only if nobody else has written since.
pub(super) struct StateSecret {
    version: String,
    entries: BTreeMap<String, Vec<u8>>,
    key: hmac::Key,
}

impl StateSecret {
    /// Reads the state, and creates it if there is none.
    ///
    /// # Errors
    /// A call failed; or something has to be written, and this process may not ([`Cause::NotLeading`]).
    pub(super) async fn open(context: &Context) -> Result<Self, ClusterError> {
        let name = name(context);
        let place = format!("Secret {}/{name}", context.options.namespace);
        let found = context.find::<Secret>(&name).await?;
        let empty = found.as_ref().is_none_or(is_empty);
        let rest = json!({ "type": "Opaque" });
        let secret = context.claim(&format!("making {place}"), &name, found, empty, rest).await?;
        let known = last(context).clone();
        let state = match Self::read(&secret) {
            Some(state) => state,
            None => match known {
                Some(known) => Self::restored(context, &name, &secret, &known).await?,
                None => Self::with_new_key(context, &name, &secret, &entries(&secret)).await?,
            },
        };
        *last(context) = Some(state.entries.clone());
        Ok(state)
    }

    /// Reads the state from this Secret; `None` if it has no hash key yet.
    pub(super) fn read(secret: &Secret) -> Option<Self> {
        let entries = entries(secret);
        let whole = entries.get(HASH_KEY).is_some_and(|key| key.len() == HASH_KEY_LENGTH);
        whole.then(|| Self::new(secret, entries))
    }

    fn new(secret: &Secret, entries: BTreeMap<String, Vec<u8>>) -> Self {
        let key = entries.get(HASH_KEY).map(Vec::as_slice).unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self { version: secret.metadata.resource_version.clone().unwrap_or_default(), entries, key }
    }

    /// Writes what this process knows into a Secret that was lost and is empty.
    async fn restored(
        context: &Context,
        name: &str,
        secret: &Secret,
        known: &StateEntries,
    ) -> Result<Self, ClusterError> {
        let what = format!("writing again what was lost of Secret {}/{name}", context.options.namespace);
        let data: BTreeMap<&String, String> =
            known.iter().map(|(name, bytes)| (name, STANDARD.encode(bytes))).collect();
        context.may_write(&what)?;
        let version = secret.metadata.resource_version.as_deref();
        let written = merge_if::<Secret>(&context.secrets(), &what, name, version, json!({ "data": data })).await?;
        tracing::warn!("Secret {}/{name} was lost, and is written again", context.options.namespace);
        Ok(Self::new(&written, entries(&written)))
    }

    /// Writes a new hash key. Drops all entries, since their hashes mean nothing without the former key.
    async fn with_new_key(
        context: &Context,
        name: &str,
        secret: &Secret,
        entries: &BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, ClusterError> {
        let what = format!("writing a new key into Secret {}/{name}", context.options.namespace);
        let mut key = [0; HASH_KEY_LENGTH];
        SystemRandom::new().fill(&mut key).map_err(|_| ClusterError {
            what: what.clone(),
            cause: Cause::Setup("there is no randomness".to_owned()),
        })?;
        let mut data: BTreeMap<&str, Value> = entries.keys().map(|old| (old.as_str(), Value::Null)).collect();
        data.insert(HASH_KEY, STANDARD.encode(key).into());
        context.may_write(&what)?;
        let version = secret.metadata.resource_version.as_deref();
        let written = merge_if::<Secret>(&context.secrets(), &what, name, version, json!({ "data": data })).await?;
        let entries = self::entries(&written);
        Ok(Self::new(&written, entries))
    }

    /// A keyed hash of these parts, in hexadecimal. Equal for equal parts, and useless without the key.
    pub(super) fn digest(&self, parts: &[&[u8]]) -> String {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        context.sign().as_ref().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The keyed hash of a value of a Secret's key.
    pub(super) fn value_digest(&self, key: &Key, value: &[u8]) -> String {
        self.digest(&[key.secret.as_bytes(), key.key.as_bytes(), value])
    }

    /// The entry of this name; `None` if there is none or it can't be parsed.
    pub(super) fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.entries.get(name).and_then(|bytes| serde_json::from_slice(bytes).ok())
    }

    /// Writes the entry of this name; `None` removes it. Does nothing if it has this value already.
    ///
    /// # Errors
    /// [`Cause::Conflict`] if the Secret has changed since it was read, [`Cause::NotLeading`] if this process
    /// may not write, else the cause of the failed call.
    pub(super) async fn put<T: Serialize>(
        &mut self,
        context: &Context,
        name: &str,
        value: Option<&T>,
    ) -> Result<(), ClusterError> {
        let secret = self::name(context);
        let what = format!("remembering {name} in Secret {}/{secret}", context.options.namespace);
        let bytes = value.map(serde_json::to_vec).transpose();
        let bytes = bytes.map_err(|_| ClusterError { what: what.clone(), cause: Cause::Unreadable })?;
        if bytes.as_ref() == self.entries.get(name) {
            return Ok(());
        }
        context.may_write(&what)?;
        let patch = json!({ "data": { name: bytes.map(|bytes| STANDARD.encode(bytes)) } });
        let written = merge_if::<Secret>(&context.secrets(), &what, &secret, Some(&self.version), patch).await?;
        self.version = written.metadata.resource_version.clone().unwrap_or_default();
        self.entries = entries(&written);
        *last(context) = Some(self.entries.clone());
        Ok(())
    }
}

/// The Secret's name.
pub(super) fn name(context: &Context) -> String {
    format!("{}-state", context.options.release)
}

/// Whether this process knows the Secret's content.
pub(super) fn is_remembered(context: &Context) -> bool {
    last(context).is_some()
}

/// The entries when this process last read or wrote them.
fn last(context: &Context) -> MutexGuard<'_, Option<StateEntries>> {
    context.remembered.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets the entries, because another process may write from now on.
pub(super) fn forget(context: &Context) {
    *last(context) = None;
}

fn entries(secret: &Secret) -> BTreeMap<String, Vec<u8>> {
    secret.data.iter().flatten().map(|(name, bytes)| (name.clone(), bytes.0.clone())).collect()
}

#[cfg(test)]
mod tests;
