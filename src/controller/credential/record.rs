//! What is remembered from one process to the next, in the Secret `<release>-state`.

use crate::time::Seconds;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is remembered about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialRecord {
    /// The key that was last seen to work, by its id, and since when it has.
    pub valid: Option<(String, Seconds)>,
    /// Keys of ours that stand in no Secret, by id, and since when.
    pub superseded: BTreeMap<String, Seconds>,
    /// Accounts that may have keys of ours.
    pub accounts: BTreeSet<String>,
    /// The requests of people that were answered last, as keyed hashes.
    pub answered: BTreeSet<String>,
}
