//! Asks Argo CD about keys and sessions, for the snapshot.

use super::logins::LoginRecord;
use super::metrics::CredentialMetrics;
use super::reach::trouble;
use super::record::CredentialRecord;
use super::snapshot::{Check, Fresh, Key, Session, SupersededKey, Transient};
use crate::argocd::verify::{Answers, KeyVerdict, Refusal, answers, judge, unfit};
use crate::argocd::{Account, ArgoCdError, Server};
use crate::core::token::{Claims, Flaw};
use crate::resolve::Missing;
use crate::time::{Seconds, rfc3339};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// A key that was minted and isn't in any Secret yet.
pub(super) struct FreshKey {
    pub id: String,
    pub token: SecretString,
    pub since: Seconds,
}

/// What this process holds in memory only. All of it may be lost at any time.
#[derive(Default)]
pub(super) struct CredentialMemory {
    /// Our own session, held for as long as it takes to replace a key.
    pub session: Option<SecretString>,
    /// The key that is to be written into the Secret.
    pub fresh: Option<FreshKey>,
    /// Ids of keys that this process requested and nobody ever got. They may be listed later: Argo CD
    /// completes a call whose client has gone.
    discarded: VecDeque<String>,
    /// Ids of our keys that Argo CD doesn't let this account revoke.
    pub undeletable: BTreeSet<String>,
    /// The key that was refused at the last observation, and since when it has been.
    pub refused: Option<(String, Seconds)>,
    /// The user, as a keyed hash, of a login that has succeeded but is still recorded as an attempt.
    pub succeeded: Option<String>,
}

/// How many discarded ids are remembered. Older ones are retired like the leftovers of a killed process.
const MAX_DISCARDED: usize = 256;

impl CredentialMemory {
    /// Remembers that nobody got the key with this id, and nobody will.
    pub(super) fn discard(&mut self, id: String) {
        if self.discarded.len() >= MAX_DISCARDED {
            self.discarded.pop_front();
        }
        self.discarded.push_back(id);
    }

    /// The ids that nobody has, oldest first.
    #[cfg(test)]
    pub(super) fn discarded(&self) -> impl Iterator<Item = &str> {
        self.discarded.iter().map(String::as_str)
    }
}

/// Calls to one server, with metrics.
pub(super) struct MeteredServer<'s> {
    pub server: &'s Server,
    pub metrics: &'s CredentialMetrics,
}

impl MeteredServer<'_> {
    /// Makes a call and records its duration and error.
    pub(super) async fn timed<T>(
        &self,
        call: &'static str,
        calling: impl Future<Output = Result<T, ArgoCdError>>,
    ) -> Result<T, ArgoCdError> {
        let begun = Instant::now();
        let result = calling.await;
        self.metrics.called(call, begun.elapsed(), result.as_ref().err().map(|error| &error.cause));
        result
    }

    /// Asks for the user behind a token and, if it is accepted, for its account.
    pub(super) async fn about(&self, token: &SecretString, account: &str) -> Answers {
        let userinfo = Box::pin(self.timed("userinfo", self.server.userinfo(token)));
        answers(userinfo, Box::pin(self.account(token, account))).await
    }

    pub(super) async fn account(&self, token: &SecretString, name: &str) -> Result<Account, ArgoCdError> {
        self.timed("account", self.server.account(token, name)).await
    }
}

/// The key in the Secret, as far as its claims tell.
pub(super) struct Held {
    pub token: SecretString,
    pub claims: Claims,
    pub account: String,
    pub id: String,
}

/// Reads the Secret's value. `username` is the account that the key must be of, if that matters.
pub(super) fn held(key: &Result<Vec<u8>, Missing>, username: Option<&str>, now: Seconds) -> Result<Held, Key> {
    let bytes = match key {
        Ok(bytes) => bytes,
        Err(missing) => return Err(Key::Absent(missing.to_string())),
    };
    let claims = Claims::read(bytes);
    if claims == Err(Flaw::Empty) {
        return Err(Key::Absent("there is nothing but white space in the Secret".to_owned()));
    }
    if let Some(KeyVerdict::Unfit(flaw)) = unfit(&claims, now) {
        let when = match flaw {
            Flaw::Expired { at } => format!(" ({})", rfc3339(at)),
            _ => String::new(),
        };
        return Err(Key::WrongKind(format!("{flaw}{when}")));
    }
    let Ok(claims) = claims else { return Err(Key::WrongKind("it is no token".to_owned())) };
    let (Some(account), Some(id)) = (claims.subject.account(), claims.id.as_deref()) else {
        return Err(Key::WrongKind(Flaw::NoId.to_string()));
    };
    if let Some(username) = username.filter(|name| *name != account) {
        return Err(Key::WrongKind(format!(
            "it is a key of the account {account:?}, and the settings name {username:?}"
        )));
    }
    let token = String::from_utf8_lossy(bytes).into_owned();
    Ok(Held { account: account.to_owned(), id: id.to_owned(), token: SecretString::from(token), claims })
}

