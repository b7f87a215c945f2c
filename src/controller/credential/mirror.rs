//! Secret `argocd-token` in token mode: promotion workflows read it in either mode, and nobody else
//! writes it. It holds a copy of the token where `credentials.mirrorToken` asks for one, and a key of
//! ours that password mode left there doesn't stay to look alive.

use super::argocd_probe;
use super::id::Prefix;
use super::source::Sources;
use crate::argocd::Account;
use crate::controller::Context;
use crate::core::{GENERATED_TOKEN, Mode};
use crate::time::Seconds;
use k8s_openapi::api::core::v1::Secret;

/// What there is to do about the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// Nothing: it is as it should be, or nobody's business.
    InOrder,
    /// The copy isn't the token.
    Differs,
    /// A key of ours stands there that nothing keeps alive any more.
    Former {
        /// Its id.
        id: String,
        /// Whether Argo CD doesn't list it any more.
        gone: bool,
    },
}

/// What this release does with the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    /// The settings refer to it themselves.
    None,
    /// It keeps a copy there.
    Copy,
    /// It takes a key of its own away.
    Clear,
}

/// What the settings want of it.
pub(super) fn care(context: &Context) -> Care {
    let (auth, credentials) = (&context.settings.auth, &context.settings.credentials);
    let refers = auth.credential.name == GENERATED_TOKEN.name;
    match auth.mode {
        Mode::Password => Care::None,
        Mode::Token if credentials.mirror_token && !(refers && auth.credential.key == GENERATED_TOKEN.key) => {
            Care::Copy
        }
        Mode::Token if refers || credentials.mirror_token => Care::None,
        Mode::Token => Care::Clear,
    }
}

/// What stands in the Secret, beside what belongs there.
pub(super) fn observe(
    context: &Context,
    prefix: &Prefix,
    sources: &Sources,
    accounts: &[Account],
    now: Seconds,
) -> Mirror {
    let found = bytes(sources.mirror_secret.as_ref());
    match care(context) {
        Care::None => Mirror::InOrder,
        Care::Copy if sources.key.as_deref().ok() == found => Mirror::InOrder,
        Care::Copy => Mirror::Differs,
        Care::Clear => {
            let Some(found) = found else { return Mirror::InOrder };
            let Ok(held) = argocd_probe::held(&Ok(found.to_vec()), None, now) else { return Mirror::InOrder };
            if !prefix.is_ours(&held.id) {
                return Mirror::InOrder;
            }
            let account = accounts.iter().find(|account| account.name == held.account);
            let gone = account.is_some_and(|account| account.token(&held.id).is_none());
            Mirror::Former { id: held.id, gone }
        }
    }
}

fn bytes(secret: Option<&Secret>) -> Option<&[u8]> {
    let data = secret?.data.as_ref()?.get(GENERATED_TOKEN.key)?;
    Some(data.0.as_slice()).filter(|bytes| !bytes.is_empty())
}

#[cfg(test)]
mod tests;
