//! Carrying out what the plan says: each action is one change somewhere.

use super::action::{Action, MintReason, RetireReason};
use super::argocd_probe::{Asking, FreshKey, LocalState};
use super::id::Prefix;
use super::logins::{LoginEnd, LoginRecord};
use super::reach::trouble;
use super::record::{CredentialRecord, LoginProof};
use super::snapshot::{Key, Mirror, Snapshot, Transient};
use super::source::{Sources, key_place};
use crate::argocd::{ArgoCdError, Cause};
use crate::cluster::{self, ClusterError, Event, ensure, merge_if};
use crate::controller::Context;
use crate::controller::state::State;
use crate::core::{GENERATED_TOKEN, SecretKeyRef};
use crate::time::Seconds;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

pub(super) use crate::controller::state::{LOGIN, LOGIN_PROOF, MARKS};

/// How often a write is tried anew that met another one.
const MAX_TRIES: u32 = 5;

/// Why an action failed. It is planned again.
#[derive(Debug)]
pub(super) enum ExecuteError {
    /// A call to the cluster.
    Cluster(ClusterError),
    /// A call to Argo CD, without which nothing goes on.
    ArgoCd(Transient),
    /// A call to Argo CD that can wait.
    Minor(Transient),
}

impl From<ClusterError> for ExecuteError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// One action with all that it needs.
pub(super) struct Executor<'k> {
    pub context: &'k Context,
    pub asking: &'k Asking<'k>,
    pub state: &'k mut State,
    pub memory: &'k mut LocalState,
    pub sources: &'k Sources,
    pub prefix: &'k Prefix,
    pub seen: &'k Snapshot,
    /// The key in the Secret.
    pub held: Option<&'k SecretString>,
    pub now: Seconds,
}

