//! The only rule for when a login may be sent, so that this program never locks an account.
//!
//! Argo CD counts failed logins per user name for 300 seconds, and after five it refuses even the correct
//! password. Others log in too, so at most three of the five are ours. A login counts if it was sent and not
//! seen to succeed: a failure may be answered by anything in between.

use crate::time::Seconds;
use serde::{Deserialize, Serialize};

/// How many logins are sent without success within one wait, over all user names and passwords.
const MAX_FAILED_LOGINS: usize = 3;
/// How many are sent with the same user name and password if the end of the first isn't known.
const MAX_UNANSWERED_LOGINS: usize = 2;

/// How a login ended that wasn't seen to succeed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LoginEnd {
    /// Not known: the process ended first.
    #[default]
    Pending,
    /// No answer, or none that is certain to be Argo CD's about the password.
    Unheard,
    /// Argo CD refused it, with this message.
    Refused(String),
}

/// A login that wasn't seen to succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoginTry {
    /// The user name as a keyed hash.
    #[serde(default)]
    pub user: String,
    /// User name and password as a keyed hash.
    pub credential: String,
    /// When it was sent, in seconds since 1970; recorded just before.
    pub at: Seconds,
    /// How it ended.
    #[serde(default)]
    pub end: LoginEnd,
}

/// The logins that weren't seen to succeed, oldest first. Each is recorded before it is sent, so that a
/// successor of a killed process counts it, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct LoginRecord {
    tries: Vec<LoginTry>,
}

/// The record as stored: in the current form, or in that of earlier builds, which had one login and the times
/// of others.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Stored {
    tries: Vec<LoginTry>,
    credential: Option<String>,
    at: Seconds,
    said: Option<String>,
    earlier: Vec<(String, Seconds)>,
}

impl From<Stored> for LoginRecord {
    fn from(stored: Stored) -> Self {
        let old = |credential, at, end| LoginTry { user: String::new(), credential, at, end };
        let earlier = stored.earlier.into_iter().map(|(credential, at)| old(credential, at, LoginEnd::Pending));
        let end = stored.said.map_or(LoginEnd::Pending, LoginEnd::Refused);
        let last = stored.credential.map(|credential| old(credential, stored.at, end));
        Self { tries: earlier.chain(last).chain(stored.tries).collect() }
    }
}

/// Why no login may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginBlock {
    /// When one may be sent, in seconds since 1970.
    pub until: Seconds,
    /// What Argo CD said to this credential, or that others were tried; `None` if it isn't known how the
    /// login with it ended.
    pub said: Option<String>,
}

impl LoginRecord {
    /// The record with a login that is about to be sent; those older than `wait` are dropped.
    #[must_use]
    pub(super) fn begin(&self, user: String, credential: String, now: Seconds, wait: Seconds) -> Self {
        let mut tries: Vec<_> = self.within(wait, now).cloned().collect();
        tries.push(LoginTry { user, credential, at: now, end: LoginEnd::Pending });
        Self { tries }
    }

    /// The record with the end of its last login.
    #[must_use]
    pub(super) fn ended(mut self, end: LoginEnd) -> Self {
        if let Some(last) = self.tries.last_mut() {
            last.end = end;
        }
        self
    }

    /// The record after a successful login of this user, for whom Argo CD then forgets former failures.
    #[must_use]
    pub(super) fn succeeded(mut self, user: &str) -> Self {
        self.tries.retain(|tried| tried.user != user);
        self
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.tries.is_empty()
    }

    /// Whether a login with this credential (a keyed hash) is blocked now; `None` if it may be sent.
    pub(super) fn blocks(&self, credential: &str, wait: Seconds, now: Seconds) -> Option<LoginBlock> {
        let recent: Vec<&LoginTry> = self.within(wait, now).collect();
        // A time in the future comes from a wrong clock, and counts as now.
        let end = |tried: &LoginTry| tried.at.min(now).saturating_add(wait);
        let of_many = nth_newest(recent.iter().copied(), MAX_FAILED_LOGINS).map(end);
        let same = || recent.iter().copied().filter(|tried| tried.credential == credential);
        let settled = same().filter(|tried| tried.end != LoginEnd::Unheard).map(end).max();
        let unheard = nth_newest(same(), MAX_UNANSWERED_LOGINS).map(end);
        let until = of_many.max(settled).max(unheard)?;
        let said = same().next_back().map_or_else(
            || {
                let tried = "logins were tried within the last minutes and did not succeed; this one is held back, so \
                             that the account isn't locked";
                Some(format!("{MAX_FAILED_LOGINS} {tried}"))
            },
            |last| if let LoginEnd::Refused(said) = &last.end { Some(said.clone()) } else { None },
        );
        Some(LoginBlock { until, said })
    }

