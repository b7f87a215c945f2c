//! Reads the key, the user name and the password from the cluster.

use super::mirror_policy::{MirrorPolicy, mirror_policy};
use crate::cluster::ClusterError;
use crate::controller::Context;
use crate::core::{GENERATED_TOKEN, Mode, SecretKeyRef};
use crate::resolve::{self, Missing, Resolver, filled_value};
use k8s_openapi::api::core::v1::Secret;
use secrecy::SecretString;

/// The annotation by which a person requests a check, on the Secret with the credential or the key.
pub(super) const CHECK: &str = "argocd-auth-webhook/check";

/// What was read; an error says what is missing. Holds secret values, so it has no `Debug`.
pub(super) struct Sources {
    /// The Secret that holds the key, as it was read.
    pub key_secret: Option<Secret>,
    /// Secret `argocd-token` in token mode; `None` if it doesn't exist or nothing is done with it.
    pub mirror_secret: Option<Secret>,
    /// The key's bytes as in the Secret, not wrapped; never empty.
    pub key: Result<Vec<u8>, Missing>,
    /// The account that logs in and whose key is minted; only in password mode.
    pub username: Result<String, Missing>,
    /// The password; only in password mode.
    pub password: Result<SecretString, Missing>,
    /// The requests of people: the Secret's name and the annotation's value; at most two.
    pub requests: Vec<(String, String)>,
}

/// Reads what the settings refer to in the release's namespace.
pub(super) fn resolver(context: &Context) -> Resolver<'_> {
    Resolver { client: Ok(context.client.clone()), namespace: &context.options.namespace, patient: false }
}

/// The Secret and its key that hold the API key.
pub(super) fn key_place(context: &Context) -> SecretKeyRef {
    resolve::key_place(&context.settings.auth)
}

/// Reads all of it, uncached: a watch's copy could be older than this process's writes.
pub(super) async fn read(context: &Context) -> Result<Sources, ClusterError> {
    let (auth, resolver) = (&context.settings.auth, resolver(context));
    let place = key_place(context);
    let key_secret = resolver.secret(&place.name).await?;
    let key = filled_value(key_secret.as_ref(), resolver.namespace, &place.name, &place.key);
    let unused = || Missing(String::new());
    let (credential, username, password) = match auth.mode {
        Mode::Token => (key_secret.clone(), Err(unused()), Err(unused())),
        Mode::Password => {
            let credential = resolver.secret(&auth.credential.name).await?;
            let password = resolver.password_in(credential.as_ref(), &auth.credential);
            (credential, resolver.username(&auth.username).await?, password)
        }
    };
    let asked = |secret: &Secret| {
        let value = secret.metadata.annotations.as_ref()?.get(CHECK)?;
        Some((secret.metadata.name.clone()?, value.clone()))
    };
    let requests = [&key_secret, &credential].into_iter().flatten().filter_map(asked).collect();
    let mirror_secret = match mirror_policy(context) {
        MirrorPolicy::None => None,
        _ if place.name == GENERATED_TOKEN.name => key_secret.clone(),
        MirrorPolicy::Copy | MirrorPolicy::Clear => resolver.secret(GENERATED_TOKEN.name).await?,
    };
    Ok(Sources { key_secret, mirror_secret, key, username, password, requests })
}
