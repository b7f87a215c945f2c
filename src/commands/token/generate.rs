//! `token generate`: mints an API key for a person.

use super::log_in;
use crate::argocd::Account;
use crate::argocd::fresh_uuid;
use crate::argocd::verify::{KeyVerdict, ask, claims, judge};
use crate::commands::context::{CommandContext, ContextError, PasswordFrom, Route, SecretKey, Written};
use crate::commands::terminal::Progress;
use crate::time::{now, rfc3339};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The prefix of the ids of keys minted by hand. It isn't the controller's, which would retire them.
const PREFIX: &str = "argocd-auth-by-hand-";
/// How long a fresh key may take to be accepted, as another replica may not know it yet.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
/// The delay between two checks of a fresh key within that time.
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// Where the key is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// To a Secret in the Runtime's namespace.
    Secret {
        /// The Secret and its key.
        place: SecretKey,
        /// Whether another value there may be overwritten.
        replace: bool,
    },
    /// To a new file with mode 0600.
    File(PathBuf),
    /// To standard output, by the caller.
    Stdout,
}

/// What to mint.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the account's password comes from.
    pub password: PasswordFrom,
    /// The key's id, checked by [`checked_id`]; `None` for a new one.
    pub id: Option<String>,
    /// How long the key is valid; `None` for a key that never expires.
    pub expires_in: Option<Duration>,
    /// Where the key is written.
    pub sink: Sink,
}

/// The key that was minted.
#[derive(Debug)]
pub struct Generated {
    account: String,
    id: String,
    expires_at: Option<i64>,
    server: String,
    wrote: String,
    secret: Option<String>,
    /// The key itself, if it goes to standard output.
    pub token: Option<SecretString>,
}

/// Mints an API key, verifies that it works, and writes it. If something fails after minting, the key is
/// revoked.
///
/// # Errors
/// A step failed. Nothing is left behind then, or the error says what is.
pub async fn generate(access: &CommandContext, order: &Order) -> Result<Generated, ContextError> {
    let account = access.account().await?;
    let id = order.id.clone().map_or_else(fresh_id, Ok)?;
    let progress = Progress::begin("reaching Argo CD");
    let route = access.argocd().await?;
    drop(progress);
    let session = log_in(access, &route, &account, &order.password).await?;
    let mut progress = Progress::begin("reading the account");
    let found = route.server.account(&session, &account).await.map_err(|error| route.explain(error))?;
    fit(&found, &id)?;
    // Before minting: if the place can't be written, there is no point in a key.
    let opened = Opened::new(access, &order.sink).await?;
    let made = Maker { access, route: &route, session: &session, account: &account, id: &id };
    progress.say("making the key");
    let token = made.create(order.expires_in).await?;
    progress.say("trying the key");
    let stored = match made.proven(&token).await {
        Ok(expires_at) => made.store(&order.sink, &token, opened).await.map(|wrote| (expires_at, wrote)),
        Err(error) => Err(error),
    };
    match stored {
        Ok((expires_at, (wrote, secret))) => Ok(Generated {
            account: account.clone(),
            id: id.clone(),
            expires_at,
            server: route.describe(),
            wrote,
            secret,
            token: (order.sink == Sink::Stdout).then_some(token),
        }),
        Err(error) => Err(made.undo(error).await),
    }
}

struct Maker<'m> {
    access: &'m CommandContext,
    route: &'m Route,
    session: &'m SecretString,
    account: &'m str,
    id: &'m str,
}

impl Maker<'_> {
    async fn create(&self, expires_in: Option<Duration>) -> Result<SecretString, ContextError> {
        let server = &self.route.server;
        match server.create_token(self.session, self.account, self.id, expires_in).await {
            Ok(token) => Ok(token),
            Err(error) => {
                let error = self.route.explain(error);
                let perhaps = error.cause.may_have_been_done();
                Err(if perhaps { self.undo(error.into()).await } else { error.into() })
            }
        }
    }

    /// Waits until Argo CD accepts the key. Returns its expiry, in seconds since 1970.
    async fn proven(&self, token: &SecretString) -> Result<Option<i64>, ContextError> {
        let read = claims(token);
        let begun = Instant::now();
        loop {
            let answers = ask(&self.route.server, token, self.account).await;
            match judge(&read, now(), &answers) {
                KeyVerdict::Good | KeyVerdict::Flawed(_) => return Ok(read.ok().and_then(|claims| claims.expires_at)),
                verdict if begun.elapsed() >= SETTLE_TIMEOUT => {
                    return Err(ContextError::Other(format!("Argo CD made a key and does not take it: {verdict}")));
                }
                _ => tokio::time::sleep(RETRY_DELAY).await,
            }
        }
    }

    async fn store(
        &self,
        sink: &Sink,
        token: &SecretString,
        opened: Opened,
    ) -> Result<(String, Option<String>), ContextError> {
        match (sink, opened) {
            (Sink::Secret { place, replace }, _) => {
                let written = self.access.write_secret(place, token, *replace).await?;
                let verb = if written == Written::Created { "created" } else { "changed" };
                let name = format!("{}/{}", self.access.namespace(), place.name);
                Ok((format!("Secret {name}, key {}: {verb}", place.key), Some(name)))
            }
            (Sink::File(path), Opened::File(file)) => {
                file.write(token)?;
                Ok((format!("{} (only its owner may read it)", path.display()), None))
            }
            _ => Ok(("standard output".to_owned(), None)),
        }
    }

    /// Revokes the key, and adds to the error what is left of it.
    async fn undo(&self, error: ContextError) -> ContextError {
        let removed = self.route.server.delete_token(self.session, self.account, self.id).await;
        ContextError::Other(match removed {
            Ok(true) => format!("{error}\nthe key was revoked again; nothing is left of it"),
            Ok(false) => format!(
                "{error}\nno key is left; Argo CD may still be at it, so look later whether {} has a key {}",
                self.account, self.id
            ),
            Err(after) => format!(
                "{error}\nand the key may be there: {}: {}; to do: token revoke {}",
                after.what, after.cause, self.id
            ),
        })
    }
}

