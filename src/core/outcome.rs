//! How a review ended.

/// How a review ended. The names stand in logs, metrics, audit annotations and the pod's status
/// annotation, so they are a surface: see the table in `docs/outcomes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The pod got what it lacked.
    Injected,
    /// The pod carried all of it already; there is no patch.
    AlreadyRight,
    /// The pod's label or annotation says no.
    OptedOut,
    /// No service's selector matches.
    NotSelected,
    /// A service matches, but none of its containers is there to be injected.
    ContainerNotFound,
    /// Something of the user's own stands where a credential belongs, and stays.
    ConflictKept,
    /// Something of the user's own was replaced.
    ConflictReplaced,
    /// Something of the user's own stands there, and the pod was refused for it.
    ConflictDenied,
    /// The API's copy of a static pod. The kubelet runs the pod from a file, whatever the copy says,
    /// and API servers refuse a copy that refers to Secrets.
    MirrorPod,
    /// Not the creation of a pod.
    NotAPodCreation,
}

impl Outcome {
    /// Every outcome, in the order of their discriminants.
    pub const ALL: [Self; 10] = [
        Self::Injected,
        Self::AlreadyRight,
        Self::OptedOut,
        Self::NotSelected,
        Self::ContainerNotFound,
        Self::ConflictKept,
        Self::ConflictReplaced,
        Self::ConflictDenied,
        Self::MirrorPod,
        Self::NotAPodCreation,
    ];

    /// The name that logs, metrics and annotations carry.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Injected => "injected",
            Self::AlreadyRight => "already_right",
            Self::OptedOut => "opted_out",
            Self::NotSelected => "not_selected",
            Self::ContainerNotFound => "container_not_found",
            Self::ConflictKept => "conflict_kept",
            Self::ConflictReplaced => "conflict_replaced",
            Self::ConflictDenied => "conflict_denied",
            Self::MirrorPod => "mirror_pod",
            Self::NotAPodCreation => "not_a_pod_creation",
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
