//! What has to survive the process, in the Secret `<release>-state`. Times are seconds since 1970.

use crate::time::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The record about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialRecord {
    /// The id of the key that was last seen to work, and since when it has.
    pub valid: Option<(String, Seconds)>,
    /// The ids of our listed keys besides the current one, and since when each is known to be one of them.
    pub superseded: BTreeMap<String, Seconds>,
    /// The accounts that may have keys of ours.
    pub accounts: BTreeSet<String>,
    /// The requests that were answered last, as keyed hashes.
    pub answered: BTreeSet<String>,
    /// The key that was refused when a person requested a check: they may have revoked it.
    pub explained: Option<String>,
    /// The keys that vanished from Argo CD within the last hour, oldest first.
    pub lost: Vec<LostKey>,
}

/// A key that vanished: Argo CD no longer listed it, though this program hadn't retired it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LostKey {
    /// The key's id.
    pub id: String,
    /// When that was seen.
    pub at: Seconds,
    /// For how many seconds it had worked.
    pub lived: Seconds,
}

/// The last login that succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginProof {
    /// User name and password as a keyed hash, as in `LoginTry`.
    pub credential: String,
    /// When it succeeded.
    pub at: Seconds,
}

/// How many seconds a loss counts.
const LOSS_WINDOW: Seconds = 3600;
/// How many seconds minting waits after the second, third and further losses within the window.
const LOSS_DELAYS: [Seconds; 3] = [60, 300, 900];
/// After this many losses, minting waits until the first of them is out of the window. So no more than six
/// keys are minted in an hour.
const MAX_LOSSES: usize = 6;

impl CredentialRecord {
    /// Whether the record names this key as one of ours.
    pub(super) fn names(&self, id: &str) -> bool {
        self.valid.as_ref().is_some_and(|(valid, _)| valid == id) || self.superseded.contains_key(id)
    }

    /// The losses within the window. One in the future, from a wrong clock, counts.
    pub(super) fn recent_losses(&self, now: Seconds) -> impl DoubleEndedIterator<Item = &LostKey> {
        self.lost.iter().filter(move |lost| lost.at.saturating_add(LOSS_WINDOW) > now)
    }

    /// When another key may be minted for one that was lost; `None` if now. A single loss is taken for a
    /// revocation, and delays nothing.
    pub(super) fn next_mint(&self, now: Seconds) -> Option<Seconds> {
        let losses: Vec<_> = self.recent_losses(now).collect();
        let last = losses.last()?.at.min(now);
        let place = losses.len().checked_sub(2)?;
        let delay = LOSS_DELAYS.get(place).or(LOSS_DELAYS.last()).copied()?;
        let first = losses.iter().rev().nth(MAX_LOSSES - 1);
        let room = first.map_or(now, |first| first.at.min(now).saturating_add(LOSS_WINDOW));
        Some(last.saturating_add(delay).max(room)).filter(|next| *next > now)
    }

    /// The record with another loss.
    pub(super) fn with_loss(&self, id: &str, now: Seconds) -> Self {
        let since = self.valid.as_ref().filter(|(valid, _)| valid == id).map_or(now, |(_, since)| *since);
        let lost = LostKey { id: id.to_owned(), at: now, lived: now.saturating_sub(since).max(0) };
        Self { lost: self.recent_losses(now).cloned().chain([lost]).collect(), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_loss_delays_nothing_and_those_after_it_ever_more() {
        let mut record = CredentialRecord { valid: Some(("a".to_owned(), 900)), ..CredentialRecord::default() };
        assert_eq!(record.next_mint(1000), None);
        record = record.with_loss("a", 1000);
        assert_eq!(record.lost, [LostKey { id: "a".to_owned(), at: 1000, lived: 100 }]);
        assert_eq!(record.next_mint(1000), None);
        for (at, delay) in [(1010, 60), (1100, 300), (1500, 900), (2500, 900)] {
            record = record.with_loss("b", at);
            assert_eq!(record.next_mint(at), Some(at + delay));
            assert_eq!(record.next_mint(at + delay), None);
        }
        assert_eq!(record.recent_losses(2500 + 3600).count(), 0);
        assert_eq!(record.with_loss("c", 6000).lost.len(), 2, "what is older is forgotten");
    }

    #[test]
    fn keys_that_are_lost_at_once_are_six_in_an_hour() {
        let (mut record, mut made) = (CredentialRecord::default(), 0);
        for now in 10_000..13_600 {
            if record.next_mint(now).is_none() {
                made += 1;
                record = record.with_loss(&made.to_string(), now);
            }
        }
        assert!(made <= 6, "{made}");
    }
}
