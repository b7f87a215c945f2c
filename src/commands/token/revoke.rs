//! `token revoke`: revokes an API key.

use super::{Source, log_in};
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route};
use crate::commands::terminal::Progress;
use crate::core::token::Claims;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::fmt;

/// Which key to revoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The key with this id.
    Id(String),
    /// The key in this place. It is its own credential: an account may revoke its keys with any of them.
    Token(Source),
}

/// The result of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    account: String,
    id: String,
    server: String,
    /// Whether there was such a key.
    pub existed: bool,
}

/// Revokes a key. Without `force`, the one in the Runtime's Secret is left alone.
///
/// # Errors
/// The key can't be read, is in use, or Argo CD can't be asked to revoke it.
pub async fn revoke(
    access: &CommandContext,
    which: &Which,
    password: Option<&PasswordFrom>,
    force: bool,
) -> Result<Revoked, ContextError> {
    let (account, id, token) = match which {
        Which::Id(id) => (access.account().await?, id.clone(), None),
        Which::Token(source) => by_token(access, source).await?,
    };
    if !force && let Some(place) = in_use(access, &id).await {
        return Err(ContextError::Other(format!(
            "key {id} is the one that the Runtime uses ({place}): its services would lose their access at once; give \
             --force to revoke it all the same"
        )));
    }
    let progress = Progress::begin("reaching Argo CD");
    let route = access.argocd().await?;
    drop(progress);
    let credential = credential(access, &route, &account, token, password).await?;
    let progress = Progress::begin("revoking the key");
    let existed = route.server.delete_token(&credential, &account, &id).await.map_err(|error| route.explain(error))?;
    drop(progress);
    Ok(Revoked { account, id, server: route.describe(), existed })
}

async fn by_token(
    access: &CommandContext,
    source: &Source,
) -> Result<(String, String, Option<SecretString>), ContextError> {
    let bytes = source.read(access).await?;
    let wrong = |why: &dyn fmt::Display| ContextError::Other(format!("the token in {source} can't be revoked: {why}"));
    let claims = Claims::read(&bytes).map_err(|flaw| wrong(&flaw))?;
    let (Some(account), Some(id)) = (claims.subject.account(), claims.id.clone()) else {
        return Err(wrong(&"it is no account's, or has no id"));
    };
    let token = String::from_utf8_lossy(&bytes).into_owned();
    Ok((account.to_owned(), id, Some(SecretString::from(token))))
}

/// The place of the Runtime's own key, if it has this id; `None` also if it can't be read.
async fn in_use(access: &CommandContext, id: &str) -> Option<String> {
    let place = access.key_place();
    let bytes = access.secret_value(&place).await.ok()?;
    let claims = Claims::read(bytes.trim_ascii()).ok()?;
    (claims.id.as_deref() == Some(id)).then(|| format!("Secret {}/{place}", access.namespace()))
}

/// The token itself if Argo CD accepts it, else a session.
async fn credential(
    access: &CommandContext,
    route: &Route,
    account: &str,
    token: Option<SecretString>,
    password: Option<&PasswordFrom>,
) -> Result<SecretString, ContextError> {
    if let (Some(token), None) = (token, password)
        && route.server.userinfo(&token).await.map_err(|error| route.explain(error))?.logged_in
    {
        return Ok(token);
    }
    log_in(access, route, account, password.unwrap_or(&PasswordFrom::Settings)).await
}

impl Revoked {
    /// The result as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({ "account": self.account, "id": self.id, "server": self.server, "revoked": self.existed })
    }
}

impl fmt::Display for Revoked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, id, server, .. } = self;
        if self.existed {
            writeln!(f, "Revoked API key {id} of account {account} at {server}.")
        } else {
            writeln!(f, "There is no API key {id} of account {account} at {server}: nothing was revoked.")
        }
    }
}