    fn within(&self, wait: Seconds, now: Seconds) -> impl DoubleEndedIterator<Item = &LoginTry> {
        self.tries.iter().filter(move |tried| tried.at.saturating_add(wait) > now)
    }
}

/// The `many`th newest try; `None` if there are fewer.
fn nth_newest<'t>(tries: impl DoubleEndedIterator<Item = &'t LoginTry>, many: usize) -> Option<&'t LoginTry> {
    tries.rev().nth(many - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Seconds = 310;

    fn tried(record: &LoginRecord, credential: &str, at: Seconds, end: LoginEnd) -> LoginRecord {
        record.begin("admin".to_owned(), credential.to_owned(), at, WAIT).ended(end)
    }

    fn refused() -> LoginEnd {
        LoginEnd::Refused("no".to_owned())
    }

    fn until(record: &LoginRecord, credential: &str, now: Seconds) -> Option<Seconds> {
        record.blocks(credential, WAIT, now).map(|block| block.until)
    }

    #[test]
    fn a_credential_is_not_tried_twice_within_the_wait() {
        let pending = tried(&LoginRecord::default(), "a", 1000, LoginEnd::Pending);
        assert_eq!(until(&pending, "a", 1000), Some(1310), "also where nobody lived to hear the answer");
        assert_eq!(until(&pending, "a", 1309), Some(1310));
        assert_eq!(until(&pending, "a", 1310), None);
        assert_eq!(until(&pending, "b", 1000), None, "another one");
        let refused = tried(&LoginRecord::default(), "a", 1000, refused());
        assert_eq!(refused.blocks("a", WAIT, 1001), Some(LoginBlock { until: 1310, said: Some("no".to_owned()) }));
        assert_eq!(until(&refused, "a", 900), Some(1210), "the clock was set back");
    }

    #[test]
    fn one_that_nobody_heard_of_is_tried_once_more() {
        let first = tried(&LoginRecord::default(), "a", 1000, LoginEnd::Unheard);
        assert_eq!(until(&first, "a", 1001), None);
        let second = tried(&first, "a", 1010, LoginEnd::Unheard);
        assert_eq!(second.blocks("a", WAIT, 1011), Some(LoginBlock { until: 1310, said: None }));
        assert_eq!(until(&second, "a", 1310), None);
        assert_eq!(until(&tried(&second, "a", 1310, LoginEnd::Unheard), "a", 1311), Some(1320));
    }

    #[test]
    fn three_without_a_success_are_enough_whatever_the_password() {
        let one = tried(&LoginRecord::default(), "a", 1000, refused());
        let two = tried(&one, "b", 1010, LoginEnd::Unheard);
        assert_eq!((until(&two, "c", 1020), until(&two, "a", 1020)), (None, Some(1310)));
        let three = tried(&two, "c", 1020, refused());
        for credential in ["a", "b", "c", "d"] {
            let now = 1030;
            assert!(until(&three, credential, now) >= Some(1310), "{credential}");
        }
        let held_back = three.blocks("d", WAIT, 1030).unwrap();
        assert!(held_back.said.unwrap().contains("held back"));
        assert_eq!(until(&three, "d", 1310), None);
        assert_eq!(until(&three, "c", 1310), Some(1330));
    }

    #[test]
    fn a_success_frees_its_user_and_nobody_else() {
        let other = LoginRecord::default().begin("ops".to_owned(), "x".to_owned(), 1000, WAIT).ended(refused());
        let both = tried(&tried(&other, "a", 1001, refused()), "b", 1002, refused());
        assert!(until(&both, "c", 1003).is_some());
        let after = both.succeeded("admin");
        assert_eq!((until(&after, "a", 1003), until(&after, "x", 1003)), (None, Some(1310)));
        assert!(after.succeeded("ops").is_empty());
    }

    #[test]
    fn what_an_older_program_wrote_still_counts() {
        let old = serde_json::json!({ "credential": "a", "at": 1000, "said": "no", "earlier": [["b", 990]] });
        let old: LoginRecord = serde_json::from_value(old).unwrap();
        assert_eq!(
            (until(&old, "a", 1001), until(&old, "b", 1001), until(&old, "c", 1001)),
            (Some(1310), Some(1300), None)
        );
        let again: LoginRecord = serde_json::from_value(serde_json::to_value(&old).unwrap()).unwrap();
        assert_eq!(again, old);
        assert_eq!(serde_json::from_str::<LoginRecord>("{}").unwrap(), LoginRecord::default());
    }
}
