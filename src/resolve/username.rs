//! Whose the API key is.

use super::{Missing, Resolved, Resolver};
use crate::core::{SecretKeyRef, Username};

/// What Argo CD takes as the name of an account, in characters.
const MAX_LENGTH: usize = 32;

impl Resolver<'_> {
    /// The account's name, which the settings give or say where to read.
    ///
    /// # Errors
    /// The API server can't be asked, or doesn't allow it.
    pub async fn username(&self, from: &Username) -> Resolved<String> {
        let (text, place) = match from {
            Username::Plain(name) => return Ok(Ok(name.clone())),
            Username::SecretKey(SecretKeyRef { name, key, .. }) => {
                let bytes = self.secret_value(name, key).await?;
                let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                (text, format!("{key} in Secret {}/{name}", self.namespace))
            }
            Username::ConfigMapKey(reference) => {
                let (name, key) = (&reference.name, &reference.key);
                let text = self.config_map_value(name, key).await?;
                (text, format!("{key} in ConfigMap {}/{name}", self.namespace))
            }
        };
        // Its text isn't said: it may be a password in the wrong place.
        Ok(text.and_then(|text| {
            let wrong = || Missing(format!("{place} is no user name: letters, digits, '-', '_' and '.', at most 32"));
            if is_account_name(&text) { Ok(text) } else { Err(wrong()) }
        }))
    }
}

/// Whether it can be the name of an account of Argo CD's.
#[must_use]
pub fn is_account_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !text.is_empty() && text.len() <= MAX_LENGTH && text.chars().all(allowed)
}
