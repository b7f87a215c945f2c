//! The password of the account, and values that can't be one.

use super::{Missing, Resolved, Resolver, filled_value};
use crate::core::SecretKeyRef;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

impl Resolver<'_> {
    /// The password in a Secret's key.
    ///
    /// # Errors
    /// The call that reads it failed.
    pub async fn password(&self, place: &SecretKeyRef) -> Resolved<SecretString> {
        let secret = self.secret(&place.name).await?;
        Ok(self.password_in(secret.as_ref(), place))
    }

    /// The password in a Secret that was read already. `place` is its key, and its name for errors.
    ///
    /// # Errors
    /// It isn't there, is empty, isn't UTF-8, or can't be a password.
    pub fn password_in(&self, secret: Option<&Secret>, place: &SecretKeyRef) -> Result<SecretString, Missing> {
        let SecretKeyRef { name, key, .. } = place;
        let place = || format!("{key} in Secret {}/{name}", self.namespace);
        let bytes = filled_value(secret, self.namespace, name, key)?;
        let text = String::from_utf8(bytes).map_err(|_| Missing(format!("{} is not text", place())))?;
        match no_password(&text) {
            Some(what) => Err(Missing(format!("{} is {what}, and no password", place()))),
            None => Ok(SecretString::from(text)),
        }
    }
}

/// What the text is, if it can't be a password: a bcrypt hash, its base64, or a placeholder; else `None`. No
/// login is spent on it, since Argo CD counts failed ones.
#[must_use]
pub fn no_password(text: &str) -> Option<&'static str> {
    let text = text.trim();
    let is_bcrypt = |text: &str| {
        let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|form| text.strip_prefix(form));
        text.len() == 60 && rest.is_some()
    };
    if is_bcrypt(text) {
        return Some("a bcrypt hash");
    }
    let decoded = STANDARD.decode(text).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if decoded.is_some_and(|text| is_bcrypt(text.trim())) {
        return Some("the base64 of a bcrypt hash");
    }
    // Of argocd-vault-plugin, envsubst, Helm's templates and vals.
    let within = |begin: &str, end: &str| text.strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
    let is_name =
        |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let placeholder = within("<path:", ">").is_some_and(|path| !path.is_empty())
        || within("${", "}").is_some_and(is_name)
        || within("{{", "}}").is_some_and(|inner| !inner.trim().is_empty())
        || text.strip_prefix("ref+").is_some_and(|rest| rest.contains("://"));
    placeholder.then_some("a placeholder that nothing has filled in")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_no_password_is_named() {
        let hash = "$2a$10$ejFlHeMXuAGnTOL8T0fy2uMI2ZYyLl5nSyLVtD1u9XGaKEa8Zzr2e";
        assert_eq!(no_password(hash), Some("a bcrypt hash"));
        assert_eq!(no_password(&STANDARD.encode(hash)), Some("the base64 of a bcrypt hash"));
        for placeholder in
            ["<path:vault/data/argocd#password>", "${ARGOCD_PASSWORD}", "{{ .password }}", "ref+vault://a/b#/c"]
        {
            assert!(no_password(placeholder).is_some_and(|what| what.contains("placeholder")), "{placeholder}");
        }
        for password in
            ["", "hunter2", "$2a$10$short", "<", "${}", "a<b>c", "ref+1", "${x}", "<path:>", "cGFzc3dvcmQ=", "x-y_z"]
        {
            assert_eq!(no_password(password), None, "{password}");
        }
    }
}
