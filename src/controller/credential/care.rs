//! What the settings want of Secret `argocd-token` in token mode.

use crate::controller::Context;
use crate::core::{GENERATED_TOKEN, Mode};

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
