//! `token`: mints, verifies and revokes API keys by hand.

mod generate;
mod revoke;
mod source;
mod verify;

pub use generate::{Generated, Order, Sink, checked_id, generate};
pub use revoke::{Revoked, Which, revoke};
pub use source::Source;
pub use verify::verify;

use crate::argocd::login_advice;
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route};
use crate::commands::terminal::Progress;
use secrecy::SecretString;

/// Logs in as the account. The session is used by the command and then dropped.
async fn log_in(
    access: &CommandContext,
    route: &Route,
    account: &str,
    password: &PasswordFrom,
) -> Result<SecretString, ContextError> {
    let password = access.password(password, account).await?;
    let _progress = Progress::begin("logging in to Argo CD");
    route.log_in(account, &password).await.map_err(|error| match login_advice(&error) {
        Some(advice) => ContextError::Other(format!("{error}; to do: {advice}")),
        None => error.into(),
    })
}
