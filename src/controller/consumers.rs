//! What the rollout tells the credential: whether the pods have taken it up.

/// Whether containers run that hold a credential which has changed since. The pods' part says it,
/// and the credential's part retires no key before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consumers {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// All that run took up the credential as it is.
    InStep,
    /// So many pods still hold an earlier one.
    Stale(usize),
}
