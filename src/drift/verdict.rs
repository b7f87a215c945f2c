//! The verdict about a pod.

use super::{History, PodFacts, Readiness};
use crate::core::Outcome;
use crate::time::Seconds;
use std::fmt;

/// In which way a pod has drifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// It carries nothing of what the settings say: it was created while the webhook was unavailable or not
    /// yet installed.
    Missed,
    /// It carries something else: injected under other settings, or rendered by the Runtime's chart.
    Outdated,
    /// A running container holds a value that has changed since the container started.
    Stale,
}

impl Drift {
    /// Every kind of drift.
    pub const ALL: [Self; 3] = [Self::Missed, Self::Outdated, Self::Stale];

    /// The name in metrics and in `status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Outdated => "outdated",
            Self::Stale => "stale",
        }
    }
}

/// Why the controller must not replace a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// A user's own variable, volume or mount is in the place of ours and stays (`onConflict: keep`).
    ConflictKept,
    /// The webhook would refuse its successor (`onConflict: deny`).
    ConflictDenied,
    /// It has none of the containers that its service names.
    ContainerNotFound,
    /// It has a deletion timestamp.
    Terminating,
    /// Its phase is `Succeeded` or `Failed`.
    Completed,
    /// It has no controlling owner, so nothing would create it again.
    Bare,
    /// Its owner is of another kind than those known here; that kind.
    UnknownKind(String),
    /// Its workload has annotation `argocd-auth-webhook/rollout: "false"`.
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
pub enum PodVerdict {
    /// It carries what the settings say, and holds current values.
    InStep,
    /// It has drifted and is to be replaced.
    Drifted(Drift),
    /// It opted out of injection by label or annotation.
    OptedOut,
    /// It must not be replaced; why, and the drift that it has, if any.
    NotOurs(NotOurs, Option<Drift>),
}

impl PodVerdict {
    /// Every name that [`PodVerdict::shown`] gives.
    pub const NAMES: [&str; 7] = ["in_step", "not_ready", "missed", "outdated", "stale", "opted_out", "not_ours"];

    /// The name under which a pod is counted and shown. A pod without drift that isn't ready is `not_ready`.
    #[must_use]
    pub const fn shown(&self, readiness: &Readiness) -> &'static str {
        match self {
            Self::InStep if !readiness.ready => "not_ready",
            _ => self.as_str(),
        }
    }

    /// The name in metrics and in `status`, whether or not the pod is ready.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::Drifted(drift) => drift.as_str(),
            Self::OptedOut => "opted_out",
            Self::NotOurs(..) => "not_ours",
        }
    }

    /// The verdict as a sentence; `None` for a pod without drift.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::InStep => None,
            Self::Drifted(Drift::Missed) => Some("it carries nothing of what the settings say".to_owned()),
            Self::Drifted(Drift::Outdated) => Some("it carries something else than the settings say".to_owned()),
            Self::Drifted(Drift::Stale) => {
                Some("a container holds a value that has changed since it started".to_owned())
            }
            Self::OptedOut => Some("its label or annotation says argocd-auth-webhook/inject: \"false\"".to_owned()),
            Self::NotOurs(why, None) => Some(why.to_string()),
            Self::NotOurs(why, Some(drift)) => Some(format!("{}, but {why}", drift.as_str())),
        }
    }

    /// The drift of a pod that is to be replaced; `None` for any other.
    #[must_use]
    pub const fn drift(&self) -> Option<Drift> {
        match self {
            Self::Drifted(drift) => Some(*drift),
            _ => None,
        }
    }
}

/// Whether a running container holds a value that has changed since it started. `cache` is in seconds.
#[must_use]
pub fn is_stale(facts: &PodFacts, history: &History, cache: Seconds) -> bool {
    facts.held.iter().any(|held| history.is_stale(held, cache))
}

/// Judges a pod. `opted_out` is whether its workload opted out, if that is known; `cache` is how many seconds
/// the kubelet may go on using a former value.
#[must_use]
pub fn judge(facts: &PodFacts, history: &History, opted_out: bool, cache: Seconds) -> PodVerdict {
    let injection = match facts.outcome {
        Outcome::Injected | Outcome::ConflictReplaced => Some(lack_of(facts)),
        // The user's own stays, but a successor would still be patched elsewhere.
        Outcome::ConflictKept if facts.changed => Some(lack_of(facts)),
        _ => None,
    };
    let drift = injection.or_else(|| is_stale(facts, history, cache).then_some(Drift::Stale));
    let ended = if facts.terminating {
        Some(NotOurs::Terminating)
    } else if facts.completed {
        Some(NotOurs::Completed)
    } else {
        None
    };
    if let Some(why) = ended {
        return PodVerdict::NotOurs(why, drift);
    }
    match facts.outcome {
        Outcome::OptedOut => return PodVerdict::OptedOut,
        Outcome::ContainerNotFound => return PodVerdict::NotOurs(NotOurs::ContainerNotFound, None),
        Outcome::ConflictDenied => return PodVerdict::NotOurs(NotOurs::ConflictDenied, drift),
        Outcome::ConflictKept if drift.is_none() => return PodVerdict::NotOurs(NotOurs::ConflictKept, None),
        _ => {}
    }
    let Some(drift) = drift else { return PodVerdict::InStep };
    match &facts.owner {
        None => PodVerdict::NotOurs(NotOurs::Bare, Some(drift)),
        Some(owner) if !matches!(owner.kind.as_str(), "ReplicaSet" | "StatefulSet") => {
            PodVerdict::NotOurs(NotOurs::UnknownKind(owner.kind.clone()), Some(drift))
        }
        Some(_) if opted_out => PodVerdict::NotOurs(NotOurs::WorkloadOptedOut, Some(drift)),
        Some(_) => PodVerdict::Drifted(drift),
    }
}

const fn lack_of(facts: &PodFacts) -> Drift {
    if facts.carries { Drift::Outdated } else { Drift::Missed }
}
