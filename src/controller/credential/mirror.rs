//! Secret `argocd-token` in token mode. Promotion workflows read it in either mode, and nobody else writes
//! it. It gets a copy of the token if `credentials.mirrorToken` asks for that; and a key of ours that
//! password mode left there is removed, so that it doesn't look alive.

use super::argocd_probe;
use super::id::Prefix;
use super::mirror_policy::{MirrorPolicy, mirror_policy};
use super::snapshot::Mirror;
use super::source::Sources;
use crate::argocd::Account;
use crate::cluster::filled;
use crate::controller::Context;
use crate::core::GENERATED_TOKEN;
use crate::time::Seconds;
use k8s_openapi::api::core::v1::Secret;

/// Compares the Secret with what it should hold.
pub(super) fn observe(
    context: &Context,
    prefix: &Prefix,
    sources: &Sources,
    accounts: &[Account],
    now: Seconds,
) -> Mirror {
    let found = bytes(sources.mirror_secret.as_ref());
    match mirror_policy(context) {
        MirrorPolicy::None => Mirror::InOrder,
        MirrorPolicy::Copy if sources.key.as_deref().ok() == found => Mirror::InOrder,
        MirrorPolicy::Copy => Mirror::Differs,
        MirrorPolicy::Clear => {
            let Some(found) = found else { return Mirror::InOrder };
            let Ok(held) = argocd_probe::held(&Ok(found.to_vec()), None, now) else { return Mirror::InOrder };
            // The key is in this cluster's Secret, so this cluster names it.
            if !prefix.owns(&held.id, |_| true) {
                return Mirror::InOrder;
            }
            let account = accounts.iter().find(|account| account.name == held.account);
            let gone = account.is_some_and(|account| account.token(&held.id).is_none());
            Mirror::Former { id: held.id, gone }
        }
    }
}

/// The id of the key in the Secret, if it holds one.
pub(super) fn held_id(sources: &Sources, now: Seconds) -> Option<String> {
    let found = bytes(sources.mirror_secret.as_ref())?;
    argocd_probe::held(&Ok(found.to_vec()), None, now).ok().map(|held| held.id)
}

fn bytes(secret: Option<&Secret>) -> Option<&[u8]> {
    filled(secret?, GENERATED_TOKEN.key)
}

#[cfg(test)]
mod tests;
