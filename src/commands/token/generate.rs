//! `token generate`.

use super::log_in;
use crate::argocd::Account;
use crate::argocd::fresh_uuid;
use crate::argocd::verify::{Verdict, ask, claims, judge};
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

/// What the ids of keys that a person made begin with. Not the controller's prefix: it would retire
/// them.
const PREFIX: &str = "argocd-auth-by-hand-";
/// A fresh key can be unknown to another replica for a moment.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(10);
const RETRY_DELAY: Duration = Duration::from_millis(300);

/// Where the key goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Into a Secret of the Runtime's namespace.
    Secret {
        /// Which one.
        place: SecretKey,
        /// Whether another value there may be overwritten.
        replace: bool,
    },
    /// Into a new file that only its owner may read.
    File(PathBuf),
    /// To standard output: the caller writes it there.
    Stdout,
}

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Order {
    /// Where the password comes from.
    pub password: PasswordFrom,
    /// The key's id, if not a fresh one. As [`checked_id`] lets it.
    pub id: Option<String>,
    /// How long it lasts; for ever if `None`.
    pub expires_in: Option<Duration>,
    /// Where it goes.
    pub sink: Sink,
}

/// What was made.
#[derive(Debug)]
pub struct Generated {
    account: String,
    id: String,
    expires_at: Option<i64>,
    server: String,
    wrote: String,
    secret: Option<String>,
    /// For standard output.
    pub token: Option<SecretString>,
}

/// Makes an API key, proves that it works, and puts it where it belongs. What goes wrong after it
/// was made takes it away again.
///
/// # Errors
/// Anything on the way; nothing is left behind then, or the error says what.
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
    // Before there is a key: a place that can't be had is no reason to make one.
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

    /// Waits until Argo CD takes the key. Says when it ends.
    async fn proven(&self, token: &SecretString) -> Result<Option<i64>, ContextError> {
        let read = claims(token);
        let begun = Instant::now();
        loop {
            let answers = ask(&self.route.server, token, self.account).await;
            match judge(&read, now(), &answers) {
                Verdict::Good | Verdict::Flawed(_) => return Ok(read.ok().and_then(|claims| claims.expires_at)),
                verdict if begun.elapsed() >= SETTLE_TIMEOUT => {
                    return Err(ContextError::Said(format!("Argo CD made a key and does not take it: {verdict}")));
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

    /// Takes the key away again, if it is there.
    async fn undo(&self, error: ContextError) -> ContextError {
        let removed = self.route.server.delete_token(self.session, self.account, self.id).await;
        ContextError::Said(match removed {
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

/// A place that is had before there is a key.
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

/// A new file that only its owner may read; gone again if nothing was written.
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
        return Err(ContextError::Said(format!(
            "the account {name} already has a key {id}; name another: only the id is compared, so that a used one \
             brings old keys back to life"
        )));
    } else {
        return Ok(());
    };
    Err(ContextError::Said(format!("Argo CD's account {name} {wrong}; to do: account enable")))
}

/// An id that Argo CD can also revoke over REST: with `/`, `:` or `.` it can't.
///
/// # Errors
/// It is none.
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
        ContextError::Said("this machine has no randomness for a new id; give one with --id".to_owned())
    })?;
    Ok(format!("{PREFIX}{uuid}"))
}

impl Generated {
    /// For machines. Without the key.
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

/// For people. Without the key.
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
