//! What stands in the cluster: the key, the user name and the password.

use super::care::{Care, care};
use crate::cluster::ClusterError;
use crate::controller::Context;
use crate::core::{GENERATED_TOKEN, Mode, SecretKeyRef, Username};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use secrecy::SecretString;

/// The annotation with which a person asks for a look, on the Secret with the credential or the key.
pub(super) const CHECK: &str = "argocd-auth-webhook/check";

/// What was read, each with what is missing where it isn't there.
pub(super) struct Sources {
    /// The Secret that holds the key, as it was read.
    pub key_secret: Option<Secret>,
    /// Secret `argocd-token` in token mode, where it matters.
    pub mirror_secret: Option<Secret>,
    /// The key's bytes.
    pub key: Result<Vec<u8>, String>,
    /// Whose key it is to be; only in password mode.
    pub username: Result<String, String>,
    /// The password; only in password mode.
    pub password: Result<SecretString, String>,
    /// What a person wrote into the annotation, with the name of the Secret.
    pub requests: Vec<(String, String)>,
}

/// Which Secret and key hold the key.
pub(super) fn key_place(context: &Context) -> SecretKeyRef {
    let auth = &context.settings.auth;
    match auth.mode {
        Mode::Password => GENERATED_TOKEN.into(),
        Mode::Token => auth.credential.clone(),
    }
}

/// Reads all of it, always fresh: a watch's copy could be behind what this process wrote.
pub(super) async fn read(context: &Context) -> Result<Sources, ClusterError> {
    let auth = &context.settings.auth;
    let place = key_place(context);
    let key_secret = secret(context, &place.name).await?;
    let key = value(context, key_secret.as_ref(), &place.name, &place.key);
    let (credential, username, password) = match auth.mode {
        Mode::Token => (key_secret.clone(), Err(String::new()), Err(String::new())),
        Mode::Password => {
            let SecretKeyRef { name, key, .. } = &auth.credential;
            let credential = secret(context, name).await?;
            let password = value(context, credential.as_ref(), name, key).and_then(|bytes| {
                let text = String::from_utf8(bytes);
                let text = text.map_err(|_| format!("{key} in Secret {name} is not text"))?;
                match no_password(&text) {
                    Some(what) => Err(format!("{key} in Secret {name} is {what}, and no password")),
                    None => Ok(SecretString::from(text)),
                }
            });
            (credential, username(context).await?, password)
        }
    };
    let asked = |secret: &Secret| {
        let value = secret.metadata.annotations.as_ref()?.get(CHECK)?;
        Some((secret.metadata.name.clone()?, value.clone()))
    };
    let requests = [&key_secret, &credential].into_iter().flatten().filter_map(asked).collect();
    let mirror_secret = match care(context) {
        Care::None => None,
        _ if place.name == GENERATED_TOKEN.name => key_secret.clone(),
        Care::Copy | Care::Clear => secret(context, GENERATED_TOKEN.name).await?,
    };
    Ok(Sources { key_secret, mirror_secret, key, username, password, requests })
}

pub(super) async fn secret(context: &Context, name: &str) -> Result<Option<Secret>, ClusterError> {
    context.find(name).await
}

pub(super) async fn config_map(context: &Context, name: &str) -> Result<Option<ConfigMap>, ClusterError> {
    context.find(name).await
}

/// One key of a Secret. An empty one counts as none.
pub(super) fn value(context: &Context, secret: Option<&Secret>, name: &str, key: &str) -> Result<Vec<u8>, String> {
    let namespace = &context.options.namespace;
    let Some(secret) = secret else { return Err(format!("there is no Secret {namespace}/{name}")) };
    let found = secret.data.as_ref().and_then(|data| data.get(key));
    match found {
        Some(bytes) if !bytes.0.is_empty() => Ok(bytes.0.clone()),
        Some(_) => Err(format!("{key} in Secret {namespace}/{name} is empty")),
        None => Err(format!("Secret {namespace}/{name} has no key {key}")),
    }
}

async fn username(context: &Context) -> Result<Result<String, String>, ClusterError> {
    let (text, place) = match &context.settings.auth.username {
        Username::Plain(name) => return Ok(Ok(name.clone())),
        Username::SecretKey(SecretKeyRef { name, key, .. }) => {
            let secret = secret(context, name).await?;
            let bytes = value(context, secret.as_ref(), name, key);
            let text = bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            (text, format!("{key} in Secret {name}"))
        }
        Username::ConfigMapKey(reference) => {
            let (name, key) = (&reference.name, &reference.key);
            let map = config_map(context, name).await?;
            let text = map.and_then(|map| map.data).and_then(|mut data| data.remove(key));
            let place = format!("{key} in ConfigMap {name}");
            (text.filter(|text| !text.is_empty()).ok_or_else(|| format!("there is no {place}")), place)
        }
    };
    // Its text isn't said: it may be a password in the wrong place.
    Ok(text.and_then(|text| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if !text.is_empty() && text.len() <= 32 && text.chars().all(allowed) {
            Ok(text)
        } else {
            Err(format!("{place} is no user name: letters, digits, '-', '_' and '.', at most 32"))
        }
    }))
}

/// What it is, if it can't be a password that anybody logs in with. No login is spent on it.
fn no_password(text: &str) -> Option<&'static str> {
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
    // As argocd-vault-plugin, envsubst, templates of Helm's and vals write them.
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
