//! What comes out of a plan.

use super::record::CredentialRecord;
use super::snapshot::Transient;
use crate::time::Seconds;
use std::fmt;

/// Why a key is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MintReason {
    /// The Secret holds none.
    Absent,
    /// What it holds is no key for this.
    WrongKind(String),
    /// Argo CD knows us and not it.
    Refused,
    /// It will expire.
    Expires,
}

impl MintReason {
    /// A label for the metric.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::WrongKind(_) => "wrong_kind",
            Self::Refused => "refused",
            Self::Expires => "expires",
        }
    }

    /// Every label.
    pub const LABELS: [&str; 4] = ["absent", "wrong_kind", "refused", "expires"];
}

impl fmt::Display for MintReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("there was none"),
            Self::WrongKind(what) => write!(f, "what stood there is {what}"),
            Self::Refused => f.write_str("Argo CD refused the one before, while it accepted our own session"),
            Self::Expires => f.write_str("the one before expires"),
        }
    }
}

/// Why a key is deleted in Argo CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireReason {
    /// A newer one works, and everybody had the time to take it.
    Superseded,
    /// There are more than are kept.
    TooMany,
    /// Nobody ever had it.
    Unused,
}

impl fmt::Display for RetireReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Superseded => "a newer one has taken over",
            Self::TooMany => "not more than two superseded ones are kept",
            Self::Unused => "it was never used",
        })
    }
}

/// Something that changes what is somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Log in, for the time that it takes to replace a key.
    Login,
    /// Make a key.
    Mint(MintReason),
    /// Put the fresh key into the Secret, in place of what is wrong there.
    Store(MintReason),
    /// Give the fresh key up.
    Discard,
    /// Put a copy of the token into `argocd-token`.
    Copy,
    /// Empty `argocd-token`: the key of ours in it has had its day.
    Clear,
    /// Delete this account's key.
    Retire(String, String, RetireReason),
    /// Write this record into the state Secret.
    Remember(CredentialRecord),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// One change.
    Act(Action),
    /// Observe again in a moment, with the same session.
    Soon,
    /// Observe again after a backoff.
    Backoff,
    /// Nothing until this time, unless something changes.
    At(Seconds),
}

/// How things are, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// The key works.
    Valid,
    /// It works, and ends then.
    Expires(Seconds),
    /// A key is being made.
    Replacing(MintReason),
    /// There is no key, or nothing to make one with. The text says what is missing.
    Missing(String),
    /// What stands there is no key for this.
    WrongKind(String),
    /// Argo CD refused user name and password; they are not tried again before then.
    LoginRefused(Seconds, String),
    /// Nobody knows what Argo CD said to a login; it is not tried again before then.
    LoginUnknown(Seconds),
    /// The account is disabled.
    AccountDisabled,
    /// The account may not have API keys.
    NoApiKey,
    /// The key is good from then on, and Argo CD's clock isn't there yet.
    NotYet(Seconds),
    /// Argo CD refuses its own fresh session.
    ServerBroken(String),
    /// Argo CD refused the key, and there is nothing beside it to tell whether the key is bad.
    Refused(String),
    /// Keys that worked vanish from Argo CD.
    KeyLost {
        /// How many did within an hour.
        lost: usize,
        /// For how long the last one of them had worked, in seconds.
        lived: Seconds,
        /// When the next one is made; `None` while one works.
        next: Option<Seconds>,
    },
    /// Accepted, but not as it should be.
    Odd(String),
    /// It can't be asked.
    Unavailable(Transient),
    /// The cluster doesn't let us.
    Hindered(String),
}

impl CredentialStatus {
    /// Its name in the status, in metrics and in `docs/credentials.md`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expires(_) => "expires",
            Self::Replacing(_) => "replacing",
            Self::Missing(_) => "missing",
            Self::WrongKind(_) => "wrong_kind",
            Self::LoginRefused(..) => "login_refused",
            Self::LoginUnknown(_) => "login_unknown",
            Self::AccountDisabled => "account_disabled",
            Self::NoApiKey => "no_api_key",
            Self::NotYet(_) => "not_yet_valid",
            Self::ServerBroken(_) => "server_broken",
            Self::Refused(_) => "refused",
            Self::KeyLost { .. } => "key_lost",
            Self::Odd(_) => "odd",
            Self::Unavailable(_) => "unavailable",
            Self::Hindered(_) => "hindered",
        }
    }

    /// Every name.
    pub const NAMES: [&str; 17] = [
        "valid",
        "expires",
        "replacing",
        "missing",
        "wrong_kind",
        "login_refused",
        "login_unknown",
        "account_disabled",
        "no_api_key",
        "not_yet_valid",
        "server_broken",
        "refused",
        "key_lost",
        "odd",
        "unavailable",
        "hindered",
        Self::UNVERIFIED,
    ];

    /// What is said in place of a good state that is no longer fresh: by whoever reads, not by the plan.
    pub const UNVERIFIED: &str = "unverified";

    /// Whether the credential was seen to work.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Valid | Self::Expires(_) | Self::KeyLost { next: None, .. })
    }
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// For people.
    pub state: CredentialStatus,
    /// What to do.
    pub next: Decision,
}
