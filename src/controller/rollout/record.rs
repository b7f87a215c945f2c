//! What was done to each workload, as far as it limits what may be done next. Written into the state Secret
//! before each change, so that a process that is killed in between leaves none uncounted. Times are seconds
//! since 1970.

use super::id::WorkloadId;
use crate::time::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many seconds back changes are counted.
pub(super) const HOUR: Seconds = 3600;
/// For how many seconds a workload is only reported if somebody undoes its restarts.
const REPORT_ONLY_FOR: Seconds = 24 * HOUR;

/// For how many seconds the last round of a workload is remembered.
const MAX_ROUND_AGE: Seconds = 30 * 24 * HOUR;

/// A prefix of a uid that is long enough to tell the pods of one workload apart.
fn short(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}

/// One round of replacements: pods of one workload that are replaced one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacementRound {
    /// A digest of the settings under which the round began.
    pub settings: String,
    /// The pods that existed when the round began. Pods created later should be in step.
    known: Vec<String>,
    /// When the last pod was removed.
    pub last: Seconds,
    /// How many rounds in a row before this one led to pods that drifted again.
    pub backoff_level: u32,
    /// The pods that were removed within the last hour, and when.
    acts: Vec<(String, Seconds)>,
    /// When ready pods were removed, within the last hour.
    #[serde(default)]
    taken: Vec<Seconds>,
    /// The pods that existed when a ready one was last removed. Its successor is none of them.
    #[serde(default)]
    before: Vec<String>,
    /// Whether a ready pod was removed whose successor wasn't seen to be available yet.
    #[serde(default)]
    pub awaited: bool,
}

/// The last restart of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The changed values for which it was restarted.
    pub cause: String,
    /// The time that was written: the template's annotation, or `spec.restartAt` of Argo's Rollouts.
    pub value: String,
    /// How often the workload was restarted for this cause.
    pub times: u32,
    /// When it was restarted, within the last hour.
    pub acts: Vec<Seconds>,
    /// Since when it is known that somebody undoes the restarts.
    pub contested_since: Option<Seconds>,
    /// Whether the restart wasn't seen to be complete yet.
    #[serde(default)]
    pub awaited: bool,
}

impl Restart {
    /// The time of the last restart that is still recorded.
    #[must_use]
    pub fn last(&self) -> Option<Seconds> {
        self.acts.last().copied()
    }

    /// Whether the workload is only reported, because somebody undid its restarts.
    #[must_use]
    pub fn is_contested(&self, now: Seconds) -> bool {
        self.contested_since.is_some_and(|since| now < since + REPORT_ONLY_FOR)
    }
}

/// The record of all workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRecord {
    // The other names are those of earlier builds.
    #[serde(alias = "waves")]
    rounds: BTreeMap<String, ReplacementRound>,
    #[serde(alias = "rolls")]
    restarts: BTreeMap<String, Restart>,
}

impl RolloutRecord {
    /// The last round of replacements of this workload.
    #[must_use]
    pub fn round(&self, workload: &WorkloadId) -> Option<&ReplacementRound> {
        self.rounds.get(&workload.to_string())
    }

    /// The last restart of this workload.
    #[must_use]
    pub fn restart_of(&self, workload: &WorkloadId) -> Option<&Restart> {
        self.restarts.get(&workload.to_string())
    }

    /// The names of the workloads that were restarted within this time (seconds), or whose restart wasn't
    /// seen to be complete.
    pub fn restarted_within(&self, time: Seconds, now: Seconds) -> impl Iterator<Item = &str> {
        let recent = move |roll: &Restart| roll.awaited || roll.last().is_some_and(|last| now < last + time);
        self.restarts.iter().filter(move |(_, roll)| recent(roll)).map(|(name, _)| name.as_str())
    }

    /// The names of the workloads of which a pod was removed within the last hour, or whose new pod wasn't
    /// seen to be available.
    pub fn replaced_lately(&self, now: Seconds) -> impl Iterator<Item = &str> {
        let matters = move |round: &ReplacementRound| round.awaited || round.lately(now).is_some();
        self.rounds.iter().filter(move |(_, round)| matters(round)).map(|(name, _)| name.as_str())
    }