/// The opened destination of the key, before there is one.
enum Opened {
    None,
    File(NewFile),
}

impl Opened {
    async fn new(access: &CommandContext, sink: &Sink) -> Result<Self, ContextError> {
        match sink {
            Sink::File(path) => NewFile::create(path).map(Self::File),
            Sink::Secret { place, replace } => access.check_free(place, *replace).await.map(|()| Self::None),
            Sink::Stdout => Ok(Self::None),
        }
    }
}

/// A new file with mode 0600, removed on drop if nothing was written.
struct NewFile {
    file: File,
    path: PathBuf,
    written: bool,
}

impl NewFile {
    fn create(path: &std::path::Path) -> Result<Self, ContextError> {
        let failed = |error| ContextError::File { what: "making the file", path: path.to_owned(), error };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        Ok(Self { file, path: path.to_owned(), written: false })
    }

    fn write(mut self, token: &SecretString) -> Result<(), ContextError> {
        let written = self.file.write_all(token.expose_secret().as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(|error| ContextError::File { what: "writing the key to", path: self.path.clone(), error })?;
        self.written = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.written {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn fit(account: &Account, id: &str) -> Result<(), ContextError> {
    let name = &account.name;
    let wrong = if !account.enabled {
        "is disabled"
    } else if !account.may_have_api_keys() {
        "may not have API keys"
    } else if account.token(id).is_some() {
        return Err(ContextError::Other(format!(
            "the account {name} already has a key {id}; name another: only the id is compared, so that a used one \
             brings old keys back to life"
        )));
    } else {
        return Ok(());
    };
    Err(ContextError::Other(format!("Argo CD's account {name} {wrong}; to do: account enable")))
}

/// Checks an id: Argo CD can't revoke keys over REST whose id has `/`, `:` or `.`.
///
/// # Errors
/// The id is empty, too long or has other characters; the text says what is allowed.
pub fn checked_id(id: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !id.is_empty() && id.len() <= 128 && id.chars().all(allowed) {
        Ok(id.to_owned())
    } else {
        Err("no id of a key: letters, digits, '-' and '_', at most 128".to_owned())
    }
}

fn fresh_id() -> Result<String, ContextError> {
    let uuid = fresh_uuid().ok_or_else(|| {
        ContextError::Other("this machine has no randomness for a new id; give one with --id".to_owned())
    })?;
    Ok(format!("{PREFIX}{uuid}"))
}

impl Generated {
    /// The result as JSON, without the key.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "account": self.account,
            "id": self.id,
            "expiresAt": self.expires_at.map(rfc3339),
            "server": self.server,
            "secret": self.secret,
            "written": self.wrote,
        })
    }
}

/// The result for people, without the key.
impl fmt::Display for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Made API key {}", self.id)?;
        writeln!(f, "  account  {}", self.account)?;
        writeln!(f, "  expires  {}", self.expires_at.map_or_else(|| "never".to_owned(), rfc3339))?;
        writeln!(f, "  Argo CD  {}, which takes it", self.server)?;
        writeln!(f, "  written  {}", self.wrote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_fresh_and_not_the_controllers() {
        let (one, two) = (fresh_id().unwrap(), fresh_id().unwrap());
        assert!(one != two && one.len() == PREFIX.len() + 36 && checked_id(&one).is_ok());
        assert!(!one.starts_with("argocd-auth-webhook-"));
        for bad in ["", "a/b", "a.b", "a:b", "a b", &"a".repeat(129)] {
            assert!(checked_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_only_its_owners_never_overwritten_and_gone_if_nothing_was_written() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.exists());
        NewFile::create(&path).unwrap().write(&SecretString::from("the-key")).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the-key");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = NewFile::create(&path).err().unwrap().to_string();
        assert!(error.contains("exists"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "the-key");
    }

    #[test]
    fn what_was_made_is_said_without_the_key() {
        let made = Generated {
            account: "admin".to_owned(),
            id: "argocd-auth-by-hand-1".to_owned(),
            expires_at: Some(1_800_000_000),
            server: "http://argocd".to_owned(),
            wrote: "Secret codefresh/argocd-token, key token: created".to_owned(),
            secret: Some("codefresh/argocd-token".to_owned()),
            token: Some(SecretString::from("eyJ.hidden")),
        };
        insta::assert_snapshot!(format!("{made}{:#}\n{made:?}", made.json()));
    }

    #[test]
    fn an_account_that_is_not_fit_gets_no_key() {
        let capabilities = ["apiKey".to_owned()].into();
        let good = Account { name: "admin".to_owned(), enabled: true, capabilities, tokens: Vec::new() };
        assert!(fit(&good, "id").is_ok());
        let disabled = Account { enabled: false, ..good.clone() };
        let unfit = Account { capabilities: ["login".to_owned()].into(), ..good };
        for account in [disabled, unfit] {
            assert!(fit(&account, "id").unwrap_err().to_string().contains("account enable"));
        }
    }
}
