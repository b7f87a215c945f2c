//! What a plan is made from. No secret value is in it.

use super::record::CredentialRecord;
use crate::argocd::verify::{KeyAnswer, SessionHealth};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;
use std::collections::BTreeSet;

/// A transient failure: it says nothing about the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transient {
    /// For the metric.
    pub kind: &'static str,
    /// What was tried, what came back, what to do.
    pub text: String,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Seconds>,
}

/// What stands where the key belongs: in `argocd-token` in password mode, in the Secret that the
/// settings name in token mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// Nothing. The text says what is missing.
    Absent(String),
    /// Something that is no key for this: the text says what it is. It needs no server to tell.
    WrongKind(String),
    /// It could not be asked about.
    Unknown(Transient),
    /// Argo CD doesn't know it.
    Refused {
        /// Its id.
        id: String,
        /// When it was made, by what it says itself.
        issued: Seconds,
        /// From when it is valid, by what it says itself.
        from: Seconds,
        /// Since when it has been refused, one look after the other.
        since: Seconds,
        /// What Argo CD said.
        said: String,
    },
    /// Accepted, but the account's list doesn't show it as it should. The text says how.
    Odd(String),
    /// Accepted, of the right account and listed.
    Works {
        /// Its id.
        id: String,
        /// When it expires, if it does.
        expires: Option<Seconds>,
    },
}

impl Key {
    /// What [`diagnose`](crate::argocd::verify::diagnose) makes of it. One that ends is none for a mode
    /// in which it can be replaced.
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

/// A key of ours that an account lists and that stands in no Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupersededKey {
    /// The account.
    pub account: String,
    /// The key's id.
    pub id: String,
    /// When it was made.
    pub issued: Seconds,
    /// Whether this process made it and knows that nobody ever had it.
    pub never_delivered: bool,
}

/// Whether a login may be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// There is nothing to log in with. The text says what is missing.
    Missing(String),
    /// It may.
    Free,
    /// It may, and there is no way to the server.
    NoWay(Transient),
    /// It was tried with this very credential, or with others often enough.
    Tried {
        /// Not again before then.
        until: Seconds,
        /// What Argo CD said; nothing where nobody lived to hear it.
        said: Option<String>,
    },
}

/// A session of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// What Argo CD makes of it.
    pub health: SessionHealth,
    /// When it was made, by Argo CD's own clock.
    pub made: Option<Seconds>,
}

/// A key that was made and stands in no Secret yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// Its id.
    pub id: String,
    /// Since when it has been there.
    pub since: Seconds,
    /// What Argo CD makes of it.
    pub check: Check,
}

/// What Argo CD makes of a fresh key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Accepted and listed, without an end.
    Works,
    /// Not yet, or never: another replica may not know it yet, or an update was lost.
    NotKnown,
    /// It could not be asked about.
    Unknown(Transient),
}

/// What there is to do about the copy of the token in `argocd-token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// Nothing: it is as it should be, or nobody's business.
    InOrder,
    /// The copy isn't the token.
    Differs,
    /// A key of ours stands there that nothing keeps alive any more.
    Former {
        /// Its id.
        id: String,
        /// Whether Argo CD doesn't list it any more.
        gone: bool,
    },
}

/// What was observed of one credential, in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whether keys are made or only watched.
    pub mode: Mode,
    /// What the Secret holds.
    pub key: Key,
    /// The account that the credential is for; nothing where it can't be known.
    pub account: Option<String>,
    /// Keys of ours that could be listed, without the one in the Secret and the fresh one.
    pub left: Vec<SupersededKey>,
    /// Whether the key in the Secret is one of ours and listed as well.
    pub held_is_ours: bool,
    /// Whether it worked once and its account no longer lists it.
    pub held_vanished: bool,
    /// Accounts that may have some, and whose list can't be read.
    pub unreadable_accounts: Vec<String>,
    /// Whether a login may be tried.
    pub login: Login,
    /// Our own session, while there is one.
    pub session: Option<Session>,
    /// The key that is on its way into the Secret.
    pub fresh: Option<Fresh>,
    /// What is remembered.
    pub marks: CredentialRecord,
    /// What people ask for, as keyed hashes.
    pub requests: BTreeSet<String>,
    /// Whether pods hold an earlier credential.
    pub consumers: Consumers,
    /// What there is to do about the copy in `argocd-token`.
    pub mirror: Mirror,
    /// Whether somebody waits for a login with the password as it is, and none is known that counts.
    pub login_due: bool,
}

impl Snapshot {
    /// Whether a person asks for a look that nobody has answered.
    pub(super) fn asked(&self) -> bool {
        !self.requests.is_subset(&self.marks.answered)
    }
}