    /// When ready pods of the workloads that `of` selects were removed within the last hour, in order.
    #[must_use]
    pub fn taken(&self, of: impl Fn(&str) -> bool, now: Seconds) -> Vec<Seconds> {
        let rounds = self.rounds.iter().filter(|(name, _)| of(name));
        let mut times: Vec<Seconds> =
            rounds.flat_map(|(_, round)| &round.taken).copied().filter(|at| now < at + HOUR).collect();
        times.sort_unstable();
        times
    }

    /// Records that a pod is about to be removed. `pods` are the uids of the workload's pods; a
    /// `backoff_level` begins a new round.
    pub(super) fn replace(
        &mut self,
        workload: &WorkloadId,
        (uid, ready): (&str, bool),
        pods: impl Iterator<Item = String>,
        settings: &str,
        backoff_level: Option<u32>,
        now: Seconds,
    ) {
        self.forget(now);
        let round = self.rounds.entry(workload.to_string()).or_default();
        let pods: Vec<String> = pods.map(|uid| short(&uid)).collect();
        if ready {
            round.before.clone_from(&pods);
        }
        if let Some(backoff_level) = backoff_level {
            round.known = pods;
            settings.clone_into(&mut round.settings);
            round.backoff_level = backoff_level;
        }
        let uid = short(uid);
        if !round.acts.iter().any(|(acted, _)| *acted == uid) {
            round.acts.push((uid, now));
            round.last = now;
            if ready {
                round.taken.push(now);
            }
        }
        round.awaited |= ready;
    }

    /// Records that a workload is about to be restarted.
    pub(super) fn restart(&mut self, workload: &WorkloadId, cause: &str, value: &str, now: Seconds) {
        self.forget(now);
        let roll = self.restarts.entry(workload.to_string()).or_default();
        if roll.cause != cause {
            cause.clone_into(&mut roll.cause);
            roll.times = 0;
        }
        value.clone_into(&mut roll.value);
        roll.times += 1;
        roll.awaited = true;
        roll.acts.push(now);
    }

    /// Records that the successor of a removed pod is available.
    pub(super) fn came(&mut self, workload: &WorkloadId) {
        if let Some(round) = self.rounds.get_mut(&workload.to_string()) {
            round.awaited = false;
        }
    }

    /// Records that a restart is complete.
    pub(super) fn restarted(&mut self, workload: &WorkloadId) {
        if let Some(roll) = self.restarts.get_mut(&workload.to_string()) {
            roll.awaited = false;
        }
    }

    /// Records that somebody undoes the restarts of a workload.
    pub(super) fn mark_contested(&mut self, workload: &WorkloadId, now: Seconds) {
        if let Some(roll) = self.restarts.get_mut(&workload.to_string()) {
            roll.contested_since = Some(now);
        }
    }

    /// Drops what no longer limits anything.
    fn forget(&mut self, now: Seconds) {
        for round in self.rounds.values_mut() {
            round.acts.retain(|(_, at)| now < at + HOUR);
            round.taken.retain(|at| now < at + HOUR);
        }
        self.rounds.retain(|_, round| now < round.last + MAX_ROUND_AGE);
        for roll in self.restarts.values_mut() {
            roll.acts.retain(|at| now < at + HOUR);
        }
        self.restarts.retain(|_, roll| !roll.cause.is_empty());
    }
}

impl ReplacementRound {
    /// Whether this pod existed when the round began.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.known.contains(&short(uid))
    }

    /// Whether this pod was created since a ready one was last removed.
    #[must_use]
    pub fn came_since(&self, uid: &str) -> bool {
        !self.before.contains(&short(uid))
    }

    /// When the last pod was removed, if within the last hour.
    #[must_use]
    pub fn lately(&self, now: Seconds) -> Option<Seconds> {
        self.acts.iter().map(|(_, at)| *at).filter(|at| now < at + HOUR).max()
    }

    /// Whether the removal of this pod is counted already.
    #[must_use]
    pub fn acted_on(&self, uid: &str) -> bool {
        let uid = short(uid);
        self.acts.iter().any(|(acted, _)| *acted == uid)
    }
}