/// Asks about the key; also returns its account, if it works.
pub(super) async fn key(
    asking: &MeteredServer<'_>,
    held: &Held,
    memory: &mut CredentialMemory,
    now: Seconds,
) -> (Key, Option<Account>) {
    let answers = asking.about(&held.token, &held.account).await;
    let verdict = judge(&Ok(held.claims.clone()), now, &answers);
    let id = held.id.clone();
    let before = memory.refused.take();
    let key = match &verdict {
        KeyVerdict::Good | KeyVerdict::Flawed(Flaw::NotYetValid { .. }) => Key::Works { id, expires: None },
        KeyVerdict::Flawed(_) => Key::Works { id, expires: held.claims.expires_at },
        KeyVerdict::Unfit(flaw) => Key::WrongKind(flaw.to_string()),
        KeyVerdict::Unknown(error) => Key::Unknown(trouble(error)),
        KeyVerdict::Refused(Refusal::NotTaken(_)) => {
            let since = before.filter(|(known, _)| *known == id).map_or(now, |(_, since)| since);
            memory.refused = Some((id.clone(), since));
            let issued = held.claims.issued_at.unwrap_or(0);
            let from = held.claims.not_before.unwrap_or(issued);
            let early =
                if from > now { format!(" (it says itself: not before {})", rfc3339(from)) } else { String::new() };
            Key::Refused { id, issued, from, since, said: format!("{verdict}{early}") }
        }
        KeyVerdict::Refused(_) => {
            let advice = verdict.advice().map(|advice| format!("; to do: {advice}")).unwrap_or_default();
            Key::Odd(format!("{verdict}{advice}"))
        }
    };
    let account = answers.account.and_then(Result::ok).filter(|_| matches!(key, Key::Works { .. }));
    (key, account)
}

/// Asks about our own session; also returns its account, if that could be read.
pub(super) async fn session(
    asking: &MeteredServer<'_>,
    token: &SecretString,
    username: &str,
) -> (Session, Option<Account>) {
    let answers = asking.about(token, username).await;
    let health = answers.session(username);
    let made = Claims::read(token.expose_secret().as_bytes()).ok().and_then(|claims| claims.issued_at);
    let session = Session { health, made };
    (session, answers.account.and_then(Result::ok))
}

/// Asks whether Argo CD accepts a fresh key, and whether it is the one that was requested.
pub(super) async fn fresh(asking: &MeteredServer<'_>, key: &FreshKey, username: &str, now: Seconds) -> Fresh {
    let claims = Claims::read(key.token.expose_secret().as_bytes());
    let answers = asking.about(&key.token, username).await;
    let right = claims.as_ref().is_ok_and(|claims| {
        claims.id.as_deref() == Some(key.id.as_str()) && claims.subject.account() == Some(username)
    });
    let check = match judge(&claims, now, &answers) {
        KeyVerdict::Good | KeyVerdict::Flawed(Flaw::NotYetValid { .. }) if right => Check::Works,
        KeyVerdict::Unknown(error) => Check::Unknown(trouble(&error)),
        _ => Check::NotKnown,
    };
    Fresh { id: key.id.clone(), since: key.since, check }
}

/// The keys of ours that an account lists, except the two in `but` and those that can't be revoked.
pub(super) fn left<'a>(
    account: &'a Account,
    owns: impl Fn(&str) -> bool + 'a,
    but: [Option<&'a str>; 2],
    memory: &'a CredentialMemory,
) -> impl Iterator<Item = SupersededKey> + 'a {
    let listed = account.tokens.iter().filter(move |token| owns(&token.id));
    listed.filter(move |token| !but.contains(&Some(token.id.as_str())) && !memory.undeletable.contains(&token.id)).map(
        |token| SupersededKey {
            account: account.name.clone(),
            id: token.id.clone(),
            issued: token.issued_at.unwrap_or(0),
            never_delivered: memory.discarded.contains(&token.id),
        },
    )
}

/// What earlier passes recorded in the state Secret.
#[derive(Clone, Debug, Default)]
pub(super) struct Persisted {
    pub record: CredentialRecord,
    pub logins: LoginRecord,
}

/// The key, if Argo CD can't be asked at all.
pub(super) fn unknown(held: Result<&Held, &Key>, reason: &Transient) -> Key {
    match held {
        Ok(_) => Key::Unknown(reason.clone()),
        Err(key) => key.clone(),
    }
}
