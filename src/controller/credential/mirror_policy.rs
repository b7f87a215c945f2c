//! What happens to Secret `argocd-token` in token mode.

use crate::controller::Context;
use crate::core::{GENERATED_TOKEN, Mode};

/// What this release does with the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MirrorPolicy {
    /// Nothing: in password mode the key lives there, and in token mode the settings refer to it.
    None,
    /// Keep a verified copy of the token in it.
    Copy,
    /// Remove a key of ours that password mode left in it.
    Clear,
}

/// Derives it from mode and settings.
pub(super) fn mirror_policy(context: &Context) -> MirrorPolicy {
    let (auth, credentials) = (&context.settings.auth, &context.settings.credentials);
    let refers = auth.credential.name == GENERATED_TOKEN.name;
    match auth.mode {
        Mode::Password => MirrorPolicy::None,
        Mode::Token if credentials.mirror_token && !(refers && auth.credential.key == GENERATED_TOKEN.key) => {
            MirrorPolicy::Copy
        }
        Mode::Token if refers || credentials.mirror_token => MirrorPolicy::None,
        Mode::Token => MirrorPolicy::Clear,
    }
}
