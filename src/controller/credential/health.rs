//! The credential's health, for the rollout.

use super::action::CredentialStatus;
use super::execute::{LOGIN_PROOF_ENTRY, credential_digest};
use super::record::LoginProof;
use super::snapshot::Login;
use super::source::{Sources, key_place};
use super::status::message;
use crate::controller::health::{CredentialHealth, Examined, Health, ValueId};
use crate::controller::{Context, state};
use crate::core::{Mode, SecretKeyRef, Username};
use crate::drift::Key;
use crate::settings::freshness;
use crate::time::seconds;
use crate::time::{Seconds, rfc3339};
use secrecy::ExposeSecret;

/// The health of key and password, by the state that was observed and the logins that were recorded.
pub(super) fn of(
    context: &Context,
    status: &CredentialStatus,
    login: &Login,
    sources: &Sources,
    state: &state::StateSecret,
    now: Seconds,
) -> CredentialHealth {
    let place = key_place(context);
    let values = sources.key.iter().map(|bytes| value_id(state, &place, bytes)).collect();
    let key = Examined { health: of_key(status), values, at: now };
    let by_password = context.settings.auth.mode == Mode::Password;
    CredentialHealth { key, password: by_password.then(|| of_password(context, login, sources, state, now)) }
}

/// Whether a login with the current user name and password has succeeded so recently that it still counts.
pub(super) fn logged_in(context: &Context, sources: &Sources, state: &state::StateSecret, now: Seconds) -> bool {
    let fresh = freshness(context.settings.credentials.check_interval);
    let fresh = seconds(fresh);
    proof(sources, state).is_some_and(|proof| (proof.at..proof.at.saturating_add(fresh)).contains(&now))
}

fn of_key(status: &CredentialStatus) -> Health {
    match status {
        CredentialStatus::Valid => Health::Good { until: None },
        CredentialStatus::Expires(until) => Health::Good { until: Some(*until) },
        CredentialStatus::Missing(_)
        | CredentialStatus::WrongKind(_)
        | CredentialStatus::LoginRefused(..)
        | CredentialStatus::AccountDisabled
        | CredentialStatus::NoApiKey
        | CredentialStatus::KeyLost { .. }
        | CredentialStatus::Refused(_) => Health::Bad(message(status)),
        CredentialStatus::Replacing(_)
        | CredentialStatus::LoginUnknown(_)
        | CredentialStatus::NotYet(_)
        | CredentialStatus::ServerBroken(_)
        | CredentialStatus::Odd(_)
        | CredentialStatus::Unavailable(_)
        | CredentialStatus::Hindered(_) => Health::Unknown(message(status)),
    }
}

fn of_password(
    context: &Context,
    login: &Login,
    sources: &Sources,
    state: &state::StateSecret,
    now: Seconds,
) -> Examined {
    let auth = &context.settings.auth;
    let mut values = Vec::new();
    if let Ok(password) = &sources.password {
        values.push(value_id(state, &auth.credential, password.expose_secret().as_bytes()));
    }
    if let (Ok(username), Username::SecretKey(place)) = (&sources.username, &auth.username) {
        values.push(value_id(state, place, username.as_bytes()));
    }
    let (health, at) = match (login, proof(sources, state)) {
        (Login::Missing(what), _) => (Health::Bad(what.clone()), now),
        (Login::Tried { until, said: Some(said) }, _) => {
            (Health::Bad(format!("{said}; not tried again before {}", rfc3339(*until))), now)
        }
        (_, Some(proof)) => (Health::Good { until: None }, proof.at),
        (Login::Tried { until, said: None }, None) => {
            let why = format!("nobody heard what Argo CD said to a login; again at {}", rfc3339(*until));
            (Health::Unknown(why), now)
        }
        (Login::NoWay(trouble), None) => (Health::Unknown(trouble.text.clone()), now),
        (Login::Free, None) => (Health::Unknown("nobody has logged in with it yet".to_owned()), now),
    };
    Examined { health, values, at }
}

/// The last login that succeeded, if it was with the current user name and password.
fn proof(sources: &Sources, state: &state::StateSecret) -> Option<LoginProof> {
    let (Ok(username), Ok(password)) = (&sources.username, &sources.password) else { return None };
    let digest = credential_digest(state, username, password);
    state.get::<LoginProof>(LOGIN_PROOF_ENTRY).filter(|proof| proof.credential == digest)
}

/// Identifies a value by the hash that the rollout uses for the values that pods hold.
fn value_id(state: &state::StateSecret, place: &SecretKeyRef, value: &[u8]) -> ValueId {
    let key = Key::new(&place.name, &place.key);
    let hash = state.value_digest(&key, value);
    ValueId { key, hash }
}
