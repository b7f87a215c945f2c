//! Asking Argo CD: what stands in the cluster in, a snapshot out.

use super::logins::LoginRecord;
use super::metrics::CredentialMetrics;
use super::reach::trouble;
use super::record::CredentialRecord;
use super::snapshot::{Check, Fresh, Key, Session, SupersededKey, Transient};
use crate::argocd::verify::{Answers, Refusal, Verdict, judge, unfit};
use crate::argocd::{Account, ArgoCdError, Server};
use crate::core::token::{Claims, Flaw};
use crate::time::{Seconds, rfc3339};
use secrecy::{ExposeSecret, SecretString};
use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

/// A key that was made and stands in no Secret yet.
pub(super) struct FreshKey {
    pub id: String,
    pub token: SecretString,
    pub since: Seconds,
}

/// What a process knows and doesn't write down. All of it may be lost.
#[derive(Default)]
pub(super) struct LocalState {
    /// Our own session: for the time that it takes to replace a key.
    pub session: Option<SecretString>,
    /// The key that is on its way into the Secret.
    pub fresh: Option<FreshKey>,
    /// Ids that this process asked for and that nobody ever had. They may appear in the list later:
    /// Argo CD goes on with a call whose client has left.
    discarded: VecDeque<String>,
    /// Ids of ours that this account may not delete.
    pub undeletable: BTreeSet<String>,
    /// The key that was refused at the last look, and since when it has been.
    pub refused: Option<(String, Seconds)>,
    /// Whose login has succeeded though it still stands in the state; a keyed hash of the user name.
    pub succeeded: Option<String>,
}

/// So many discarded ids are remembered. The rest is retired like what a killed process leaves.
const MAX_DISCARDED: usize = 256;

impl LocalState {
    /// Nobody has this key, and nobody will.
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

/// Calls to one server, counted.
pub(super) struct Asking<'s> {
    pub server: &'s Server,
    pub metrics: &'s CredentialMetrics,
}

impl Asking<'_> {
    /// Counts a call.
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

    /// Who a token is taken for, and its account.
    pub(super) async fn about(&self, token: &SecretString, account: &str) -> Answers {
        let userinfo = self.timed("userinfo", self.server.userinfo(token)).await;
        let known = userinfo.as_ref().is_ok_and(|user| user.logged_in);
        let account = if known { Some(self.account(token, account).await) } else { None };
        Answers { userinfo, account }
    }

    pub(super) async fn account(&self, token: &SecretString, name: &str) -> Result<Account, ArgoCdError> {
        self.timed("account", self.server.account(token, name)).await
    }
}

/// The key that the Secret holds, as far as it can be told without a server.
pub(super) struct Held {
    pub token: SecretString,
    pub claims: Claims,
    pub account: String,
    pub id: String,
}

/// Tells what the bytes in the Secret are. `username` is whose key it is to be, if that matters.
pub(super) fn held(key: &Result<Vec<u8>, String>, username: Option<&str>, now: Seconds) -> Result<Held, Key> {
    let bytes = match key {
        Ok(bytes) => bytes,
        Err(missing) => return Err(Key::Absent(missing.clone())),
    };
    let claims = Claims::read(bytes);
    if claims == Err(Flaw::Empty) {
        return Err(Key::Absent("there is nothing but white space in the Secret".to_owned()));
    }
    if let Some(Verdict::Unfit(flaw)) = unfit(&claims, now) {
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

/// What was seen of the key, and its account where it could be read.
pub(super) async fn key(
    asking: &Asking<'_>,
    held: &Held,
    memory: &mut LocalState,
    now: Seconds,
) -> (Key, Option<Account>) {
    let answers = asking.about(&held.token, &held.account).await;
    let verdict = judge(&Ok(held.claims.clone()), now, &answers);
    let id = held.id.clone();
    let before = memory.refused.take();
    let key = match &verdict {
        Verdict::Good | Verdict::Flawed(Flaw::NotYetValid { .. }) => Key::Works { id, expires: None },
        Verdict::Flawed(_) => Key::Works { id, expires: held.claims.expires_at },
        Verdict::Unfit(flaw) => Key::WrongKind(flaw.to_string()),
        Verdict::Unknown(error) => Key::Unknown(trouble(error)),
        Verdict::Refused(Refusal::NotTaken(_)) => {
            let since = before.filter(|(known, _)| *known == id).map_or(now, |(_, since)| since);
            memory.refused = Some((id.clone(), since));
            let issued = held.claims.issued_at.unwrap_or(0);
            let from = held.claims.not_before.unwrap_or(issued);
            let early =
                if from > now { format!(" (it says itself: not before {})", rfc3339(from)) } else { String::new() };
            Key::Refused { id, issued, from, since, said: format!("{verdict}{early}") }
        }
        Verdict::Refused(_) => {
            let advice = verdict.advice().map(|advice| format!("; to do: {advice}")).unwrap_or_default();
            Key::Odd(format!("{verdict}{advice}"))
        }
    };
    let account = answers.account.and_then(Result::ok).filter(|_| matches!(key, Key::Works { .. }));
    (key, account)
}

/// What our own session sees, and its account where it could be read.
pub(super) async fn session(asking: &Asking<'_>, token: &SecretString, username: &str) -> (Session, Option<Account>) {
    let answers = asking.about(token, username).await;
    let health = answers.session(username);
    let made = Claims::read(token.expose_secret().as_bytes()).ok().and_then(|claims| claims.issued_at);
    let session = Session { health, made };
    (session, answers.account.and_then(Result::ok))
}

/// What Argo CD makes of a fresh key.
pub(super) async fn fresh(asking: &Asking<'_>, key: &FreshKey, username: &str, now: Seconds) -> Fresh {
    let claims = Claims::read(key.token.expose_secret().as_bytes());
    let answers = asking.about(&key.token, username).await;
    let right = claims.as_ref().is_ok_and(|claims| {
        claims.id.as_deref() == Some(key.id.as_str()) && claims.subject.account() == Some(username)
    });
    let check = match judge(&claims, now, &answers) {
        Verdict::Good | Verdict::Flawed(Flaw::NotYetValid { .. }) if right => Check::Works,
        Verdict::Unknown(error) => Check::Unknown(trouble(&error)),
        _ => Check::NotKnown,
    };
    Fresh { id: key.id.clone(), since: key.since, check }
}

/// The keys of ours that an account lists, but for these.
pub(super) fn left<'a>(
    account: &'a Account,
    owns: impl Fn(&str) -> bool + 'a,
    but: [Option<&'a str>; 2],
    memory: &'a LocalState,
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

/// What was read of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Persisted {
    pub marks: CredentialRecord,
    pub logins: LoginRecord,
}

/// Why Argo CD could not be asked at all.
pub(super) fn unknown(held: Result<&Held, &Key>, reason: &Transient) -> Key {
    match held {
        Ok(_) => Key::Unknown(reason.clone()),
        Err(key) => key.clone(),
    }
}
