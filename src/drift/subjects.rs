//! The services and Secrets that verdicts are about.

use super::Key;
use crate::core::{Engine, GENERATED_TOKEN, Injector, Mode, Reads, Service, Source, Username, Variable};
use crate::settings::{ByName, Settings};
use std::collections::BTreeSet;

/// The settings' part of every verdict: what pods must carry, and whose changes make them stale.
#[derive(Clone, Debug)]
pub struct TrackedKeys {
    /// Decides as the webhook does.
    pub injector: Injector,
    /// The keys of Secrets whose changes make a pod stale.
    pub keys: BTreeSet<Key>,
    /// Pairs of a service and a key that it reads by name at its start; only with `byName: restart`.
    by_name: Vec<(String, Key)>,
}

impl TrackedKeys {
    /// Derives the tracked keys from the settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let auth = &settings.auth;
        let mut keys = BTreeSet::from([Key::new(&auth.credential.name, &auth.credential.key)]);
        if let Username::SecretKey(username) = &auth.username {
            keys.insert(Key::new(&username.name, &username.key));
        }
        if auth.mode == Mode::Password {
            keys.insert(Key::new(GENERATED_TOKEN.name, GENERATED_TOKEN.key));
        }
        let injector = settings.injector(Engine::Webhook);
        let restarted = injector
            .injections()
            .filter(|(service, _)| settings.by_name == ByName::Restart && service.reads == Reads::Reference);
        let by_name = restarted.filter_map(|(service, injection)| {
            let value = |variable| {
                injection.variables.iter().find(|wanted| wanted.variable == variable).and_then(|wanted| {
                    if let Source::Value(value) = &wanted.source { Some(value.as_str()) } else { None }
                })
            };
            let (name, key) = (value(Variable::SecretName)?, value(Variable::SecretKey)?);
            Some((service.name.clone(), Key::new(name, key)))
        });
        Self { by_name: by_name.collect(), keys, injector }
    }

    /// The names of the Secrets with tracked keys.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|key| key.secret.as_str()).collect()
    }

    /// The key that the service reads by name and only at its start, if there is one.
    pub(super) fn read_at_start(&self, service: &Service) -> Option<&Key> {
        self.by_name.iter().find(|(name, _)| *name == service.name).map(|(_, key)| key)
    }
}
