//! The verdict about a pod.

use super::{History, PodFacts, Readiness};
use crate::core::Outcome;
use crate::time::Seconds;
use std::fmt;

/// What a pod lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// It carries nothing of what the settings say: it was created while the webhook was away, or
    /// before it was there.
    Missed,
    /// It carries something else: injected under other settings, or as a chart renders it.
    Outdated,
    /// A running container holds a value that has changed since.
    Stale,
}

impl Drift {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Missed, Self::Outdated, Self::Stale];

    /// The name in metrics and in what `status` shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Outdated => "outdated",
            Self::Stale => "stale",
        }
    }
}

/// Why a pod isn't ours to touch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// A person's own variable, volume or mount stands where ours belongs, and stays.
    ConflictKept,
    /// The webhook would refuse a new one.
    ConflictDenied,
    /// None of its containers is one that gets a credential.
    ContainerNotFound,
    /// It is being deleted.
    Terminating,
    /// Its containers have ended for good.
    Completed,
    /// Nobody would make it again.
    Bare,
    /// It is of a kind of workload that isn't known here.
    UnknownKind(String),
    /// Its workload says no.
    WorkloadOptedOut,
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConflictKept => "it keeps a variable, volume or mount of its own (onConflict: keep)",
            Self::ConflictDenied => "the webhook would refuse a new one (onConflict: deny)",
            Self::ContainerNotFound => "it has none of the service's containers",
            Self::Terminating => "it is being deleted",
            Self::Completed => "its containers have ended for good",
            Self::Bare => "a bare pod: nobody would make it again",
            Self::UnknownKind(kind) => return write!(f, "it belongs to a {kind}, which is not restarted"),
            Self::WorkloadOptedOut => "its workload has the annotation argocd-auth-webhook/rollout: \"false\"",
        })
    }
}

/// The verdict about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it should be.
    InStep,
    /// It has to be replaced.
    Lacks(Drift),
    /// It opted out of injection.
    OptedOut,
    /// Not ours to touch, and what it lacks all the same.
    NotOurs(NotOurs, Option<Drift>),
}

impl Verdict {
    /// Every name.
    pub const NAMES: [&str; 7] = ["in_step", "not_ready", "missed", "outdated", "stale", "opted_out", "not_ours"];

    /// The name under which a pod is counted and shown: in step is only who serves as well.
    #[must_use]
    pub const fn shown(&self, readiness: &Readiness) -> &'static str {
        match self {
            Self::InStep if !readiness.ready => "not_ready",
            _ => self.as_str(),
        }
    }

    /// The name in metrics and in what `status` shows.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::Lacks(lack) => lack.as_str(),
            Self::OptedOut => "opted_out",
            Self::NotOurs(..) => "not_ours",
        }
    }

    /// For people; nothing where the name says it all.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::InStep => None,
            Self::Lacks(Drift::Missed) => Some("it carries nothing of what the settings say".to_owned()),
            Self::Lacks(Drift::Outdated) => Some("it carries something else than the settings say".to_owned()),
            Self::Lacks(Drift::Stale) => Some("a container holds a value that has changed since it started".to_owned()),
            Self::OptedOut => Some("its label or annotation says argocd-auth-webhook/inject: \"false\"".to_owned()),
            Self::NotOurs(why, None) => Some(why.to_string()),
            Self::NotOurs(why, Some(lack)) => Some(format!("{}, but {why}", lack.as_str())),
        }
    }

    /// What it lacks, if it is to be replaced.
    #[must_use]
    pub const fn lack(&self) -> Option<Drift> {
        match self {
            Self::Lacks(lack) => Some(*lack),
            _ => None,
        }
    }
}

/// Whether a running container holds a value that has changed since it started.
#[must_use]
pub fn is_stale(facts: &PodFacts, history: &History, cache: Seconds) -> bool {
    facts.held.iter().any(|held| history.is_stale(held, cache))
}

/// Judges a pod. `opted_out` is what its workload says, where that is known; `cache` is how long a
/// kubelet may hand out the value before.
#[must_use]
pub fn judge(facts: &PodFacts, history: &History, opted_out: bool, cache: Seconds) -> Verdict {
    let injection = match facts.outcome {
        Outcome::Injected | Outcome::ConflictReplaced => Some(lack_of(facts)),
        // Beside what is kept there is something that a new one would get.
        Outcome::ConflictKept if facts.changed => Some(lack_of(facts)),
        _ => None,
    };
    let lack = injection.or_else(|| is_stale(facts, history, cache).then_some(Drift::Stale));
    let ended = if facts.terminating {
        Some(NotOurs::Terminating)
    } else if facts.completed {
        Some(NotOurs::Completed)
    } else {
        None
    };
    if let Some(why) = ended {
        return Verdict::NotOurs(why, lack);
    }
    match facts.outcome {
        Outcome::OptedOut => return Verdict::OptedOut,
        Outcome::ContainerNotFound => return Verdict::NotOurs(NotOurs::ContainerNotFound, None),
        Outcome::ConflictDenied => return Verdict::NotOurs(NotOurs::ConflictDenied, lack),
        Outcome::ConflictKept if lack.is_none() => return Verdict::NotOurs(NotOurs::ConflictKept, None),
        _ => {}
    }
    let Some(lack) = lack else { return Verdict::InStep };
    match &facts.owner {
        None => Verdict::NotOurs(NotOurs::Bare, Some(lack)),
        Some(owner) if !matches!(owner.kind.as_str(), "ReplicaSet" | "StatefulSet") => {
            Verdict::NotOurs(NotOurs::UnknownKind(owner.kind.clone()), Some(lack))
        }
        Some(_) if opted_out => Verdict::NotOurs(NotOurs::WorkloadOptedOut, Some(lack)),
        Some(_) => Verdict::Lacks(lack),
    }
}

const fn lack_of(facts: &PodFacts) -> Drift {
    if facts.carries { Drift::Outdated } else { Drift::Missed }
}
