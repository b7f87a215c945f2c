//! The name of the account that the API key is for.

use super::{Missing, Resolved, Resolver};
use crate::core::{SecretKeyRef, Username};

/// The longest name of an account that is accepted, in characters.
const MAX_LENGTH: usize = 32;

impl Resolver<'_> {
    /// The account's name: plain in the settings, or from a Secret or `ConfigMap` that they name.
    ///
    /// # Errors
    /// The call that reads it failed.
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
        // The text isn't quoted: it may be a password in the wrong place.
        Ok(text.and_then(|text| {
            let wrong = || Missing(format!("{place} is no user name: letters, digits, '-', '_' and '.', at most 32"));
            if is_account_name(&text) { Ok(text) } else { Err(wrong()) }
        }))
    }
}

/// Whether the text can be the name of an account of Argo CD: 1 to 32 of ASCII letters, digits, `-`, `.`,
/// `_`.
#[must_use]
pub fn is_account_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    !text.is_empty() && text.len() <= MAX_LENGTH && text.chars().all(allowed)
}
