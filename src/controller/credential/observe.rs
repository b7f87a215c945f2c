//! Observes the cluster and Argo CD.

use super::argocd_probe::{self, CredentialMemory, Held, MeteredServer, Persisted, unknown};
use super::execute::{CREDENTIAL_ENTRY, LOGIN_ENTRY, credential_digest, login_wait};
use super::health;
use super::id::Prefix;
use super::logins::LoginRecord;
use super::mirror;
use super::snapshot::{Key, Login, Mirror, Snapshot, Transient};
use super::source::Sources;
use crate::argocd::{Account, ListedToken, Server};
use crate::controller::{Context, state};
use crate::core::Mode;
use crate::time;
use std::collections::BTreeSet;

/// The snapshot, and what was observed besides.
pub(super) struct Observed {
    pub snapshot: Snapshot,
    pub held: Option<Held>,
    /// The key in the Secret as its account lists it, if it is one of ours.
    pub current: Option<ListedToken>,
    /// Whether any account's list of keys was read.
    pub seen_lists: bool,
}

/// The cluster's part of an observation; [`Self::observe`] adds Argo CD's.
pub(super) struct Observer<'l> {
    context: &'l Context,
    prefix: &'l Prefix,
    sources: &'l Sources,
    remembered: Persisted,
    login: Login,
    requests: BTreeSet<String>,
    login_due: bool,
}

impl<'l> Observer<'l> {
    /// Starts from the cluster. `succeeded` is the user (a keyed hash) of a login that the state still has as
    /// an attempt.
    pub(super) fn new(
        context: &'l Context,
        prefix: &'l Prefix,
        sources: &'l Sources,
        state: &state::StateSecret,
        succeeded: Option<&str>,
    ) -> Self {
        let logins: LoginRecord = state.get(LOGIN_ENTRY).unwrap_or_default();
        let logins = if let Some(user) = succeeded { logins.succeeded(user) } else { logins };
        let remembered = Persisted { record: state.get(CREDENTIAL_ENTRY).unwrap_or_default(), logins };
        let digest = |(name, value): &(String, String)| state.digest(&[b"check", name.as_bytes(), value.as_bytes()]);
        let requests = sources.requests.iter().map(digest).collect();
        let login = login(context, state, sources, &remembered.logins);
        let login_due = *context.login_wanted.borrow() && !health::logged_in(context, sources, state, time::now());
        Self { context, prefix, sources, remembered, login, requests, login_due }
    }

    pub(super) async fn observe(self, memory: &mut CredentialMemory, server: Result<&&Server, &Transient>) -> Observed {
        let Self { context, prefix, sources, remembered, login, requests, login_due } = self;
        let now = time::now();
        let mode = context.settings.auth.mode;
        let username = sources.username.as_ref().ok().map(String::as_str);
        let held = argocd_probe::held(&sources.key, username.filter(|_| mode == Mode::Password), now);
        let held_id = held.as_ref().ok().map(|held| held.id.clone());
        if memory.fresh.as_ref().is_some_and(|fresh| Some(&fresh.id) == held_id.as_ref()) {
            // The fresh key was written, though no answer said so.
            memory.fresh = None;
        }
        let mut snapshot = Snapshot {
            mode,
            key: Key::Absent(String::new()),
            account: held.as_ref().ok().map(|held| held.account.clone()).or_else(|| username.map(str::to_owned)),
            left: Vec::new(),
            held_is_ours: false,
            held_vanished: false,
            unreadable_accounts: remembered.record.accounts.iter().cloned().collect(),
            login,
            session: None,
            fresh: None,
            record: remembered.record,
            requests,
            consumers: *context.consumers.borrow(),
            mirror: Mirror::InOrder,
            login_due,
        };
        let asking = match server {
            Ok(server) => MeteredServer { server, metrics: &context.metrics.credential },
            Err(trouble) => {
                snapshot.key = unknown(held.as_ref(), trouble);
                snapshot.login = match snapshot.login {
                    Login::Free => Login::NoWay(trouble.clone()),
                    other => other,
                };
                return Observed { snapshot, held: held.ok(), current: None, seen_lists: false };
            }
        };
        let mut accounts: Vec<Account> = Vec::new();
        // Our session first: what Argo CD says about the key afterwards is then definite.
        if let (Some(token), Some(username)) = (&memory.session, username) {
            let (session, account) = argocd_probe::session(&asking, token, username).await;
            snapshot.session = Some(session);
            accounts.extend(account);
        }
        let held = match held {
            Ok(held) => {
                let (key, account) = argocd_probe::key(&asking, &held, memory, now).await;
                snapshot.key = key;
                accounts.extend(account.filter(|account| accounts.iter().all(|known| known.name != account.name)));
                Some(held)
            }
            Err(key) => {
                snapshot.key = key;
                None
            }
        };
        if let (Some(fresh), Some(username)) = (&memory.fresh, username) {
            snapshot.fresh = Some(argocd_probe::fresh(&asking, fresh, username, now).await);
        }
        if let (Key::Works { .. }, Some(held)) = (&snapshot.key, &held) {
            // Look for keys that we left in other accounts, if this account may read them.
            for name in &snapshot.unreadable_accounts {
                if accounts.iter().all(|known| known.name != *name) {
                    accounts.extend(asking.account(&held.token, name).await.ok());
                }
            }
        }
        let fresh_id = memory.fresh.as_ref().map(|fresh| fresh.id.as_str());
        let mirrored = mirror::held_id(sources, now);
        let is_named = |id: &str| {
            [&held_id, &mirrored].into_iter().flatten().any(|named| named == id) || snapshot.record.names(id)
        };
        let owns = |id: &str| prefix.owns(id, is_named);
        let (mut current, mut held_is_listed, mut left) = (None, false, Vec::new());
        for account in &accounts {
            let but = [held_id.as_deref(), fresh_id];
            left.extend(argocd_probe::left(account, owns, but, memory));
            let listed = held_id.as_deref().and_then(|id| account.token(id));
            held_is_listed |= listed.is_some();
            current = current.or_else(|| listed.filter(|key| owns(&key.id)).cloned());
        }
        snapshot.held_is_ours = current.is_some();
        snapshot.mirror = mirror::observe(context, prefix, sources, &accounts, now);
        // A key of ours was seen to work before it was stored.
        let valid = snapshot.record.valid.as_ref().map(|(id, _)| id);
        let worked = held_id.as_ref().is_some_and(|id| owns(id) || valid == Some(id));
        snapshot.left = left;
        snapshot.held_vanished = worked && !held_is_listed && !accounts.is_empty();
        snapshot.unreadable_accounts.retain(|name| accounts.iter().all(|account| account.name != *name));
        let seen_lists = !accounts.is_empty();
        Observed { snapshot, held, current, seen_lists }
    }
}

/// Whether a login may be sent now.
fn login(context: &Context, state: &state::StateSecret, sources: &Sources, logins: &LoginRecord) -> Login {
    let (username, password) = match (&sources.username, &sources.password) {
        (Ok(username), Ok(password)) => (username, password),
        (Err(missing), _) | (_, Err(missing)) => return Login::Missing(missing.to_string()),
    };
    let digest = credential_digest(state, username, password);
    let block = logins.blocks(&digest, login_wait(context), time::now());
    block.map_or(Login::Free, |block| Login::Tried { until: block.until, said: block.said })
}
