//! Whether the credential that a service's new pods would get is known to be good. Pure.

use crate::controller::health::{CredentialHealth, Doubt, Examined, Health};
use crate::core::{GENERATED_TOKEN, Injector, Mode, Reads, Service};
use crate::drift::{History, Key};
use crate::settings::{Settings, freshness};
use crate::time::Seconds;
use std::collections::BTreeMap;

/// The services whose pods must not be replaced for now, each with the reason.
pub(super) fn doubts(
    settings: &Settings,
    injector: &Injector,
    health: &CredentialHealth,
    history: &History,
    now: Seconds,
) -> BTreeMap<String, Doubt> {
    let doubt = |service: &Service| {
        let given = given(settings, service, health);
        given.into_iter().find_map(|(key, seen)| about(settings, &key, seen, history, now))
    };
    injector.services().filter_map(|service| Some((service.name.clone(), doubt(service)?))).collect()
}

/// The keys that a new pod of this service would use, each with the last check of its value.
fn given<'h>(settings: &Settings, service: &Service, health: &'h CredentialHealth) -> Vec<(Key, Option<&'h Examined>)> {
    let credential = Key::new(&settings.auth.credential.name, &settings.auth.credential.key);
    let generated = Key::new(GENERATED_TOKEN.name, GENERATED_TOKEN.key);
    match (settings.auth.mode, service.reads) {
        (Mode::Token, _) => vec![(credential, Some(&health.key))],
        (Mode::Password, Reads::Reference) => vec![(generated, Some(&health.key))],
        (Mode::Password, Reads::Credential) => {
            vec![(credential, health.password.as_ref()), (generated, Some(&health.key))]
        }
    }
}

fn about(settings: &Settings, key: &Key, seen: Option<&Examined>, history: &History, now: Seconds) -> Option<Doubt> {
    let unseen = Examined::default();
    let seen = seen.unwrap_or(&unseen);
    let bad = if let Health::Bad(why) = &seen.health { Some(why) } else { None };
    if bad.is_none() && history.current(key).is_none() {
        return Some(Doubt::bad(format!("not there: Secret {} has no key {}", key.secret, key.key)));
    }
    if settings.require_verified {
        let fresh = freshness(settings.credentials.check_interval).as_secs();
        seen.doubt(history, now, i64::try_from(fresh).unwrap_or(i64::MAX))
    } else {
        // Checks aren't required, so only what is known to be unusable counts.
        bad.map(|why| Doubt::bad(format!("of no use: {why}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::health::ValueId;
    use crate::core::Engine;

    const NOW: Seconds = 1_800_000_000;

    fn examined(key: &Key) -> Examined {
        let values = vec![ValueId { key: key.clone(), hash: key.to_string() }];
        Examined { health: Health::Good { until: None }, values, at: NOW }
    }

    /// The services in doubt in password mode, after this change.
    fn held(change: impl Fn(&mut Settings, &mut CredentialHealth, &mut History)) -> Vec<String> {
        let mut settings = Settings::of_the_charts();
        let credential = Key::new(&settings.auth.credential.name, &settings.auth.credential.key);
        let generated = Key::new(GENERATED_TOKEN.name, GENERATED_TOKEN.key);
        let mut history = History::default();
        for key in [&credential, &generated] {
            history.note(key, Some(key.to_string()), None, NOW - 1000);
        }
        let mut health = CredentialHealth { key: examined(&generated), password: Some(examined(&credential)) };
        change(&mut settings, &mut health, &mut history);
        let injector = settings.injector(Engine::Webhook);
        doubts(&settings, &injector, &health, &history, NOW).into_keys().collect()
    }

    #[test]
    fn nobody_is_in_doubt_where_key_and_password_were_seen_to_work() {
        assert!(held(|_, _, _| {}).is_empty());
    }

    #[test]
    fn a_password_that_no_login_was_made_with_holds_the_app_proxy_alone() {
        let unknown = |_: &mut Settings, health: &mut CredentialHealth, _: &mut History| health.password = None;
        assert_eq!(held(unknown), ["app-proxy"]);
        let refused = |_: &mut Settings, health: &mut CredentialHealth, _: &mut History| {
            health.password.as_mut().unwrap().health = Health::Bad("refused".to_owned());
        };
        assert_eq!(held(refused), ["app-proxy"]);
    }

    #[test]
    fn a_key_that_is_not_known_to_work_holds_every_service() {
        let all = held(|_, health, _| *health = CredentialHealth::unknown("away".to_owned()));
        assert!(all.len() >= 4, "{all:?}");
        let generated = Key::new(GENERATED_TOKEN.name, GENERATED_TOKEN.key);
        let gone = |_: &mut Settings, _: &mut CredentialHealth, history: &mut History| {
            history.note(&generated, None, None, NOW);
        };
        assert_eq!(held(gone), all);
        let old = held(|_, health, _| health.key.at = NOW - 900);
        assert_eq!(old, all, "three check intervals");
    }

    #[test]
    fn without_the_demand_only_what_is_certain_holds_anybody() {
        let away = |settings: &mut Settings, health: &mut CredentialHealth, _: &mut History| {
            settings.require_verified = false;
            *health = CredentialHealth::unknown("away".to_owned());
        };
        assert!(held(away).is_empty());
        let gone = |settings: &mut Settings, health: &mut CredentialHealth, history: &mut History| {
            away(settings, health, history);
            let credential = Key::new(&settings.auth.credential.name, &settings.auth.credential.key);
            history.note(&credential, None, None, NOW);
        };
        assert_eq!(held(gone), ["app-proxy"]);
        let useless = |settings: &mut Settings, health: &mut CredentialHealth, history: &mut History| {
            away(settings, health, history);
            health.key.health = Health::Bad("no token".to_owned());
        };
        assert!(held(useless).len() >= 4);
    }
}
