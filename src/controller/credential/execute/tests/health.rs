//! The password's health as the rollout sees it: good only by a login that succeeded with the current
//! password.

use super::super::super::action::CredentialStatus;
use super::super::super::health::{logged_in, of};
use super::super::super::snapshot::Login;
use super::*;
use crate::controller::{CredentialHealth, Health};

impl Scene {
    /// The health `later` seconds from now, with this login.
    async fn health(&self, login: &Login, later: i64) -> (CredentialHealth, bool) {
        bounded(async {
            let state = StateSecret::open(&self.context).await.unwrap();
            let sources = source::read(&self.context).await.unwrap();
            let now = now() + later;
            let health = of(&self.context, &CredentialStatus::Valid, login, &sources, &state, now);
            (health, logged_in(&self.context, &sources, &state, now))
        })
        .await
    }
}

fn tried(said: Option<&str>) -> Login {
    Login::Tried { until: 1_800_000_000, said: said.map(str::to_owned) }
}

#[tokio::test]
async fn a_password_is_good_by_the_login_that_succeeded_with_it_and_by_nothing_else() {
    let mut scene = Scene::new(&[]).await;
    let of_password = |health: CredentialHealth| health.password.unwrap().health;
    let (nobody, logged) = scene.health(&Login::Free, 0).await;
    assert!(matches!(of_password(nobody), Health::Unknown(why) if why.contains("nobody has logged in")) && !logged);

    scene.execute(Action::Login).await.unwrap();
    let (seen, logged) = scene.health(&Login::Free, 0).await;
    let at = seen.password.as_ref().unwrap().at;
    assert!((now() - 60..=now()).contains(&at), "when it was, and not when it is asked: {at}");
    assert_eq!(seen.password.as_ref().unwrap().values.len(), 1);
    assert!(of_password(seen) == Health::Good { until: None } && logged);
    let (later, logged) = scene.health(&Login::Free, 3600).await;
    assert!(!logged, "it counts for a while only");
    assert_eq!(later.password.unwrap().at, at);

    // A refusal of the current password outweighs an earlier success.
    let (refused, _) = scene.health(&tried(Some("no")), 0).await;
    assert!(matches!(of_password(refused), Health::Bad(why) if why.starts_with("no; not tried again before ")));
    let (missing, _) = scene.health(&Login::Missing("there is none".to_owned()), 0).await;
    assert_eq!(of_password(missing), Health::Bad("there is none".to_owned()));

    // Another password: what was observed says nothing about it.
    scene.server.put(&secret("argocd-initial-admin-secret"), data("password", "another"));
    let (other, logged) = scene.health(&Login::Free, 0).await;
    assert!(matches!(of_password(other), Health::Unknown(_)) && !logged);
    let (unheard, _) = scene.health(&tried(None), 0).await;
    assert!(matches!(of_password(unheard), Health::Unknown(why) if why.contains("nobody heard")));
    // A refusal removes the proof of the earlier login.
    scene.execute(Action::Login).await.unwrap();
    assert_eq!(scene.remembered(LOGIN_PROOF_ENTRY), Value::Null);
    scene.server.put(&secret("argocd-initial-admin-secret"), data("password", PASSWORD));
    assert!(!scene.health(&Login::Free, 0).await.1);
}

#[tokio::test]
async fn a_key_is_good_only_where_it_was_seen_to_work() {
    let scene = Scene::new(&[]).await;
    let state = StateSecret::open(&scene.context).await.unwrap();
    let sources = source::read(&scene.context).await.unwrap();
    let key = |how: &CredentialStatus| of(&scene.context, how, &Login::Free, &sources, &state, 1000).key;
    assert_eq!(key(&CredentialStatus::Valid).health, Health::Good { until: None });
    assert_eq!(key(&CredentialStatus::Expires(2000)).health, Health::Good { until: Some(2000) });
    assert!(matches!(key(&CredentialStatus::Missing("a".to_owned())).health, Health::Bad(_)));
    assert!(matches!(key(&CredentialStatus::ServerBroken("a".to_owned())).health, Health::Unknown(_)));
    assert_eq!(key(&CredentialStatus::Valid).values, [], "there is none in the Secret");
}
