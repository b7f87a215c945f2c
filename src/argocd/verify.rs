//! Whether a token is valid, by its claims and by Argo CD's answers.
//!
//! A refused token isn't necessarily dead: a server whose configuration is broken refuses all tokens, and
//! accepts them again once it is repaired. A refusal is definite only beside a fresh session of our own that
//! is accepted at the same time: see [`diagnose`].

use super::error::{ArgoCdError, Cause};
use super::server::{Account, Server, UserInfo};
use crate::core::token::{Claims, Flaw, Subject};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// Argo CD's answers to calls with one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The user that Argo CD takes the token for.
    pub userinfo: Result<UserInfo, ArgoCdError>,
    /// The token's own account, read with the token; `None` if the token wasn't accepted in the first place.
    pub account: Option<Result<Account, ArgoCdError>>,
}

/// Collects what [`judge`] and [`diagnose`] need: the user behind the token and, if the token is accepted,
/// its account.
pub async fn ask(server: &Server, token: &SecretString, account: &str) -> Answers {
    answers(Box::pin(server.userinfo(token)), Box::pin(server.account(token, account))).await
}

/// The same with calls that somebody observes: the second is made only if the first says that the token is
/// accepted.
pub async fn answers(
    userinfo: impl Future<Output = Result<UserInfo, ArgoCdError>>,
    account: impl Future<Output = Result<Account, ArgoCdError>>,
) -> Answers {
    let userinfo = userinfo.await;
    let counts = userinfo.as_ref().is_ok_and(|user| user.logged_in);
    let account = if counts { Some(account.await) } else { None };
    Answers { userinfo, account }
}

/// The state of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// Argo CD accepts it, and it never expires.
    Good,
    /// Argo CD accepts it, but it isn't as it should be.
    Flawed(Flaw),
    /// Its claims show that it isn't a usable API key; Argo CD need not be asked.
    Unfit(Flaw),
    /// Argo CD answers, and doesn't accept the key, or accepts it only in part.
    Refused(Refusal),
    /// There is no answer that would tell.
    Unknown(ArgoCdError),
}

/// In which way Argo CD doesn't accept a key, or accepts it only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Argo CD answers 401 or counts the key as no login; the error, if there was one.
    NotTaken(Option<ArgoCdError>),
    /// Argo CD takes it for another user; that one's name.
    OtherUser(String),
    /// The key's account is disabled.
    Disabled,
    /// The account lacks the capability `apiKey`.
    NoApiKeys,
    /// The account doesn't list the key's id.
    NotListed,
    /// The key has no `exp`, but the account lists it with one.
    ListedExpiring {
        /// The listed expiry, in seconds since 1970.
        at: i64,
    },
}

/// Judges a key by its claims alone; `None` if Argo CD has to be asked.
#[must_use]
pub fn unfit(key: &Result<Claims, Flaw>, now: i64) -> Option<KeyVerdict> {
    let flaw = match key {
        Err(flaw) => Some(flaw.clone()),
        Ok(claims) => claims.flaw(now).filter(|flaw| !flaw.is_usable()),
    };
    flaw.map(KeyVerdict::Unfit)
}

/// Judges a key by its claims and by Argo CD's answers.
#[must_use]
pub fn judge(key: &Result<Claims, Flaw>, now: i64, answers: &Answers) -> KeyVerdict {
    let claims = match (unfit(key, now), key) {
        (Some(verdict), _) => return verdict,
        (None, Err(flaw)) => return KeyVerdict::Unfit(flaw.clone()),
        (None, Ok(claims)) => claims,
    };
    let (Subject::ApiKey { account: name }, Some(id)) = (&claims.subject, &claims.id) else {
        return KeyVerdict::Unfit(Flaw::NoId);
    };
    match &answers.userinfo {
        Err(error) if matches!(error.cause, Cause::Unauthorized(_)) => {
            return KeyVerdict::Refused(Refusal::NotTaken(Some(error.clone())));
        }
        Err(error) => return KeyVerdict::Unknown(error.clone()),
        Ok(user) if !user.logged_in => return KeyVerdict::Refused(Refusal::NotTaken(None)),
        Ok(user) if !user.username.is(name) => {
            return KeyVerdict::Refused(Refusal::OtherUser(user.username.to_string()));
        }
        Ok(_) => {}
    }
    let account = match &answers.account {
        // The account wasn't read, though the key is accepted: nothing speaks against it.
        None => return claims.flaw(now).map_or(KeyVerdict::Good, KeyVerdict::Flawed),
        Some(Err(error)) if matches!(error.cause, Cause::Unauthorized(_)) => {
            return KeyVerdict::Refused(Refusal::NotTaken(Some(error.clone())));
        }
        Some(Err(error)) => return KeyVerdict::Unknown(error.clone()),
        Some(Ok(account)) => account,
    };
    let listed = account.token(id);
    let refusal = if !account.enabled {
        Some(Refusal::Disabled)
    } else if !account.may_have_api_keys() {
        Some(Refusal::NoApiKeys)
    } else {
        match listed {
            None => Some(Refusal::NotListed),
            Some(listed) => {
                listed.expires_at.filter(|_| claims.expires_at.is_none()).map(|at| Refusal::ListedExpiring { at })
            }
        }
    };
    match refusal {
        Some(refusal) => KeyVerdict::Refused(refusal),
        None => claims.flaw(now).map_or(KeyVerdict::Good, KeyVerdict::Flawed),
    }
}

