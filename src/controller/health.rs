//! The health of the credential that a new pod would get. The credential's reconciler sets it at each check,
//! and the rollout replaces no running pod unless it is known to be good.

use crate::drift::{History, Key};
use crate::time::{Seconds, rfc3339};

/// The health of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Argo CD accepted it.
    Good {
        /// When it expires, in seconds since 1970; `None` if it never does.
        until: Option<Seconds>,
    },
    /// It is unusable. The text says why.
    Bad(String),
    /// Its health couldn't be determined. The text says why.
    Unknown(String),
}

/// Identifies the value that was checked. It has a hash besides the name, so that a result for one value says
/// nothing about the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueId {
    /// The key of the Secret.
    pub key: Key,
    /// The keyed hash of the key's value, as in [`History`].
    pub hash: String,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The health that was found.
    pub health: Health,
    /// The values that were checked; empty if there were none.
    pub values: Vec<ValueId>,
    /// When they were checked, in seconds since 1970.
    pub at: Seconds,
}

impl Default for Examined {
    fn default() -> Self {
        Self { health: Health::Unknown("nobody has looked at it yet".to_owned()), values: Vec::new(), at: 0 }
    }
}

/// Why a check can't be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Whether the value is known to be unusable, rather than of unknown health.
    pub bad: bool,
    /// The reason for people, worded so that it completes "the credential is".
    pub text: String,
}

impl Doubt {
    pub(super) fn bad(text: String) -> Self {
        Self { bad: true, text }
    }

    pub(super) fn unknown(text: String) -> Self {
        Self { bad: false, text }
    }
}

impl Examined {
    /// Why this check can't be relied on now; `None` if it can. `fresh` is for how many seconds a check is
    /// valid.
    #[must_use]
    pub fn doubt(&self, history: &History, now: Seconds, fresh: Seconds) -> Option<Doubt> {
        let until = match &self.health {
            Health::Bad(why) => return Some(Doubt::bad(format!("of no use: {why}"))),
            Health::Unknown(why) => return Some(Doubt::unknown(format!("not known to work: {why}"))),
            Health::Good { until } => until,
        };
        if let Some(until) = until.filter(|until| *until <= now) {
            return Some(Doubt::bad(format!("of no use: it ended at {}", rfc3339(until))));
        }
        let same = |value: &ValueId| history.current(&value.key) == Some(value.hash.as_str());
        if self.values.is_empty() || !self.values.iter().all(same) {
            return Some(Doubt::unknown("not known to work: it is another one since the last look at it".to_owned()));
        }
        // A time in the future comes from a wrong clock.
        if !(self.at..self.at.saturating_add(fresh)).contains(&now) {
            return Some(Doubt::unknown(format!("not known to work: it was last seen to at {}", rfc3339(self.at))));
        }
        None
    }
}

/// The result of the credential's last check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialHealth {
    /// Of the API key: the minted one in password mode, the given one in token mode.
    pub key: Examined,
    /// Of user name and password; `None` in token mode, or if it wasn't checked.
    pub password: Option<Examined>,
}

impl CredentialHealth {
    /// The result of a check that couldn't be made.
    #[must_use]
    pub fn unknown(why: String) -> Self {
        Self { key: Examined { health: Health::Unknown(why), ..Examined::default() }, password: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = 1_800_000_000;

    fn doubt(change: impl Fn(&mut Examined)) -> Option<String> {
        let key = Key::new("mine", "token");
        let mut history = History::default();
        history.note(&key, Some("a".to_owned()), None, NOW - 5000);
        let values = vec![ValueId { key, hash: "a".to_owned() }];
        let mut examined = Examined { health: Health::Good { until: None }, values, at: NOW - 299 };
        change(&mut examined);
        examined.doubt(&history, NOW, 300).map(|doubt| doubt.text)
    }

    #[test]
    fn only_a_fresh_look_at_this_very_value_counts() {
        assert_eq!(doubt(|_| {}), None);
        assert_eq!(doubt(|seen| seen.health = Health::Good { until: Some(NOW + 1) }), None);
        let has = |text: &str, change: &dyn Fn(&mut Examined)| {
            let found = doubt(change).unwrap_or_default();
            assert!(found.contains(text), "{text}: {found}");
        };
        has("last seen", &|seen| seen.at = NOW - 300);
        has("last seen", &|seen| seen.at = NOW + 1);
        has("ended", &|seen| seen.health = Health::Good { until: Some(NOW) });
        has("another one", &|seen| seen.values.clear());
        has("another one", &|seen| seen.values[0].hash = "b".to_owned());
        has("of no use: no", &|seen| seen.health = Health::Bad("no".to_owned()));
        has("not known to work: away", &|seen| seen.health = Health::Unknown("away".to_owned()));
        assert!(Examined::default().doubt(&History::default(), NOW, 300).is_some());
    }
}
