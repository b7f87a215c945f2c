//! The rollout's entries in the state Secret.

use super::record::RolloutRecord;
use super::tracked::VALUES_ENTRY;
pub(super) use crate::controller::state::ROLLOUT_ENTRY;
use crate::controller::state::StateSecret;
use crate::core::Injector;
use crate::drift::History;

/// What is remembered in the cluster.
#[derive(Default)]
pub(super) struct StoredState {
    pub history: History,
    pub record: RolloutRecord,
    /// A digest of the current settings, by which a record under other settings is recognised.
    pub settings: String,
}

impl StoredState {
    /// Reads the entries; one that is missing or can't be parsed is empty.
    pub(super) fn of(state: &StateSecret, injector: &Injector) -> Self {
        let what_holds: Vec<String> = injector.injections().map(|injection| format!("{injection:?}")).collect();
        let settings = state.digest(&[what_holds.join("\n").as_bytes()]).chars().take(12).collect();
        let (history, record) =
            (state.get(VALUES_ENTRY).unwrap_or_default(), state.get(ROLLOUT_ENTRY).unwrap_or_default());
        Self { history, record, settings }
    }
}