/// What the answers say about a key, regardless of who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAnswer {
    /// It is accepted, listed, and as it should be.
    Works,
    /// It is accepted, but something about it or its account isn't right: left alone.
    Odd,
    /// Argo CD doesn't accept it.
    Refused,
    /// It is missing, or its claims show that it isn't a usable key; Argo CD need not be asked.
    Unfit,
    /// There was no answer that would tell.
    Unknown,
}

/// What the answers say about a fresh session of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionHealth {
    /// It is accepted, and its account is enabled and may have API keys.
    Accepted,
    /// It is accepted, but its account is disabled.
    Disabled,
    /// It is accepted, but its account lacks the capability `apiKey`.
    NoApiKeys,
    /// Argo CD doesn't accept the session that it just issued; in which way.
    NotAccepted(String),
    /// There was no answer that would tell.
    Unknown(ArgoCdError),
}

/// The health of a key, by Argo CD's answers about it and about a session of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyHealth {
    /// The key is accepted.
    Works,
    /// Definite: the session is accepted, and the key isn't.
    Dead,
    /// The account is disabled or may not have API keys. Its keys work again once that is undone, so wait.
    Withheld(Refusal),
    /// The session isn't accepted either: the server is broken, which says nothing about the key.
    ServerBroken(String),
    /// The key is accepted, but something isn't right. Not to be replaced.
    Odd,
    /// There was no answer about the session (the error), or none about the key itself (`None`).
    Unknown(Option<ArgoCdError>),
    /// The key isn't accepted, and no session was asked about.
    Undecided,
}

/// Decides the health of a key. This is the only place with that rule, for the controller and every command:
/// a refused key is dead only beside a session that the same server accepts.
#[must_use]
pub fn diagnose(key: KeyAnswer, session: Option<&SessionHealth>) -> KeyHealth {
    match (key, session) {
        (KeyAnswer::Works, _) => KeyHealth::Works,
        (KeyAnswer::Odd, _) => KeyHealth::Odd,
        (KeyAnswer::Unknown, _) => KeyHealth::Unknown(None),
        (KeyAnswer::Refused | KeyAnswer::Unfit, None) => KeyHealth::Undecided,
        // An unfit key is dead whatever the server says, but only a working server can mint another.
        (KeyAnswer::Refused | KeyAnswer::Unfit, Some(session)) => match session {
            SessionHealth::Accepted => KeyHealth::Dead,
            SessionHealth::Disabled => KeyHealth::Withheld(Refusal::Disabled),
            SessionHealth::NoApiKeys => KeyHealth::Withheld(Refusal::NoApiKeys),
            SessionHealth::NotAccepted(how) => KeyHealth::ServerBroken(how.clone()),
            SessionHealth::Unknown(error) => KeyHealth::Unknown(Some(error.clone())),
        },
    }
}

