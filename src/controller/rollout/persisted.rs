//! The rollout's entries in the state Secret.

use super::record::RolloutRecord;
use super::tracked::VALUES;
pub(super) use crate::controller::state::LEDGER;
use crate::controller::state::State;
use crate::core::Injector;
use crate::drift::History;

/// What is remembered in the cluster.
#[derive(Default)]
pub(super) struct Persisted {
    pub history: History,
    pub ledger: RolloutRecord,
    /// A digest of the current settings, by which a record under other settings is recognised.
    pub settings: String,
}

impl Persisted {
    /// Reads the entries; one that is missing or can't be parsed is empty.
    pub(super) fn of(state: &State, injector: &Injector) -> Self {
        let what_holds: Vec<String> = injector.injections().map(|injection| format!("{injection:?}")).collect();
        let settings = state.digest(&[what_holds.join("\n").as_bytes()]).chars().take(12).collect();
        let (history, ledger) = (state.get(VALUES).unwrap_or_default(), state.get(LEDGER).unwrap_or_default());
        Self { history, ledger, settings }
    }
}
