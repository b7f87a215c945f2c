//! What a plan of the credential depends on. It holds no secret value. Times are seconds since 1970.

use super::record::CredentialRecord;
use crate::argocd::verify::{KeyAnswer, SessionHealth};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;
use std::collections::BTreeSet;

/// A failed call that says nothing about the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transient {
    /// The label for metrics.
    pub kind: &'static str,
    /// What was tried, why it failed, and what to do.
    pub text: String,
    /// The server's `Retry-After`, in seconds.
    pub retry_after: Option<Seconds>,
}

/// The value of the key's Secret: `argocd-token` in password mode, the one that the settings name in token
/// mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// There is none. The text says what is missing.
    Absent(String),
    /// Something that isn't a usable key, by its own claims. The text says what it is.
    WrongKind(String),
    /// Argo CD couldn't be asked about it.
    Unknown(Transient),
    /// A key that Argo CD doesn't accept.
    Refused {
        /// The key's id.
        id: String,
        /// When it was issued, by its own claims.
        issued: Seconds,
        /// From when it is valid, by its own claims.
        from: Seconds,
        /// Since when it has been refused at every observation.
        since: Seconds,
        /// Argo CD's answer.
        said: String,
    },
    /// A key that is accepted, but something about it or its account isn't right. The text says what.
    Odd(String),
    /// A key that is accepted, of the right account, and listed.
    Works {
        /// The key's id.
        id: String,
        /// When it expires; `None` if it never does.
        expires: Option<Seconds>,
    },
}

impl Key {
    /// The key as input to [`diagnose`](crate::argocd::verify::diagnose). In password mode, where it can be
    /// replaced, a key with an expiry counts as unfit.
    pub(super) const fn answer(&self, mode: Mode) -> KeyAnswer {
        match (self, mode) {
            (Self::Works { expires: Some(_), .. }, Mode::Password) | (Self::Absent(_) | Self::WrongKind(_), _) => {
                KeyAnswer::Unfit
            }
            (Self::Works { .. }, _) => KeyAnswer::Works,
            (Self::Odd(_), _) => KeyAnswer::Odd,
            (Self::Refused { .. }, _) => KeyAnswer::Refused,
            (Self::Unknown(_), _) => KeyAnswer::Unknown,
        }
    }
}

/// A key of ours that an account lists besides the current and the fresh one: superseded by another, or never
/// delivered to anybody. In token mode it may still stand in `argocd-token` ([`Mirror::Former`]). Keys that
/// Argo CD didn't let us delete are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededKey {
    /// The account's name.
    pub account: String,
    /// The key's id.
    pub id: String,
    /// When it was issued.
    pub issued: Seconds,
    /// Whether this process minted it and knows that nobody ever had it.
    pub never_delivered: bool,
}

/// Whether a login may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// There is nothing to log in with. The text says what is missing.
    Missing(String),
    /// It may be sent.
    Free,
    /// It might be sent, but the server can't be reached.
    NoWay(Transient),
    /// It was sent with this credential before, or with others too often.
    Tried {
        /// When it may be sent again.
        until: Seconds,
        /// Argo CD's answer; `None` if it isn't known.
        said: Option<String>,
    },
}

/// Our own session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whether Argo CD accepts it.
    pub health: SessionHealth,
    /// When it was issued, by Argo CD's clock.
    pub made: Option<Seconds>,
}

/// A key that was minted and is in no Secret yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The key's id.
    pub id: String,
    /// When it was minted.
    pub since: Seconds,
    /// Whether Argo CD accepts it.
    pub check: Check,
}

/// Whether Argo CD accepts a fresh key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is accepted and listed, and never expires.
    Works,
    /// It isn't accepted: another replica may not know it yet, or an update was lost.
    NotKnown,
    /// Argo CD couldn't be asked about it.
    Unknown(Transient),
}

/// Whether `argocd-token` is as token mode wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// It is, or it isn't this program's business.
    InOrder,
    /// It should hold a copy of the token and doesn't.
    Differs,
    /// It holds a former key of ours that nothing keeps valid.
    Former {
        /// The key's id.
        id: String,
        /// Whether Argo CD no longer lists it.
        gone: bool,
    },
}

/// What was observed of the credential in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether keys are minted or only observed.
    pub mode: Mode,
    /// The value of the key's Secret.
    pub key: Key,
    /// The account of the credential; `None` if it isn't known.
    pub account: Option<String>,
    /// The keys of ours that are listed, without the one in the Secret and the fresh one.
    pub left: Vec<SupersededKey>,
    /// Whether the key in the Secret is one of ours, and listed.
    pub held_is_ours: bool,
    /// Whether the key in the Secret has worked and its account no longer lists it.
    pub held_vanished: bool,
    /// Accounts that may have keys of ours, but whose list can't be read.
    pub unreadable_accounts: Vec<String>,
    /// Whether a login may be sent.
    pub login: Login,
    /// Our own session, while there is one.
    pub session: Option<Session>,
    /// The key that is to be written into the Secret.
    pub fresh: Option<Fresh>,
    /// What earlier passes recorded.
    pub record: CredentialRecord,
    /// The requests of people (values of an annotation), as keyed hashes.
    pub requests: BTreeSet<String>,
    /// Whether pods hold an earlier credential.
    pub consumers: Consumers,
    /// Whether `argocd-token` is as token mode wants it.
    pub mirror: Mirror,
    /// Whether the rollout waits for a login with the current password, and none has succeeded recently.
    pub login_due: bool,
}

impl Snapshot {
    /// Whether a person requests a check that wasn't answered yet.
    pub(super) fn asked(&self) -> bool {
        !self.requests.is_subset(&self.record.answered)
    }
}
