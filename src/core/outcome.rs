//! The ways in which a review ends.

/// How a review ended. The names appear in logs, metrics, audit annotations and the pod's status annotation,
/// so they are part of the interface: see `docs/outcomes.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The pod was patched with what it lacked.
    Injected,
    /// The pod already carried everything; there is no patch.
    AlreadyRight,
    /// The pod's label or annotation [`INJECT`](super::INJECT) is `"false"`.
    OptedOut,
    /// No service's selector matches.
    NotSelected,
    /// A service matches, but the pod has none of its containers.
    ContainerNotFound,
    /// Something of the user's own is where a credential belongs, and stays (`onConflict: keep`).
    ConflictKept,
    /// Something of the user's own was replaced (`onConflict: replace`).
    ConflictReplaced,
    /// Something of the user's own is where a credential belongs, and the pod was refused (`onConflict:
    /// deny`).
    ConflictDenied,
    /// The API's copy of a static pod. The kubelet runs the pod from a file, whatever the copy says,
    /// and API servers refuse a copy that refers to Secrets.
    MirrorPod,
    /// The review isn't about the creation of a core/v1 Pod: another kind, operation or subresource.
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

    /// The name in logs, metrics and annotations.
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
