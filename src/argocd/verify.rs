//! Whether a token is good: what it says of itself, and what Argo CD says of it.
//!
//! That Argo CD does not take a token doesn't mean that the token is dead: a server whose
//! configuration is broken refuses every one, and takes them again once it is mended. Only beside a
//! session of our own that is taken at the same time is a refusal a definite no: [`diagnose`].

use super::error::{ArgoCdError, Cause};
use super::server::{Account, Server, UserInfo};
use crate::core::token::{Claims, Flaw, Subject};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;

/// What Argo CD says of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// Who it takes it for.
    pub userinfo: Result<UserInfo, ArgoCdError>,
    /// The token's own account, read with it; `None` where that was not asked.
    pub account: Option<Result<Account, ArgoCdError>>,
}

/// Asks what [`judge`] and [`diagnose`] need to know: who the token is taken for, and if it is taken,
/// its account.
pub async fn ask(server: &Server, token: &SecretString, account: &str) -> Answers {
    let userinfo = server.userinfo(token).await;
    let counts = userinfo.as_ref().is_ok_and(|user| user.logged_in);
    let account = if counts { Some(server.account(token, account).await) } else { None };
    Answers { userinfo, account }
}

/// What is to be said of an API key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Argo CD takes it, and it never expires.
    Good,
    /// Argo CD takes it, but there is something to mend.
    Flawed(Flaw),
    /// It can't be an API key: Argo CD need not be asked.
    Unfit(Flaw),
    /// Argo CD answers, and does not take it: it is refused, or the server is broken.
    Refused(Refusal),
    /// Nobody knows: there was no answer that says so.
    Unknown(ArgoCdError),
}

/// How Argo CD doesn't take a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It counts as no login; with what Argo CD said, where it said something.
    NotTaken(Option<ArgoCdError>),
    /// It is taken for somebody else.
    OtherUser(String),
    /// The account is disabled.
    Disabled,
    /// The account may not have API keys.
    NoApiKeys,
    /// The account doesn't list it.
    NotListed,
    /// The account lists it with an end.
    ListedExpiring {
        /// When, in seconds since 1970.
        at: i64,
    },
}

/// Judges a key by its claims alone; `None` if Argo CD has to be asked.
#[must_use]
pub fn unfit(key: &Result<Claims, Flaw>, now: i64) -> Option<Verdict> {
    let flaw = match key {
        Err(flaw) => Some(flaw.clone()),
        Ok(claims) => claims.flaw(now).filter(|flaw| !flaw.is_usable()),
    };
    flaw.map(Verdict::Unfit)
}

/// Judges a key by its claims and by what Argo CD says of it.
#[must_use]
pub fn judge(key: &Result<Claims, Flaw>, now: i64, answers: &Answers) -> Verdict {
    let claims = match (unfit(key, now), key) {
        (Some(verdict), _) => return verdict,
        (None, Err(flaw)) => return Verdict::Unfit(flaw.clone()),
        (None, Ok(claims)) => claims,
    };
    let (Subject::ApiKey { account: name }, Some(id)) = (&claims.subject, &claims.id) else {
        return Verdict::Unfit(Flaw::NoId);
    };
    match &answers.userinfo {
        Err(error) if matches!(error.cause, Cause::Unauthorized(_)) => {
            return Verdict::Refused(Refusal::NotTaken(Some(error.clone())));
        }
        Err(error) => return Verdict::Unknown(error.clone()),
        Ok(user) if !user.logged_in => return Verdict::Refused(Refusal::NotTaken(None)),
        Ok(user) if !user.username.is(name) => {
            return Verdict::Refused(Refusal::OtherUser(user.username.to_string()));
        }
        Ok(_) => {}
    }
    let account = match &answers.account {
        // Not asked, though the key is taken: nothing to hold against it.
        None => return claims.flaw(now).map_or(Verdict::Good, Verdict::Flawed),
        Some(Err(error)) if matches!(error.cause, Cause::Unauthorized(_)) => {
            return Verdict::Refused(Refusal::NotTaken(Some(error.clone())));
        }
        Some(Err(error)) => return Verdict::Unknown(error.clone()),
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
        Some(refusal) => Verdict::Refused(refusal),
        None => claims.flaw(now).map_or(Verdict::Good, Verdict::Flawed),
    }
}

