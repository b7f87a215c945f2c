//! The result of a plan, and the state of the credential for people.

use super::record::CredentialRecord;
use super::snapshot::Transient;
use crate::time::Seconds;
use std::fmt;

/// Why a key is minted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MintReason {
    /// The Secret holds no key.
    Absent,
    /// The Secret holds something that isn't a usable key; what it is.
    WrongKind(String),
    /// Argo CD refuses the key, though it accepts our session.
    Refused,
    /// The key has an expiry.
    Expires,
}

impl MintReason {
    /// The value of the metric's label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::WrongKind(_) => "wrong_kind",
            Self::Refused => "refused",
            Self::Expires => "expires",
        }
    }

    /// Every value of the metric's label.
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

/// Why a key is revoked in Argo CD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetireReason {
    /// A newer key works, and every consumer had the time to take it up.
    Superseded,
    /// There are more superseded keys than are kept.
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

/// One change, in the cluster or in Argo CD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Log in, for as long as it takes to replace a key.
    Login,
    /// Mint a key: create it in Argo CD and hold it in memory.
    Mint(MintReason),
    /// Write the fresh key into the Secret, which lacks a good one.
    Store(MintReason),
    /// Give the fresh key up.
    Discard,
    /// Write a copy of the token into `argocd-token`.
    Copy,
    /// Empty `argocd-token`: the former key of ours in it is at its end.
    Clear,
    /// Revoke the key with this id, of this account, for this reason.
    Retire(String, String, RetireReason),
    /// Write this record into the state Secret.
    Remember(CredentialRecord),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Execute this change, and observe again.
    Execute(Action),
    /// Observe again in a moment, with the same session.
    RequeueSoon,
    /// Observe again after a backoff.
    Backoff,
    /// Wait until this time, or until something changes.
    WaitUntil(Seconds),
}

/// The state of the credential, as published. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialStatus {
    /// The key works and never expires.
    Valid,
    /// The key works, and expires at this time.
    Expires(Seconds),
    /// A key is being replaced; why.
    Replacing(MintReason),
    /// There is no key, or nothing to mint one with. The text says what is missing.
    Missing(String),
    /// The Secret holds something that isn't a usable key; what it is.
    WrongKind(String),
    /// Argo CD refused user name and password, saying this; they aren't tried again before this time.
    LoginRefused(Seconds, String),
    /// How a login ended isn't known; it isn't tried again before this time.
    LoginUnknown(Seconds),
    /// The account is disabled in Argo CD.
    AccountDisabled,
    /// The account lacks the capability `apiKey`.
    NoApiKey,
    /// The key becomes valid at this time, by Argo CD's clock, which is behind.
    NotYet(Seconds),
    /// Argo CD refuses the session that it just issued; in which way.
    ServerBroken(String),
    /// Argo CD refuses the token, and without a session it can't be told why.
    Refused(String),
    /// Keys that worked vanish from Argo CD repeatedly.
    KeyLost {
        /// How many vanished within the last hour.
        lost: usize,
        /// For how many seconds the last of them had worked.
        lived: Seconds,
        /// When the next one is minted; `None` while one works.
        next: Option<Seconds>,
    },
    /// Argo CD accepts the key, but something about it isn't as it should be.
    Odd(String),
    /// Argo CD can't be asked; why.
    Unavailable(Transient),
    /// A call to the cluster fails; which and why.
    Hindered(String),
}

impl CredentialStatus {
    /// The name in the status, in metrics and in `docs/credentials.md`.
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

    /// Every name, including [`Self::UNVERIFIED`].
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

    /// The name that readers show instead of a good state that is no longer fresh; no plan results in it.
    pub const UNVERIFIED: &str = "unverified";

    /// Whether the credential was seen to work.
    #[must_use]
    pub const fn works(&self) -> bool {
        matches!(self, Self::Valid | Self::Expires(_) | Self::KeyLost { next: None, .. })
    }
}

/// The result of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The state of the credential, for people.
    pub state: CredentialStatus,
    /// What to do next.
    pub next: NextStep,
}
