//! What was done to each workload, as far as it bounds what may be done next. Written into the state
//! Secret before each act, so that a process that is killed in between leaves no act uncounted.

use super::id::WorkloadId;
use crate::time::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far back acts are counted.
pub(super) const HOUR: Seconds = 3600;
/// How long a workload whose restarts somebody undoes is only reported.
const REPORT_ONLY_FOR: Seconds = 24 * HOUR;

/// How long a wave is remembered.
const MAX_AGE: Seconds = 30 * 24 * HOUR;

/// Enough of a uid to tell the pods of one workload apart.
fn short(uid: &str) -> String {
    uid.chars().filter(char::is_ascii_hexdigit).take(12).collect()
}

/// Pods of one workload that were replaced one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvictionRound {
    /// The settings under which it began.
    pub settings: String,
    /// The pods that were there when it began. One that comes later should be in step.
    known: Vec<String>,
    /// The last act.
    pub last: Seconds,
    /// How many waves before it brought pods that weren't in step.
    pub backoff_level: u32,
    /// The pods that were replaced within the last hour.
    acts: Vec<(String, Seconds)>,
    /// When ready ones were, within the last hour.
    #[serde(default)]
    taken: Vec<Seconds>,
    /// The pods that were there when a ready one was taken last. Its successor is none of them.
    #[serde(default)]
    before: Vec<String>,
    /// Whether a ready one was taken, and nobody has seen its successor available yet.
    #[serde(default)]
    pub awaited: bool,
}

/// A restart of a workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// The values that were to be taken up.
    pub cause: String,
    /// What was put into the workload.
    pub value: String,
    /// How often that was done for this cause.
    pub times: u32,
    /// When, within the last hour.
    pub acts: Vec<Seconds>,
    /// Since when it is known that somebody undoes it.
    pub contested_since: Option<Seconds>,
    /// Whether nobody has seen it done yet.
    #[serde(default)]
    pub awaited: bool,
}

impl Restart {
    /// The last time.
    #[must_use]
    pub fn last(&self) -> Option<Seconds> {
        self.acts.last().copied()
    }

    /// Whether the workload is only reported because somebody undid its restarts.
    #[must_use]
    pub fn is_fought(&self, now: Seconds) -> bool {
        self.contested_since.is_some_and(|since| now < since + REPORT_ONLY_FOR)
    }
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutRecord {
    waves: BTreeMap<String, EvictionRound>,
    rolls: BTreeMap<String, Restart>,
}

impl RolloutRecord {
    /// The last wave of this workload.
    #[must_use]
    pub fn wave(&self, workload: &WorkloadId) -> Option<&EvictionRound> {
        self.waves.get(&workload.to_string())
    }

    /// The last restart of this workload.
    #[must_use]
    pub fn roll(&self, workload: &WorkloadId) -> Option<&Restart> {
        self.rolls.get(&workload.to_string())
    }

    /// The names of the workloads that were restarted within this time, or whose restart nobody has seen
    /// done yet.
    pub fn restarted_within(&self, time: Seconds, now: Seconds) -> impl Iterator<Item = &str> {
        let recent = move |roll: &Restart| roll.awaited || roll.last().is_some_and(|last| now < last + time);
        self.rolls.iter().filter(move |(_, roll)| recent(roll)).map(|(name, _)| name.as_str())
    }

    /// The names of the workloads of which a pod was replaced within the last hour, or whose new pod nobody
    /// has seen available yet.
    pub fn replaced_lately(&self, now: Seconds) -> impl Iterator<Item = &str> {
        let matters = move |wave: &EvictionRound| wave.awaited || wave.lately(now).is_some();
        self.waves.iter().filter(move |(_, wave)| matters(wave)).map(|(name, _)| name.as_str())
    }

    /// When ready pods of these workloads were taken away within the last hour, in order.
    #[must_use]
    pub fn taken(&self, of: impl Fn(&str) -> bool, now: Seconds) -> Vec<Seconds> {
        let waves = self.waves.iter().filter(|(name, _)| of(name));
        let mut times: Vec<Seconds> =
            waves.flat_map(|(_, wave)| &wave.taken).copied().filter(|at| now < at + HOUR).collect();
        times.sort_unstable();
        times
    }

    /// Takes note of a pod that is about to be replaced. `pods` are those of the workload; `anew`
    /// begins a wave.
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
        let wave = self.waves.entry(workload.to_string()).or_default();
        let pods: Vec<String> = pods.map(|uid| short(&uid)).collect();
        if ready {
            wave.before.clone_from(&pods);
        }
        if let Some(backoff_level) = backoff_level {
            wave.known = pods;
            settings.clone_into(&mut wave.settings);
            wave.backoff_level = backoff_level;
        }
        let uid = short(uid);
        if !wave.acts.iter().any(|(acted, _)| *acted == uid) {
            wave.acts.push((uid, now));
            wave.last = now;
            if ready {
                wave.taken.push(now);
            }
        }
        wave.awaited |= ready;
    }

    /// Takes note of a restart that is about to be made.
    pub(super) fn restart(&mut self, workload: &WorkloadId, cause: &str, value: &str, now: Seconds) {
        self.forget(now);
        let roll = self.rolls.entry(workload.to_string()).or_default();
        if roll.cause != cause {
            cause.clone_into(&mut roll.cause);
            roll.times = 0;
        }
        value.clone_into(&mut roll.value);
        roll.times += 1;
        roll.awaited = true;
        roll.acts.push(now);
    }

    /// Takes note that the pod which came for one that was taken away is available.
    pub(super) fn came(&mut self, workload: &WorkloadId) {
        if let Some(wave) = self.waves.get_mut(&workload.to_string()) {
            wave.awaited = false;
        }
    }

    /// Takes note that a restart is done.
    pub(super) fn restarted(&mut self, workload: &WorkloadId) {
        if let Some(roll) = self.rolls.get_mut(&workload.to_string()) {
            roll.awaited = false;
        }
    }

    /// Takes note that somebody undoes restarts.
    pub(super) fn contested_since(&mut self, workload: &WorkloadId, now: Seconds) {
        if let Some(roll) = self.rolls.get_mut(&workload.to_string()) {
            roll.contested_since = Some(now);
        }
    }

    /// Forgets what bounds nothing any more.
    fn forget(&mut self, now: Seconds) {
        for wave in self.waves.values_mut() {
            wave.acts.retain(|(_, at)| now < at + HOUR);
            wave.taken.retain(|at| now < at + HOUR);
        }
        self.waves.retain(|_, wave| now < wave.last + MAX_AGE);
        for roll in self.rolls.values_mut() {
            roll.acts.retain(|at| now < at + HOUR);
        }
        self.rolls.retain(|_, roll| !roll.cause.is_empty());
    }
}

impl EvictionRound {
    /// Whether this pod was there when the wave began.
    #[must_use]
    pub fn knows(&self, uid: &str) -> bool {
        self.known.contains(&short(uid))
    }

    /// Whether this pod came since a ready one was taken.
    #[must_use]
    pub fn came_since(&self, uid: &str) -> bool {
        !self.before.contains(&short(uid))
    }

    /// The last act, if it was within the last hour.
    #[must_use]
    pub fn lately(&self, now: Seconds) -> Option<Seconds> {
        self.acts.iter().map(|(_, at)| *at).filter(|at| now < at + HOUR).max()
    }

    /// Whether this pod is counted as replaced.
    #[must_use]
    pub fn acted_on(&self, uid: &str) -> bool {
        let uid = short(uid);
        self.acts.iter().any(|(acted, _)| *acted == uid)
    }
}
