//! Which pods and which Secrets it is about.

use super::Key;
use crate::core::{Engine, GENERATED_TOKEN, Injector, Mode, Reads, Service, Source, Username, Variable};
use crate::settings::{ByName, Settings};
use std::collections::BTreeSet;

/// What pods are judged by, worked out once from the settings.
#[derive(Clone, Debug)]
pub struct TrackedKeys {
    /// The webhook's own decision.
    pub injector: Injector,
    /// The keys whose values matter.
    pub keys: BTreeSet<Key>,
    /// What a container reads by name, where that counts: its service and the key.
    by_name: Vec<(String, Key)>,
}

impl TrackedKeys {
    /// Works it out.
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

    /// The Secrets that matter.
    #[must_use]
    pub fn secrets(&self) -> BTreeSet<&str> {
        self.keys.iter().map(|key| key.secret.as_str()).collect()
    }

    /// What the service reads by name and takes up at its start only.
    pub(super) fn read_at_start(&self, service: &Service) -> Option<&Key> {
        self.by_name.iter().find(|(name, _)| *name == service.name).map(|(_, key)| key)
    }
}
