//! What is remembered from one process to the next, in the Secret `<release>-state`.

use crate::pki::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Marks {
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
}

/// How many attempts that took too long are allowed in one wait. Argo CD counts five failures before
/// it refuses everybody, and we are not the only ones who try.
const MOST_UNHEARD: u32 = 2;

impl Attempt {
    /// The one that comes after `before`.
    pub(super) fn next(credential: String, at: Seconds, before: Option<&Self>) -> Self {
        let unheard = before.filter(|before| before.credential == credential && before.again);
        Self { credential, at, unheard: unheard.map_or(0, |before| before.unheard), again: false, said: None }
    }

    /// What it is once it took too long.
    pub(super) fn unheard(self) -> Self {
        Self { unheard: self.unheard + 1, again: true, ..self }
    }

    /// Until when this credential isn't tried again; nothing where it may be now. A time in the
    /// future is a clock's mistake, and counts from now.
    pub(super) fn blocks(&self, credential: &str, wait: Seconds, now: Seconds) -> Option<Seconds> {
        let until = self.at.min(now).saturating_add(wait);
        let free = self.credential != credential || until <= now || (self.again && self.unheard < MOST_UNHEARD);
        (!free).then_some(until)
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
