//! What the rollout tells the credential: whether running pods have taken up the current credential.

/// Whether running containers hold a credential that has changed since they started. The rollout's reconciler
/// sets it, and the credential's reconciler retires no key before they are all in step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consumers {
    /// Not observed yet, or not observable now.
    #[default]
    Unknown,
    /// Every running container has taken up the current credential.
    InStep,
    /// The number of pods that still hold an earlier credential.
    Stale(usize),
}