impl Executor<'_> {
    /// Does it, and tells people of it.
    pub(super) async fn execute(&mut self, action: Action) -> Result<(), ExecuteError> {
        match action {
            Action::Login => self.log_in().await,
            Action::Mint(why) => self.mint(&why).await,
            Action::Store(why) => self.store(&why).await,
            Action::Discard => {
                if let Some(fresh) = self.memory.fresh.take() {
                    tracing::info!(id = fresh.id, "a fresh API key is given up");
                    self.memory.discard(fresh.id);
                }
                Ok(())
            }
            Action::Copy => self.copy().await,
            Action::Clear => self.clear().await,
            Action::Retire(account, id, gone) => self.retire(&account, &id, gone).await,
            Action::Remember(marks) => self.remember(&marks).await,
        }
    }

    /// The login is written down before, and taken away when it succeeded: whoever comes after a killed
    /// process knows that it was tried.
    async fn log_in(&mut self) -> Result<(), ExecuteError> {
        let (Ok(username), Ok(password)) = (&self.sources.username, &self.sources.password) else { return Ok(()) };
        self.is_argocd().await?;
        let user = user(self.state, username);
        let digest = credential(self.state, username, password);
        let proof = LoginProof { credential: digest.clone(), at: self.now };
        let before: LoginRecord = self.state.get(LOGIN).unwrap_or_default();
        let wait = login_wait(self.context);
        if before.blocks(&digest, wait, self.now).is_some() {
            // The plan names no such login. Said again where it counts.
            return Ok(());
        }
        let record = before.begin(user.clone(), digest, self.now, wait);
        self.state.put(self.context, LOGIN, Some(&record)).await?;
        self.context.may_write("logging in to Argo CD")?;
        match self.asking.timed("login", self.asking.server.login(username, password)).await {
            Ok(session) => {
                self.memory.session = Some(session);
                self.memory.succeeded = Some(user);
                self.note_success().await?;
                Ok(self.put(LOGIN_PROOF, Some(&proof)).await?)
            }
            Err(error) => {
                let (record, refused) = match &error.cause {
                    Cause::Unauthorized(_) | Cause::Invalid(_) => {
                        let space = password.expose_secret().trim().len() < password.expose_secret().len();
                        let space = if space { ". The password has white space before or after it" } else { "" };
                        (record.ended(LoginEnd::Refused(format!("{}{space}", error.cause))), true)
                    }
                    // Nothing was sent: as it was.
                    cause if cause.was_not_sent() => (before, false),
                    // Argo CD may have counted it, whoever wrote the answer.
                    _ => (record.ended(LoginEnd::Unheard), false),
                };
                self.put_logins(&record).await?;
                if refused {
                    self.put(LOGIN_PROOF, None::<&LoginProof>).await?;
                }
                match &self.seen.key {
                    _ if refused => Ok(()),
                    // It was for the pods' part alone.
                    Key::Works { .. } => Err(ExecuteError::Minor(trouble(&error))),
                    _ => Err(ExecuteError::ArgoCd(trouble(&error))),
                }
            }
        }
    }

    /// A login is worth one of a few, so what can be known without one is asked first: whether Argo CD
    /// answers there at all, without a detour.
    async fn is_argocd(&self) -> Result<(), ExecuteError> {
        match self.asking.timed("version", self.asking.server.version()).await {
            Err(error) if !error.cause.is_argocds_word() => Err(ExecuteError::ArgoCd(trouble(&error))),
            _ => Ok(()),
        }
    }

    /// After a login that succeeded.
    pub(super) async fn note_success(&mut self) -> Result<(), ExecuteError> {
        let Some(user) = self.memory.succeeded.clone() else { return Ok(()) };
        let record: LoginRecord = self.state.get(LOGIN).unwrap_or_default();
        self.put_logins(&record.succeeded(&user)).await?;
        self.memory.succeeded = None;
        Ok(())
    }

    /// Other parts write the same Secret for reasons of their own: a conflict with them says nothing
    /// about a login, and how it ended has to be written down.
    async fn put_logins(&mut self, record: &LoginRecord) -> Result<(), ClusterError> {
        self.put(LOGIN, Some(record).filter(|record| !record.is_empty())).await
    }

    async fn put<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> Result<(), ClusterError> {
        let mut tries = 0;
        loop {
            match self.state.put(self.context, name, value).await {
                Err(error) if is_conflict(&error) && tries < MAX_TRIES => tries += 1,
                result => return result,
            }
            *self.state = State::open(self.context).await?;
        }
    }

    async fn mint(&mut self, why: &MintReason) -> Result<(), ExecuteError> {
        let (Ok(username), Some(session)) = (&self.sources.username, &self.memory.session) else { return Ok(()) };
        let Some(id) = self.prefix.fresh() else {
            let text = "making an id for an API key: there is no randomness".to_owned();
            return Err(ExecuteError::ArgoCd(Transient { kind: "setup", text, retry_after: None }));
        };
        self.context.may_write("making an API key in Argo CD")?;
        tracing::info!(id, %why, "making an API key");
        let making = self.asking.server.create_token(session, username, &id, None);
        match self.asking.timed("create", making).await {
            Ok(token) => {
                self.memory.fresh = Some(FreshKey { id, token, since: self.now });
                Ok(())
            }
            Err(error) => {
                // It may be there now, or later, whoever wrote the answer: the list is looked through for it
                // from now on.
                if !error.cause.was_not_sent() && !error.cause.is_argocds_word() {
                    self.memory.discard(id);
                }
                Err(ExecuteError::ArgoCd(trouble(&error)))
            }
        }
    }

    /// Writes the fresh key, if the Secret is still as it was when the key was found wanting.
    async fn store(&mut self, why: &MintReason) -> Result<(), ExecuteError> {
        let Some(fresh) = &self.memory.fresh else { return Ok(()) };
        let place = key_place(self.context);
        let Some(written) = self.write(&place, self.sources.key_secret.as_ref(), &fresh.token).await? else {
            return Ok(());
        };
        let name = place.name;
        self.context.metrics.credential.made(why);
        let note = format!("wrote API key {} ({why})", fresh.id);
        self.memory.fresh = None;
        let event = Event { reason: "CredentialReplaced", action: "Replace", note, warning: false };
        self.context.tell(about(self.context, &name, Some(&written)), event).await;
        Ok(())
    }

    /// Writes a token into a Secret that was read as `read`, or makes it. Nothing comes out where somebody
    /// else made and filled it first: the plan knows nothing of that.
    async fn write(
        &self,
        place: &SecretKeyRef,
        read: Option<&Secret>,
        token: &SecretString,
    ) -> Result<Option<Secret>, ClusterError> {
        let SecretKeyRef { name, key, .. } = place;
        let what = format!("writing the API key into Secret {}/{name}", self.context.options.namespace);
        let api = self.context.secrets();
        let made;
        let read = if let Some(secret) = read {
            secret
        } else {
            self.context.may_write(&what)?;
            // No owner: the Runtime goes on with it when this program is uninstalled.
            let body = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": self.context.options.metadata(name),
            });
            made = ensure::<Secret>(&api, &what, name, &body).await?;
            if made.data.as_ref().is_some_and(|data| data.contains_key(key)) {
                return Ok(None);
            }
            &made
        };
        self.context.may_write(&what)?;
        let patch = json!({ "data": { key: STANDARD.encode(token.expose_secret()) } });
        merge_if::<Secret>(&api, &what, name, read.metadata.resource_version.as_deref(), patch).await.map(Some)
    }

    /// Copies the token, which was just seen to work.
    async fn copy(&mut self) -> Result<(), ExecuteError> {
        let (Some(token), Key::Works { id, .. }) = (self.held, &self.seen.key) else { return Ok(()) };
        let place = GENERATED_TOKEN.into();
        if let Some(written) = self.write(&place, self.sources.mirror_secret.as_ref(), token).await? {
            let note = format!("wrote a copy of the token (API key {id}), for what reads {} by name", place.name);
            let event = Event { reason: "TokenCopied", action: "Copy", note, warning: false };
            self.context.tell(about(self.context, &place.name, Some(&written)), event).await;
        }
        Ok(())
    }

    /// Empties `argocd-token`, if it is still as it was read.
    async fn clear(&mut self) -> Result<(), ExecuteError> {
        let (Some(read), Mirror::Former { id, .. }) = (&self.sources.mirror_secret, &self.seen.mirror) else {
            return Ok(());
        };
        let (name, key) = (GENERATED_TOKEN.name, GENERATED_TOKEN.key);
        let what = format!("emptying {key} in Secret {}/{name}", self.context.options.namespace);
        self.context.may_write(&what)?;
        let version = read.metadata.resource_version.as_deref();
        let patch = json!({ "data": { key: "" } });
        let written = merge_if::<Secret>(&self.context.secrets(), &what, name, version, patch).await?;
        let note = format!("emptied {key}: API key {id} of password mode stood there, which is retired in token mode");
        let event = Event { reason: "FormerKeyCleared", action: "Clear", note, warning: false };
        self.context.tell(about(self.context, name, Some(&written)), event).await;
        Ok(())
    }

    async fn retire(&mut self, account: &str, id: &str, gone: RetireReason) -> Result<(), ExecuteError> {
        let works = matches!(self.seen.key, Key::Works { .. });
        let Some(with) = self.held.filter(|_| works).or(self.memory.session.as_ref()) else { return Ok(()) };
        // A plan names no other ones. Said again where it counts.
        let is_named = |id: &str| self.seen.marks.names(id);
        if !self.prefix.owns(id, is_named) || matches!(&self.seen.key, Key::Works { id: held, .. } if held == id) {
            return Ok(());
        }
        self.context.may_write("deleting an API key in Argo CD")?;
        match self.asking.timed("delete", self.asking.server.delete_token(with, account, id)).await {
            Ok(_) => {
                self.context.metrics.credential.retired();
                let SecretKeyRef { name, .. } = key_place(self.context);
                let note = format!("deleted API key {id} in Argo CD: {gone}");
                let event = Event { reason: "KeyRetired", action: "Retire", note, warning: false };
                self.context.tell(about(self.context, &name, self.sources.key_secret.as_ref()), event).await;
                Ok(())
            }
            Err(ArgoCdError { what, cause: cause @ Cause::Forbidden(_) }) => {
                tracing::warn!("{what}: {cause}; it stays there until somebody deletes it who may");
                self.memory.undeletable.insert(id.to_owned());
                Ok(())
            }
            Err(error) => Err(ExecuteError::Minor(trouble(&error))),
        }
    }

    async fn remember(&mut self, marks: &CredentialRecord) -> Result<(), ExecuteError> {
        self.state.put(self.context, MARKS, Some(marks)).await?;
        let before = &self.seen.marks.lost;
        for lost in marks.lost.iter().filter(|lost| !before.contains(lost)) {
            self.context.metrics.credential.lost();
            let note = format!("API key {} vanished from Argo CD after it had worked for {} s", lost.id, lost.lived);
            let event = Event { reason: "KeyVanished", action: "Check", note, warning: true };
            let SecretKeyRef { name, .. } = key_place(self.context);
            self.context.tell(about(self.context, &name, self.sources.key_secret.as_ref()), event).await;
        }
        Ok(())
    }
}

/// The keyed hash by which a user name is known again.
pub(super) fn user(state: &State, username: &str) -> String {
    state.digest(&[b"user", username.as_bytes()])
}

/// The keyed hash by which a credential is known again.
pub(super) fn credential(state: &State, username: &str, password: &SecretString) -> String {
    state.digest(&[b"login", username.as_bytes(), password.expose_secret().as_bytes()])
}

/// How long a login that was not seen to succeed counts, in seconds.
pub(super) fn login_wait(context: &Context) -> Seconds {
    i64::try_from(context.settings.credentials.login_wait.as_secs()).unwrap_or(i64::MAX)
}

/// A Secret, for an Event.
pub(super) fn about(context: &Context, name: &str, secret: Option<&Secret>) -> ObjectReference {
    context.secret_reference(name, secret)
}

/// Whether a failure of the cluster's is nothing but somebody else's write, or their deletion.
pub(super) fn is_conflict(error: &ClusterError) -> bool {
    matches!(error.cause, cluster::Cause::Conflict | cluster::Cause::NotFound)
}

#[cfg(test)]
mod tests;