impl Answers {
    /// What the answers say about a fresh session of `account`. Every account may read itself, so a 403 or
    /// 404 there comes from a server that doesn't accept its own session.
    #[must_use]
    pub fn session(&self, account: &str) -> SessionHealth {
        match &self.userinfo {
            Err(ArgoCdError { cause: cause @ Cause::Unauthorized(_), .. }) => {
                return SessionHealth::NotAccepted(cause.to_string());
            }
            Err(error) => return SessionHealth::Unknown(error.clone()),
            Ok(user) if !user.logged_in => return SessionHealth::NotAccepted("it counts as no login".to_owned()),
            Ok(user) if !user.username.is(account) => {
                return SessionHealth::NotAccepted(format!("it is taken for {:?}", user.username));
            }
            Ok(_) => {}
        }
        match &self.account {
            None => SessionHealth::NotAccepted("its account was not read".to_owned()),
            Some(Ok(account)) if !account.enabled => SessionHealth::Disabled,
            Some(Ok(account)) if !account.may_have_api_keys() => SessionHealth::NoApiKeys,
            Some(Ok(_)) => SessionHealth::Accepted,
            Some(Err(error)) => match &error.cause {
                cause @ (Cause::Unauthorized(_) | Cause::Forbidden(_) | Cause::NotFound(_)) => {
                    SessionHealth::NotAccepted(format!("its own account can't be read with it: {cause}"))
                }
                _ => SessionHealth::Unknown(error.clone()),
            },
        }
    }
}

impl KeyVerdict {
    /// The verdict as input to [`diagnose`].
    #[must_use]
    pub const fn answer(&self) -> KeyAnswer {
        match self {
            Self::Good | Self::Flawed(_) => KeyAnswer::Works,
            Self::Unfit(_) => KeyAnswer::Unfit,
            Self::Refused(Refusal::NotTaken(_)) => KeyAnswer::Refused,
            Self::Refused(_) => KeyAnswer::Odd,
            Self::Unknown(_) => KeyAnswer::Unknown,
        }
    }

    /// A stable name, such as `refused`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Flawed(_) => "flawed",
            Self::Unfit(_) => "unfit",
            Self::Refused(_) => "refused",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What a person can do about it; `None` where the text says it already.
    #[must_use]
    pub const fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Good | Self::Unknown(_) => None,
            Self::Flawed(flaw) | Self::Unfit(flaw) => Some(flaw.advice()),
            Self::Refused(refusal) => Some(refusal.advice()),
        }
    }
}

impl Refusal {
    const fn advice(&self) -> &'static str {
        match self {
            Self::NotTaken(_) => {
                "look whether Argo CD takes any login now; if it does, the key was revoked or the account's \
                 password has changed, and a new key is needed"
            }
            Self::OtherUser(_) => {
                "Argo CD lets anybody in (anonymous access, or --disable-auth): turn that off, or it can't be told \
                 whether a key is good"
            }
            Self::Disabled => "enable the account in argocd-cm (account enable does it)",
            Self::NoApiKeys => "give the account `apiKey` in argocd-cm (account enable does it)",
            Self::NotListed => {
                "ask again in a moment: another replica of Argo CD may know it already; if it stays so, make a new key"
            }
            Self::ListedExpiring { .. } => "make a key without an end",
        }
    }
}

/// Leaves out times, which callers add.
impl fmt::Display for KeyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("Argo CD takes it, and it never expires"),
            Self::Flawed(flaw) => write!(f, "Argo CD takes it, but {flaw}"),
            Self::Unfit(flaw) => flaw.fmt(f),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unknown(error) => write!(f, "not known: {error}"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken(None) => {
                f.write_str("it is refused, or the server is broken: Argo CD counts it as no login")
            }
            Self::NotTaken(Some(error)) => write!(f, "it is refused, or the server is broken: {}", error.cause),
            Self::OtherUser(name) if name.is_empty() => f.write_str("Argo CD takes it for nobody's"),
            Self::OtherUser(name) => write!(f, "Argo CD takes it for {name:?}, and not for whom it names"),
            Self::Disabled => f.write_str("its account is disabled"),
            Self::NoApiKeys => f.write_str("its account may not have API keys"),
            Self::NotListed => f.write_str("its account doesn't list it"),
            Self::ListedExpiring { .. } => f.write_str("its account lists it with an end"),
        }
    }
}

/// What to do about a refused login, which can mean several things that only Argo CD's log tells apart.
/// `None` for errors in which the password wasn't looked at.
#[must_use]
pub const fn login_advice(error: &ArgoCdError) -> Option<&'static str> {
    if matches!(error.cause, Cause::Unauthorized(_)) { Some(LOGIN_ADVICE) } else { None }
}

const LOGIN_ADVICE: &str = "look whether password and account are right, and that the account is enabled and may log \
                            in; after 5 refusals in 5 minutes a correct password is refused too, so wait that long \
                            before you try again";

/// Reads a token's claims, without asking Argo CD.
///
/// # Errors
/// What the text is instead of a JWT; see [`Claims::read`].
pub fn claims(token: &SecretString) -> Result<Claims, Flaw> {
    Claims::read(token.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests;
