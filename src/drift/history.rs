//! The values that keys of Secrets had and since when, as keyed hashes, never as values.

use super::{Held, Key};
use crate::time::Seconds;
use serde::{Deserialize, Serialize};

/// How many values of a key are remembered. A container that took an earlier one counts as having taken the
/// oldest of these.
const MAX_VALUES: usize = 20;

/// One value that a key had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Value {
    /// The value's keyed hash; `None` while there was no value.
    hash: Option<String>,
    /// When it was first seen, or the earlier time at which the Secret was written.
    since: Seconds,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    key: Key,
    /// Oldest first; neighbours differ.
    values: Vec<Value>,
}

/// The values of each tracked key, as far as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History(Vec<Line>);

impl History {
    /// Records the value of a key (`None`: there is none). `written` is when the Secret was last written, if
    /// known: the value is no newer than that. True if the value differs from the last one, or is the first.
    pub fn note(&mut self, key: &Key, hash: Option<String>, written: Option<Seconds>, now: Seconds) -> bool {
        let Some(line) = self.0.iter_mut().find(|line| line.key == *key) else {
            self.0.push(Line { key: key.clone(), values: vec![Value { hash, since: now }] });
            return true;
        };
        let before = line.values.last();
        if before.is_some_and(|value| value.hash == hash) {
            return false;
        }
        let since = before.map_or(Seconds::MIN, |value| value.since);
        let since = written.filter(|written| *written > since && *written <= now).unwrap_or(now);
        line.values.push(Value { hash, since });
        let over = line.values.len().saturating_sub(MAX_VALUES);
        line.values.drain(..over);
        true
    }

    /// Forgets the keys for which `matters` is false.
    pub fn keep(&mut self, matters: impl Fn(&Key) -> bool) {
        self.0.retain(|line| matters(&line.key));
    }

    fn values(&self, key: &Key) -> &[Value] {
        self.0.iter().find(|line| line.key == *key).map_or(&[], |line| &line.values)
    }

    /// The keyed hash of the key's current value; `None` if there is none.
    #[must_use]
    pub fn current(&self, key: &Key) -> Option<&str> {
        self.values(key).last()?.hash.as_deref()
    }

    /// When the key's current value appeared; `None` if it never changed.
    #[must_use]
    pub fn changed(&self, key: &Key) -> Option<Seconds> {
        match self.values(key) {
            [_, .., last] => Some(last.since),
            _ => None,
        }
    }

    /// Whether a container may hold another value than the current one. The kubelet may have given it any
    /// value that was there within `cache` seconds before it started. If there is no current value, nothing
    /// is stale: a new container would have nothing to take.
    #[must_use]
    pub fn is_stale(&self, held: &Held, cache: Seconds) -> bool {
        let values = self.values(&held.key);
        let Some(current) = values.last().filter(|value| value.hash.is_some()) else { return false };
        values.iter().enumerate().any(|(place, value)| {
            // The value before the first observation is assumed to be the one first seen.
            let from = if place == 0 { Seconds::MIN } else { value.since };
            let until = values.get(place + 1).map_or(Seconds::MAX, |next| next.since);
            let may_hold = from <= held.started && held.started.saturating_sub(cache) < until;
            // A container doesn't start without a value that it requires.
            may_hold && value.hash != current.hash && (held.optional || value.hash.is_some())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CACHE: Seconds = 60;

    fn key() -> Key {
        Key::new("argocd-initial-admin-secret", "password")
    }

    /// A key held by a container that would have started without it.
    fn held(started: Seconds) -> Held {
        Held { key: key(), started, optional: true }
    }

    fn history(values: &[(&str, Seconds)]) -> History {
        let mut history = History::default();
        for (hash, at) in values {
            let hash = Some((*hash).to_owned()).filter(|hash| !hash.is_empty());
            history.note(&key(), hash, None, *at);
        }
        history
    }

    #[test]
    fn a_container_is_stale_if_it_started_before_the_change_and_the_kubelets_cache() {
        let changed = history(&[("a", 0), ("b", 1000)]);
        for (started, stale) in [(-5, true), (500, true), (1000, true), (1059, true), (1060, false), (2000, false)] {
            assert_eq!(changed.is_stale(&held(started), CACHE), stale, "{started}");
        }
    }

    #[test]
    fn a_value_that_came_back_makes_only_those_stale_that_started_between() {
        let back = history(&[("a", 0), ("b", 1000), ("a", 2000)]);
        for (started, stale) in [(500, false), (999, false), (1000, true), (1500, true), (2059, true), (2060, false)] {
            assert_eq!(back.is_stale(&held(started), CACHE), stale, "{started}");
        }
    }

    #[test]
    fn what_appears_counts_and_what_disappears_does_not() {
        assert!(history(&[("", 0), ("a", 100)]).is_stale(&held(50), CACHE));
        assert!(!history(&[("a", 0), ("", 100)]).is_stale(&held(50), CACHE));
        assert!(!history(&[("a", 0), ("", 100), ("a", 300)]).is_stale(&held(50), CACHE));
    }

    #[test]
    fn who_requires_a_value_did_not_start_before_it_came() {
        let required = |started| Held { optional: false, ..held(started) };
        let came = history(&[("", 0), ("a", 100)]);
        assert!(came.is_stale(&held(101), CACHE) && !came.is_stale(&required(101), CACHE));
        let gone_between = history(&[("a", 0), ("", 100), ("b", 200)]);
        assert!(gone_between.is_stale(&required(159), CACHE), "from the kubelet's cache");
        assert!(!gone_between.is_stale(&required(201), CACHE) && gone_between.is_stale(&held(201), CACHE));
    }

    #[test]
    fn the_first_value_makes_nobody_stale_and_neither_does_the_same_one_again() {
        let mut history = history(&[("a", 1000)]);
        assert!(!history.note(&key(), Some("a".to_owned()), Some(2000), 3000));
        assert!(!history.is_stale(&held(5), CACHE));
        assert_eq!(history.changed(&key()), None);
        assert!(!history.is_stale(&Held { key: Key::new("other", "key"), ..held(5) }, CACHE));
    }

    #[test]
    fn a_change_that_nobody_saw_counts_from_the_last_write() {
        let mut history = history(&[("a", 0)]);
        history.note(&key(), Some("b".to_owned()), Some(1000), 5000);
        assert_eq!(history.changed(&key()), Some(1000));
        history.note(&key(), Some("c".to_owned()), Some(900), 5100);
        assert_eq!(history.changed(&key()), Some(5100), "a time before the last change can't be its own");
    }

    proptest! {
        /// A container that started later than a change and the kubelet's cache holds the current value.
        #[test]
        fn who_starts_late_enough_is_never_stale(
            hashes in proptest::collection::vec("[abc]?", 1..40), step in 1..100_i64, after in 0..1000_i64,
        ) {
            let mut history = History::default();
            let mut now = 0;
            for hash in hashes {
                now += step;
                history.note(&key(), Some(hash).filter(|hash| !hash.is_empty()), None, now);
            }
            prop_assert!(!history.is_stale(&held(now + CACHE + after), CACHE));
        }
    }
}
