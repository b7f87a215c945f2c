//! How many ready pods may be taken within an hour.

use super::plan::{Step, View, Waiting};
use super::record::HOUR;
use crate::time::{Seconds, rfc3339};
use std::collections::BTreeSet;

/// Replacements of a workload within an hour, for each of its pods and besides: a person may try
/// some settings one after the other.
const HOURLY: (usize, usize) = (4, 2);
/// Replacements in the namespace within an hour, for each of its pods and besides.
const NAMESPACE_HOURLY: (usize, usize) = (4, 10);

impl View<'_> {
    /// The bounds for an hour: they count ready pods that were taken.
    pub(super) fn bound(&self) -> Option<Step> {
        let Self { seen, now, .. } = *self;
        let bound = |(each, besides): (usize, usize), pods: usize| each * pods + besides;
        let own = bound(HOURLY, self.pods.len().max(self.workload.desired));
        let all = bound(NAMESPACE_HOURLY, seen.pods.len());
        // Those of workloads that are gone are gone from the number of pods as well.
        let there: BTreeSet<String> = seen.workloads.keys().map(ToString::to_string).collect();
        let id = self.id.to_string();
        let of_own = seen.ledger.taken(|name| name == id, now);
        let of_all = seen.ledger.taken(|name| there.contains(name), now);
        let until = |taken: &[Seconds], bound: usize| {
            let last = taken.len().checked_sub(bound).and_then(|place| taken.get(place))?;
            Some(last.saturating_add(HOUR))
        };
        let (what, until) = match (until(&of_own, own), until(&of_all, all)) {
            (Some(until), _) => (format!("{own} of its ready pods"), until),
            (None, Some(until)) => (format!("{all} ready pods of the namespace"), until),
            (None, None) => return None,
        };
        let text = format!(
            "{what} were replaced within an hour, and no more are before {}; kubectl delete pod replaces one now",
            rfc3339(until)
        );
        Some(Step::Wait(Waiting::trouble("HourlyBound", text), Some(until)))
    }
}
