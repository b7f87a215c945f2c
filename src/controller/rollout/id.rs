//! Identifies a workload.

use std::fmt;
use std::str::FromStr;

/// The kinds of workloads that this program knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// A `ReplicaSet` without a controlling owner.
    ReplicaSet,
    /// A Rollout of Argo Rollouts.
    Rollout,
}

impl Kind {
    /// The kind's name in the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Rollout => "Rollout",
        }
    }

    /// The kind's API group and version.
    #[must_use]
    pub const fn api_version(self) -> &'static str {
        match self {
            Self::Rollout => "argoproj.io/v1alpha1",
            Self::Deployment | Self::StatefulSet | Self::ReplicaSet => "apps/v1",
        }
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Deployment, Self::StatefulSet, Self::ReplicaSet, Self::Rollout];
        all.into_iter().find(|kind| kind.as_str() == name).ok_or(())
    }
}

/// A workload in the release's namespace. Displayed and parsed as `KIND/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadId {
    /// The workload's kind.
    pub kind: Kind,
    /// The workload's name.
    pub name: String,
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for WorkloadId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, name) = text.split_once('/').ok_or(())?;
        Ok(Self { kind: kind.parse()?, name: name.to_owned() })
    }
}
