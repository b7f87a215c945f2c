//! Which workload.

use std::fmt;
use std::str::FromStr;

/// The kinds of workloads that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// A `StatefulSet`.
    StatefulSet,
    /// A `ReplicaSet` that belongs to nobody.
    ReplicaSet,
    /// A Rollout of Argo Rollouts.
    Rollout,
}

impl Kind {
    /// Its name in Kubernetes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::ReplicaSet => "ReplicaSet",
            Self::Rollout => "Rollout",
        }
    }

    /// Its group and version in Kubernetes.
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

/// A workload of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkloadId {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
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