/// What one answer says of a key, whoever asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAnswer {
    /// It is accepted, listed, and as it should be.
    Works,
    /// It is accepted, and not as it should be: left alone.
    Odd,
    /// Argo CD doesn't accept it.
    Refused,
    /// Whatever stands there can't be a key, or nothing does: Argo CD need not be asked.
    Unfit,
    /// There was no answer that says anything.
    Unknown,
}

/// What one answer says of a fresh session of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionHealth {
    /// It is accepted for the account, which is enabled and may have API keys.
    Accepted,
    /// It is accepted, and the account is disabled.
    Disabled,
    /// It is accepted, and the account may not have API keys.
    NoApiKeys,
    /// Argo CD doesn't accept its own fresh session; how.
    NotAccepted(String),
    /// There was no answer that says anything.
    Unknown(ArgoCdError),
}

/// What holds of a key, by what Argo CD says of it and of a session of the same account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyHealth {
    /// It works.
    Works,
    /// A definite no: the session is accepted, and the key is not.
    Dead,
    /// The account is disabled, or may not have API keys. Its keys come back with that: to be waited
    /// for.
    Withheld(Refusal),
    /// The session isn't accepted either: the server is broken, and says nothing about the key.
    ServerBroken(String),
    /// It is accepted, and not as it should be. Not to be replaced.
    Odd,
    /// Nobody knows, for want of an answer about the session; with it, or `None` where the key itself
    /// couldn't be asked about.
    Unknown(Option<ArgoCdError>),
    /// The key isn't accepted, and there is no session beside it to tell why.
    Undecided,
}

/// Decides what holds of a key: the one rule, for the controller and for every command. A key that
/// isn't accepted is dead only beside a session that is, asked of the same server.
#[must_use]
pub fn diagnose(key: KeyAnswer, session: Option<&SessionHealth>) -> KeyHealth {
    match (key, session) {
        (KeyAnswer::Works, _) => KeyHealth::Works,
        (KeyAnswer::Odd, _) => KeyHealth::Odd,
        (KeyAnswer::Unknown, _) => KeyHealth::Unknown(None),
        (KeyAnswer::Refused | KeyAnswer::Unfit, None) => KeyHealth::Undecided,
        // What can't be a key is dead whatever the server says, but a new one is made by the server.
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
    /// What they say of a fresh session of `account`. Every account may read itself: a 403 or 404 there
    /// is a server that doesn't know its own session.
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

impl Verdict {
    /// What [`diagnose`] makes of it.
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

    /// A label.
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

    /// What to do about it, where there is something and the text doesn't say it already.
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

/// Without times, which are the caller's to write.
impl fmt::Display for Verdict {
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

/// What to do about a login that was refused: it means one of several things, and only Argo CD's log
/// says which. `None` where nobody has looked at the password.
#[must_use]
pub const fn login_advice(error: &ArgoCdError) -> Option<&'static str> {
    if matches!(error.cause, Cause::Unauthorized(_)) { Some(LOGIN_ADVICE) } else { None }
}

const LOGIN_ADVICE: &str = "look whether password and account are right, and that the account is enabled and may log \
                            in; after 5 refusals in 5 minutes a correct password is refused too, so wait that long \
                            before you try again";

/// What a token says of itself.
///
/// # Errors
/// What it is instead of a token of Argo CD.
pub fn claims(token: &SecretString) -> Result<Claims, Flaw> {
    Claims::read(token.expose_secret().as_bytes())
}

#[cfg(test)]
mod tests;
