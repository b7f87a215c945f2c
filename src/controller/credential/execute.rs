//! Executes the actions of a plan; each is one change in the cluster, in Argo CD or in memory. A login also
//! writes its attempt before, and its end after.

use super::action::{Action, MintReason, RetireReason};
use super::argocd_probe::{CredentialMemory, FreshKey, MeteredServer};
use super::id::Prefix;
use super::logins::{LoginEnd, LoginRecord};
use super::reach::trouble;
use super::record::{CredentialRecord, LoginProof};
use super::snapshot::{Key, Mirror, Snapshot, Transient};
use super::source::{Sources, key_place};
use crate::argocd::{ArgoCdError, Cause};
use crate::cluster::{self, ClusterError, Event, ensure, merge_if};
use crate::controller::Context;
use crate::controller::state::StateSecret;
use crate::core::{GENERATED_TOKEN, SecretKeyRef};
use crate::time::Seconds;
use crate::time::seconds;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

pub(super) use crate::controller::state::{CREDENTIAL_ENTRY, LOGIN_ENTRY, LOGIN_PROOF_ENTRY};

/// How often a write is repeated after a conflict with another writer.
const MAX_CONFLICT_RETRIES: u32 = 5;

/// Why an action failed. The next pass plans it again.
#[derive(Debug)]
pub(super) enum ExecuteError {
    /// A call to the cluster failed.
    Cluster(ClusterError),
    /// A call to Argo CD failed that the credential depends on, or there is no randomness for a key's id.
    ArgoCd(Transient),
    /// A call to Argo CD failed, but the credential works without it.
    Minor(Transient),
}

impl From<ClusterError> for ExecuteError {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(error)
    }
}

/// Executes one action on what was observed.
pub(super) struct Executor<'k> {
    pub context: &'k Context,
    pub asking: &'k MeteredServer<'k>,
    pub state: &'k mut StateSecret,
    pub memory: &'k mut CredentialMemory,
    pub sources: &'k Sources,
    pub prefix: &'k Prefix,
    pub seen: &'k Snapshot,
    /// The token in the Secret, if it is a key.
    pub held: Option<&'k SecretString>,
    pub now: Seconds,
}

