//! What is remembered from one process to the next, in the Secret `<release>-state`.

use crate::time::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialRecord {
    /// The key that was last seen to work, by its id, and since when it has.
    pub valid: Option<(String, Seconds)>,
    /// Keys of ours that stand in no Secret, by id, and since when.
    pub superseded: BTreeMap<String, Seconds>,
    /// Accounts that may have keys of ours.
    pub accounts: BTreeSet<String>,
    /// The requests of people that were answered last, as keyed hashes.
    pub answered: BTreeSet<String>,
}

/// An attempt to log in that has not been seen to succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// A keyed hash of the user name and password.
    pub credential: String,
    /// When.
    pub at: Seconds,
    /// How many of them in a row took so long that nobody heard the answer.
    #[serde(default)]
    pub unheard: u32,
    /// Whether the last one is known to be one of those, so that it may be tried once more.
    #[serde(default)]
    pub again: bool,
    /// What Argo CD said, if it refused.
    #[serde(default)]
    pub said: Option<String>,
    /// Other credentials that were tried before and did not succeed, and when: whoever goes back and
    /// forth between two wrong ones is no reason to try each again.
    #[serde(default)]
    pub earlier: Vec<(String, Seconds)>,
}

/// The last login that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginProof {
    /// A keyed hash of the user name and password, as in [`Attempt`].
    pub credential: String,
    /// When.
    pub at: Seconds,
}

/// So many earlier ones are remembered.
const MOST_EARLIER: usize = 8;

/// How many attempts that took too long are allowed in one wait. Argo CD counts five failures before
/// it refuses everybody, and we are not the only ones who try.
const MOST_UNHEARD: u32 = 2;

impl Attempt {
    /// The one that comes after `before`.
    pub(super) fn next(credential: String, at: Seconds, before: Option<&Self>) -> Self {
        let unheard = before.filter(|before| before.credential == credential && before.again);
        let unheard = unheard.map_or(0, |before| before.unheard);
        let all = before.into_iter().flat_map(|before| {
            let last = (before.credential.clone(), before.at);
            before.earlier.iter().cloned().chain([last])
        });
        let mut earlier: Vec<_> = all.filter(|(known, _)| *known != credential).collect();
        earlier.drain(..earlier.len().saturating_sub(MOST_EARLIER));
        Self { credential, at, unheard, again: false, said: None, earlier }
    }

    /// What it is once it took too long.
    pub(super) fn unheard(self) -> Self {
        Self { unheard: self.unheard + 1, again: true, ..self }
    }

    /// Until when this credential isn't tried again; nothing where it may be now. A time in the
    /// future is a clock's mistake, and counts from now.
    pub(super) fn blocks(&self, credential: &str, wait: Seconds, now: Seconds) -> Option<Seconds> {
        let until = |at: Seconds| at.min(now).saturating_add(wait);
        let at = if self.credential == credential {
            (!(self.again && self.unheard < MOST_UNHEARD)).then_some(self.at)
        } else {
            self.earlier.iter().find(|(known, _)| known == credential).map(|(_, at)| *at)
        };
        at.map(until).filter(|until| *until > now)
    }

    /// What Argo CD said to this credential, as far as it is remembered.
    pub(super) fn said_to(&self, credential: &str) -> Option<String> {
        if self.credential == credential {
            return self.said.clone();
        }
        Some("it was tried before another one, and did not succeed".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_not_tried_twice_within_the_wait() {
        let tried = Attempt::next("a".to_owned(), 1000, None);
        assert_eq!(tried.blocks("a", 310, 1000), Some(1310), "also where nobody lived to hear the answer");
        assert_eq!(tried.blocks("a", 310, 1309), Some(1310));
        assert_eq!(tried.blocks("a", 310, 1310), None);
        assert_eq!(tried.blocks("b", 310, 1000), None, "another one");
        let refused = Attempt { said: Some("no".to_owned()), ..tried.clone() };
        assert_eq!(refused.blocks("a", 310, 1001), Some(1310));
        assert_eq!(refused.blocks("a", 310, 900), Some(1210), "the clock was set back");
    }

    #[test]
    fn going_back_to_one_that_was_refused_is_no_new_try() {
        let first = Attempt { said: Some("no".to_owned()), ..Attempt::next("a".to_owned(), 1000, None) };
        let second = Attempt::next("b".to_owned(), 1010, Some(&first));
        assert_eq!(second.blocks("a", 310, 1020), Some(1310));
        assert_eq!(second.blocks("a", 310, 1310), None);
        assert!(second.said_to("a").unwrap().contains("before") && second.said_to("b").is_none());
        assert_eq!(first.said_to("a").as_deref(), Some("no"));
        let third = Attempt::next("a".to_owned(), 1400, Some(&second));
        assert_eq!(third.earlier, [("b".to_owned(), 1010)], "once each");
        let many = (0..20).fold(third, |before, turn| Attempt::next(turn.to_string(), 1401, Some(&before)));
        assert_eq!(many.earlier.len(), MOST_EARLIER);
        let old = serde_json::json!({ "credential": "a", "at": 1 });
        assert!(serde_json::from_value::<Attempt>(old).unwrap().earlier.is_empty(), "what an older program wrote");
    }

    #[test]
    fn one_that_took_too_long_is_tried_once_more() {
        let first = Attempt::next("a".to_owned(), 1000, None).unheard();
        assert_eq!(first.blocks("a", 310, 1010), None);
        let second = Attempt::next("a".to_owned(), 1010, Some(&first));
        assert_eq!(second.blocks("a", 310, 1011), Some(1320), "a process that ended meanwhile");
        let second = second.unheard();
        assert_eq!(second.blocks("a", 310, 1070), Some(1320));
        assert_eq!(Attempt::next("b".to_owned(), 1080, Some(&second)).unheard().blocks("b", 310, 1090), None);
        let later = Attempt::next("a".to_owned(), 1400, Some(&second));
        assert_eq!(later.unheard().unheard, 3, "nobody has heard a thing for long");
    }
}
