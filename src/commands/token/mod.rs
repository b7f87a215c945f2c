//! `token`: making, judging and revoking an API key by hand.

mod generate;
mod revoke;
mod source;
mod verify;

pub use generate::{Generated, Order, Sink, checked_id, generate};
pub use revoke::{Revoked, Which, revoke};
pub use source::Source;
pub use verify::verify;

use crate::argocd::Cause;
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route};
use crate::commands::terminal::Progress;
use secrecy::SecretString;

/// Logs in as the account. The session is used by the command and thrown away.
async fn log_in(
    access: &CommandContext,
    route: &Route,
    account: &str,
    password: &PasswordFrom,
) -> Result<SecretString, ContextError> {
    let password = access.password(password, account).await?;
    let _progress = Progress::begin("logging in to Argo CD");
    route.server.login(account, &password).await.map_err(|error| {
        let error = route.explain(error);
        if matches!(error.cause, Cause::Unauthorized(_)) {
            ContextError::Said(format!(
                "{error}; to do: look whether password and account are right; after 5 refusals in 5 minutes a correct \
                 password is refused too, so wait that long before you try again"
            ))
        } else {
            error.into()
        }
    })
}