impl Executor<'_> {
    /// Executes the action, and reports in an Event what changed a Secret or a key, or that a key vanished.
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
            Action::Remember(record) => self.remember(&record).await,
        }
    }

    /// Logs in. The attempt is recorded before, and the record removed after a success: a successor of a
    /// killed process then knows that it was made.
    async fn log_in(&mut self) -> Result<(), ExecuteError> {
        let (Ok(username), Ok(password)) = (&self.sources.username, &self.sources.password) else { return Ok(()) };
        let identified = self.asking.timed("version", self.asking.server.identify()).await;
        identified.map_err(|error| ExecuteError::ArgoCd(trouble(&error)))?;
        let user = user_digest(self.state, username);
        let digest = credential_digest(self.state, username, password);
        let proof = LoginProof { credential: digest.clone(), at: self.now };
        let before: LoginRecord = self.state.get(LOGIN_ENTRY).unwrap_or_default();
        let wait = login_wait(self.context);
        if before.blocks(&digest, wait, self.now).is_some() {
            // A plan never asks for such a login; checked again here, where it matters.
            return Ok(());
        }
        let record = before.begin(user.clone(), digest, self.now, wait);
        self.state.put(self.context, LOGIN_ENTRY, Some(&record)).await?;
        self.context.may_write("logging in to Argo CD")?;
        match self.asking.timed("login", self.asking.server.login(username, password)).await {
            Ok(session) => {
                self.memory.session = Some(session);
                self.memory.succeeded = Some(user);
                self.forget_attempt().await?;
                Ok(self.put(LOGIN_PROOF_ENTRY, Some(&proof)).await?)
            }
            Err(error) => {
                let (record, refused) = match &error.cause {
                    Cause::Unauthorized(_) | Cause::Invalid(_) => {
                        let space = password.expose_secret().trim().len() < password.expose_secret().len();
                        let space = if space { ". The password has white space before or after it" } else { "" };
                        (record.ended(LoginEnd::Refused(format!("{}{space}", error.cause))), true)
                    }
                    // Nothing was sent, so nothing counts.
                    cause if cause.was_not_sent() => (before, false),
                    // Argo CD may have counted it as a failure, whoever answered.
                    _ => (record.ended(LoginEnd::Unheard), false),
                };
                self.put_logins(&record).await?;
                if refused {
                    self.put(LOGIN_PROOF_ENTRY, None::<&LoginProof>).await?;
                }
                match &self.seen.key {
                    _ if refused => Ok(()),
                    // The login was only for the rollout.
                    Key::Works { .. } => Err(ExecuteError::Minor(trouble(&error))),
                    _ => Err(ExecuteError::ArgoCd(trouble(&error))),
                }
            }
        }
    }

    /// Removes the recorded attempts of the user whose login succeeded, if that wasn't done yet.
    pub(super) async fn forget_attempt(&mut self) -> Result<(), ExecuteError> {
        let Some(user) = self.memory.succeeded.clone() else { return Ok(()) };
        let record: LoginRecord = self.state.get(LOGIN_ENTRY).unwrap_or_default();
        self.put_logins(&record.succeeded(&user)).await?;
        self.memory.succeeded = None;
        Ok(())
    }

    /// Records logins; without any, removes the entry.
    async fn put_logins(&mut self, record: &LoginRecord) -> Result<(), ClusterError> {
        self.put(LOGIN_ENTRY, Some(record).filter(|record| !record.is_empty())).await
    }

    /// Writes an entry of the state. The rollout writes the same Secret: a conflict with it says nothing
    /// about the entry, which has to be recorded, so the Secret is read again and the write repeated.
    async fn put<T: Serialize>(&mut self, name: &str, value: Option<&T>) -> Result<(), ClusterError> {
        let mut tries = 0;
        loop {
            match self.state.put(self.context, name, value).await {
                Err(error) if is_conflict(&error) && tries < MAX_CONFLICT_RETRIES => tries += 1,
                result => return result,
            }
            *self.state = StateSecret::open(self.context).await?;
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
                // The key may exist now or later, whoever wrote the answer: look for it in each list.
                if !error.cause.was_not_sent() && !error.cause.is_argocds_word() {
                    self.memory.discard(id);
                }
                Err(ExecuteError::ArgoCd(trouble(&error)))
            }
        }
    }

    /// Writes the fresh key, if the Secret is still as it was when its key was found unusable.
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
        self.context.emit_event(about(self.context, &name, Some(&written)), event).await;
        Ok(())
    }

    /// Writes a token into a Secret that was read as `read`, or into a new one. `None` if another process
    /// created and filled it meanwhile, which the plan doesn't know.
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
            // Without an owner: the Runtime goes on using it after this program is uninstalled.
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

    /// Writes a copy of the token, which was just seen to work.
    async fn copy(&mut self) -> Result<(), ExecuteError> {
        let (Some(token), Key::Works { id, .. }) = (self.held, &self.seen.key) else { return Ok(()) };
        let place = GENERATED_TOKEN.into();
        if let Some(written) = self.write(&place, self.sources.mirror_secret.as_ref(), token).await? {
            let note = format!("wrote a copy of the token (API key {id}), for what reads {} by name", place.name);
            let event = Event { reason: "TokenCopied", action: "Copy", note, warning: false };
            self.context.emit_event(about(self.context, &place.name, Some(&written)), event).await;
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
        self.context.emit_event(about(self.context, name, Some(&written)), event).await;
        Ok(())
    }

    async fn retire(&mut self, account: &str, id: &str, gone: RetireReason) -> Result<(), ExecuteError> {
        let works = matches!(self.seen.key, Key::Works { .. });
        let Some(with) = self.held.filter(|_| works).or(self.memory.session.as_ref()) else { return Ok(()) };
        // A plan never asks for others; checked again here, where it matters.
        let is_named = |id: &str| self.seen.record.names(id);
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
                self.context.emit_event(about(self.context, &name, self.sources.key_secret.as_ref()), event).await;
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

    async fn remember(&mut self, record: &CredentialRecord) -> Result<(), ExecuteError> {
        self.state.put(self.context, CREDENTIAL_ENTRY, Some(record)).await?;
        let before = &self.seen.record.lost;
        for lost in record.lost.iter().filter(|lost| !before.contains(lost)) {
            self.context.metrics.credential.lost();
            let note = format!("API key {} vanished from Argo CD after it had worked for {} s", lost.id, lost.lived);
            let event = Event { reason: "KeyVanished", action: "Check", note, warning: true };
            let SecretKeyRef { name, .. } = key_place(self.context);
            self.context.emit_event(about(self.context, &name, self.sources.key_secret.as_ref()), event).await;
        }
        Ok(())
    }
}

/// The keyed hash that identifies a user name.
pub(super) fn user_digest(state: &StateSecret, username: &str) -> String {
    state.digest(&[b"user", username.as_bytes()])
}

/// The keyed hash that identifies user name and password.
pub(super) fn credential_digest(state: &StateSecret, username: &str, password: &SecretString) -> String {
    state.digest(&[b"login", username.as_bytes(), password.expose_secret().as_bytes()])
}

/// How many seconds a login that wasn't seen to succeed counts.
pub(super) fn login_wait(context: &Context) -> Seconds {
    seconds(context.settings.credentials.login_wait)
}

/// A reference to a Secret, for Events.
pub(super) fn about(context: &Context, name: &str, secret: Option<&Secret>) -> ObjectReference {
    context.secret_reference(name, secret)
}

/// Whether a call failed only because somebody else wrote or deleted the object.
pub(super) fn is_conflict(error: &ClusterError) -> bool {
    matches!(error.cause, cluster::Cause::Conflict | cluster::Cause::NotFound)
}

#[cfg(test)]
mod tests;
