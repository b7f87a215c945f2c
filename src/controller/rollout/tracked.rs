//! Tracks the values of Secrets, as keyed hashes.

use crate::cluster::{Cause, ClusterError, filled, last_written};
use crate::controller::Context;
use crate::controller::state::StateSecret;
pub(super) use crate::controller::state::VALUES_ENTRY;
use crate::drift::{History, Key, TrackedKeys};
use crate::time::{Seconds, now};
use k8s_openapi::api::core::v1::Secret;

/// Reads every tracked Secret and records new values. Returns whether anything has changed.
///
/// # Errors
/// A Secret can't be read, for another reason than a missing permission.
pub(super) async fn note(
    context: &Context,
    subjects: &TrackedKeys,
    state: &StateSecret,
    history: &mut History,
) -> Result<bool, ClusterError> {
    let mut changed = false;
    let before = history.clone();
    history.keep(|key| subjects.keys.contains(key));
    for name in subjects.secrets() {
        let secret = match context.find::<Secret>(name).await {
            Ok(secret) => secret,
            Err(error) if matches!(error.cause, Cause::Forbidden(_)) => {
                tracing::warn!(%error, "whether pods hold an earlier value of it isn't known");
                continue;
            }
            Err(error) => return Err(error),
        };
        let now = now();
        let written = secret.as_ref().and_then(written);
        for key in subjects.keys.iter().filter(|key| key.secret == name) {
            let hash = secret.as_ref().and_then(|secret| digest(secret, key, state));
            if history.note(key, hash, written, now) {
                tracing::info!(%key, "another value of a Secret's key");
                changed = true;
            }
        }
    }
    Ok(changed || before != *history)
}

/// The keyed hash of a value. An empty value counts as none, since nobody could use it.
fn digest(secret: &Secret, key: &Key, state: &StateSecret) -> Option<String> {
    Some(state.value_digest(key, filled(secret, &key.key)?))
}

/// When the Secret was last written by anybody, by its managed fields.
fn written(secret: &Secret) -> Option<Seconds> {
    let created = secret.metadata.creation_timestamp.as_ref().map(|time| time.0.as_second());
    last_written(&secret.metadata).max(created)
}
