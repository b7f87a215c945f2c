//! What is called how: the simulation numbers keys, user names and passwords; Argo CD and the cluster know
//! ids, words and keyed hashes.

use super::super::super::action::Action;
use super::super::super::execute::{CREDENTIAL_ENTRY, LOGIN_ENTRY, credential_digest, user_digest};
use super::super::super::logins::LoginRecord;
use super::super::super::record::CredentialRecord;
use super::super::super::scripted::CLUSTER;
use super::super::super::snapshot::{Key, Snapshot};
use super::super::model::{Held, World};
use crate::argocd::scripted::{ACCOUNT, PASSWORD};
use crate::cluster::scripted::NAMESPACE;
use crate::controller::Context;
use crate::controller::state::StateSecret;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const FOREIGN: &str = "somebody-";
/// A UUID up to its last part, which is the number. One that the executor makes never begins so.
const NUMBERED: &str = "00000000-0000-4000-8000-";

pub(super) struct Names {
    record: CredentialRecord,
    logins: Value,
    foreign: BTreeSet<u64>,
    /// The number of the next key.
    next: u64,
    username: String,
    /// The keyed hash of each word that the simulation has for a user or a credential.
    hashes: BTreeMap<String, String>,
    words: Vec<(String, SecretString)>,
}

/// What the simulation calls a user.
fn username(number: &str) -> String {
    if number == "0" { ACCOUNT.to_owned() } else { format!("user-{number}") }
}

impl Names {
    pub(super) fn of(world: &World) -> Self {
        let keys = world.tokens.iter().chain(&world.stalled).filter(|token| !token.ours).map(|token| token.id);
        let held = if let Held::Key { id, ours: false, .. } = world.held { Some(id) } else { None };
        let logins = serde_json::to_value(&world.logins).unwrap();
        let tried = logins["tries"].as_array().unwrap().iter().map(|tried| tried["credential"].as_str().unwrap());
        let words = tried.map(str::to_owned).chain([world.credential()]);
        let password = |credential: &str| {
            let number = credential.split_once(' ').unwrap().1;
            SecretString::from(password(world, number.parse().unwrap()))
        };
        Self {
            foreign: keys.chain(held).collect(),
            next: world.next + 1,
            username: username(&world.user.to_string()),
            hashes: BTreeMap::new(),
            words: words.map(|word| (word.clone(), password(&word))).collect(),
            record: world.record.clone(),
            logins,
        }
    }

    /// Learns the keyed hashes.
    pub(super) fn learn(&mut self, state: &StateSecret) {
        for (word, password) in &self.words {
            let number = word.split_once(' ').unwrap().0;
            let name = username(number);
            self.hashes.insert(number.to_owned(), user_digest(state, &name));
            self.hashes.insert(word.clone(), credential_digest(state, &name, password));
        }
    }

    /// Writes down what the simulation remembers.
    pub(super) async fn put(&self, context: &Context, mut state: StateSecret) -> StateSecret {
        state.put(context, CREDENTIAL_ENTRY, Some(&self.real(&self.record))).await.unwrap();
        let tries = self.logins["tries"].as_array().unwrap();
        if !tries.is_empty() {
            let real = translated(&self.logins, |word| self.hashes[word].clone());
            state.put(context, LOGIN_ENTRY, Some(&real)).await.unwrap();
        }
        state
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    /// The id of a key.
    pub(super) fn key(&self, id: u64) -> String {
        if self.foreign.contains(&id) {
            format!("{FOREIGN}{id}")
        } else {
            format!("argocd-auth-webhook-{NAMESPACE}-{CLUSTER}-{NUMBERED}{id:012x}")
        }
    }

    /// The number of a key. One that is none of the simulation's was made a moment ago.
    pub(super) fn id(&self, key: &str) -> u64 {
        if let Some(number) = key.strip_prefix(FOREIGN) {
            return number.parse().unwrap();
        }
        let ours = key.strip_prefix(&format!("argocd-auth-webhook-{NAMESPACE}-{CLUSTER}-")).expect("an id of ours");
        ours.strip_prefix(NUMBERED).map_or(self.next, |number| u64::from_str_radix(number, 16).unwrap())
    }

    fn real_id(&self, number: &str) -> String {
        self.key(number.parse().unwrap())
    }

    fn real(&self, record: &CredentialRecord) -> CredentialRecord {
        renamed(record, |number| self.real_id(number))
    }

    pub(super) fn simulated(&self, record: &CredentialRecord) -> CredentialRecord {
        renamed(record, |key| self.id(key).to_string())
    }

    /// The login record, as the simulation has it; nothing stands there where there is none.
    pub(super) fn simulated_logins(&self, entry: Option<Value>) -> LoginRecord {
        let Some(entry) = entry else { return LoginRecord::default() };
        let word = |hash: &str| {
            let known = self.hashes.iter().find(|(_, known)| *known == hash);
            known.map(|(word, _)| word.clone()).expect("a user or a credential of the simulation")
        };
        let mut simulated = translated(&entry, word);
        for tried in simulated["tries"].as_array_mut().unwrap() {
            if let Some(said) = tried["end"].get_mut("refused") {
                *said = "no".into();
            }
        }
        serde_json::from_value(simulated).unwrap()
    }

    pub(super) fn real_snapshot(&self, seen: &Snapshot) -> Snapshot {
        let mut seen = seen.clone();
        if let Key::Works { id, .. } | Key::Refused { id, .. } = &mut seen.key {
            *id = self.real_id(id);
        }
        seen.record = self.real(&seen.record);
        seen
    }

    pub(super) fn real_action(&self, action: &Action) -> Action {
        match action {
            Action::Retire(account, id, why) => Action::Retire(account.clone(), self.real_id(id), *why),
            Action::Remember(record) => Action::Remember(self.real(record)),
            other => other.clone(),
        }
    }
}

/// The password behind a number. The account's own is always the same word.
pub(super) fn password(world: &World, number: u32) -> String {
    if number == world.password { PASSWORD.to_owned() } else { format!("no-password-{number}") }
}

fn renamed(record: &CredentialRecord, name: impl Fn(&str) -> String) -> CredentialRecord {
    let mut renamed = record.clone();
    renamed.valid = record.valid.as_ref().map(|(id, since)| (name(id), *since));
    renamed.superseded = record.superseded.iter().map(|(id, since)| (name(id), *since)).collect();
    renamed.explained = record.explained.as_deref().map(&name);
    renamed.lost.iter_mut().for_each(|lost| lost.id = name(&lost.id));
    renamed
}

/// A login record with other words for its users and credentials.
fn translated(record: &Value, word: impl Fn(&str) -> String) -> Value {
    let mut record = json!({ "tries": record["tries"] });
    for tried in record["tries"].as_array_mut().unwrap() {
        for field in ["user", "credential"] {
            tried[field] = word(tried[field].as_str().unwrap()).into();
        }
    }
    record
}
