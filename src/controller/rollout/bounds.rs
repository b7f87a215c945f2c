//! Bounds the number of ready pods that are removed within an hour.

use super::action::{Waiting, WorkloadStep};
use super::record::HOUR;
use super::view::View;
use crate::time::{Seconds, rfc3339};
use std::collections::BTreeSet;

/// How many pods of a workload may be replaced within an hour: this many per pod, and this many besides,
/// since a person may try several settings in a row.
const HOURLY: Bound = Bound { per_pod: 4, besides: 2 };
/// How many pods of the namespace may be replaced within an hour: this many per pod, and this many besides.
const NAMESPACE_HOURLY: Bound = Bound { per_pod: 4, besides: 10 };

/// How many ready pods may be replaced within an hour.
struct Bound {
    per_pod: usize,
    besides: usize,
}

impl Bound {
    const fn of(&self, pods: usize) -> usize {
        self.per_pod.saturating_mul(pods).saturating_add(self.besides)
    }
}

impl View<'_> {
    /// The hourly bound that is reached, if one is. Only ready pods that were removed count.
    pub(super) fn bound(&self) -> Option<WorkloadStep> {
        let Self { seen, now, .. } = *self;
        let own = HOURLY.of(self.pods.len().max(self.workload.desired));
        let all = NAMESPACE_HOURLY.of(seen.pods.len());
        // The pods of deleted workloads don't count, as they aren't among the pods either.
        let there: BTreeSet<String> = seen.workloads.keys().map(ToString::to_string).collect();
        let id = self.id.to_string();
        let of_own = seen.record.taken(|name| name == id, now);
        let of_all = seen.record.taken(|name| there.contains(name), now);
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
        Some(WorkloadStep::Wait(Waiting::trouble("HourlyBound", text), Some(until)))
    }
}
