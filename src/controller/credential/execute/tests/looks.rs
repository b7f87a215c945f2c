//! What a look makes of the Secret and of Argo CD's lists: whose keys they are, and which are left.

use super::super::super::observe::Observed;
use super::*;
use crate::controller::scripted::context_of;

/// A key as it was named before the ids named a cluster.
fn former(last: char) -> String {
    format!("argocd-auth-webhook-{NAMESPACE}-{}{last}", &UUID[..UUID.len() - 1])
}

impl Scene {
    async fn looks(&mut self) -> Observed {
        bounded(async {
            let state = StateSecret::open(&self.context).await.unwrap();
            let sources = source::read(&self.context).await.unwrap();
            self.argocd.calls();
            self.observe(&state, &sources).await
        })
        .await
    }

    async fn remembers(&mut self, record: CredentialRecord) {
        self.execute(Action::Remember(record)).await.unwrap();
    }

    fn logged_in(&mut self) {
        self.memory.session = Some(SecretString::from(token_of_session()));
    }
}

fn ids(seen: &Snapshot) -> Vec<(&str, &str)> {
    seen.left.iter().map(|left| (left.account.as_str(), left.id.as_str())).collect()
}

#[tokio::test]
async fn a_key_of_another_account_is_of_no_use_in_password_mode() {
    let mut scene = Scene::new(&[&ours('a')]).await;
    scene.holds(&ours('a'));
    let config = format!("auth: {{ type: password, username: robot }}\nargocd: {{ url: '{}' }}", scene.argocd.url());
    (scene.context, scene.lease) = context_of(&scene.server, &config);
    let seen = scene.looks().await.snapshot;
    let Key::WrongKind(what) = &seen.key else { panic!("{:?}", seen.key) };
    assert!(what.contains("\"admin\"") && what.contains("\"robot\""), "{what}");
    assert_eq!(seen.account.as_deref(), Some("robot"));
    assert!(scene.argocd.calls().is_empty(), "it needs no server to tell");
}

#[tokio::test]
async fn an_account_that_session_and_key_both_show_is_counted_once() {
    let (held, old) = (ours('a'), ours('b'));
    let mut scene = Scene::new(&[&held, &old]).await;
    scene.holds(&held);
    scene.logged_in();
    let observed = scene.looks().await;
    assert_eq!(ids(&observed.snapshot), [(ACCOUNT, old.as_str())]);
    assert_eq!(observed.current.map(|key| key.id), Some(held));
    assert!(observed.seen_lists && observed.snapshot.held_is_ours && !observed.snapshot.held_vanished);
    assert!(observed.snapshot.session.is_some());
}

#[tokio::test]
async fn other_accounts_that_may_have_keys_of_ours_are_asked_too_and_named_where_they_can_not_be() {
    let (held, theirs) = (ours('a'), ours('c'));
    let record = |names: &[&str]| CredentialRecord {
        accounts: names.iter().map(|name| (*name).to_owned()).collect(),
        ..CredentialRecord::default()
    };
    for seen_by_us in [true, false] {
        let mut scene = Scene::new(&[&held]).await;
        scene.holds(&held);
        scene.remembers(record(&[ACCOUNT, "robot"])).await;
        let listed = theirs.clone();
        scene.argocd.script(move |_, path, _| {
            let tokens = json!([{ "id": listed, "issuedAt": 7 }]);
            let account = json!({ "name": "robot", "enabled": true, "capabilities": ["apiKey"], "tokens": tokens });
            let answer = if seen_by_us { (200, account) } else { refusal(403, "permission denied") };
            (path == "/api/v1/account/robot").then_some(answer)
        });
        let seen = scene.looks().await.snapshot;
        let asked = scene.argocd.calls();
        assert_eq!(asked.iter().filter(|call| call.ends_with("/account/robot")).count(), 1, "{asked:?}");
        assert_eq!(asked.iter().filter(|call| call.ends_with("/account/admin")).count(), 1, "{asked:?}");
        if seen_by_us {
            assert_eq!(ids(&seen), [("robot", theirs.as_str())]);
            assert!(seen.unreadable_accounts.is_empty());
        } else {
            assert_eq!(ids(&seen), []);
            assert_eq!(seen.unreadable_accounts, ["robot"]);
        }
    }
}

#[tokio::test]
async fn of_keys_that_name_no_cluster_those_are_ours_that_the_secret_or_the_record_names() {
    let [held, named, foreign] = ['a', 'b', 'c'].map(former);
    let mut scene = Scene::new(&[&held, &named, &foreign]).await;
    scene.holds(&held);
    let superseded = [(named.clone(), 7)].into_iter().collect();
    scene.remembers(CredentialRecord { superseded, ..CredentialRecord::default() }).await;
    let observed = scene.looks().await;
    assert_eq!(ids(&observed.snapshot), [(ACCOUNT, named.as_str())], "and the third is left to whoever made it");
    assert!(observed.snapshot.held_is_ours);
    assert_eq!(observed.current.map(|key| key.id), Some(held));
}

#[tokio::test]
async fn a_key_has_vanished_only_where_it_worked_once_and_its_account_no_longer_lists_it() {
    let foreign = || "somebodys".to_owned();
    let valid = |id: String| CredentialRecord { valid: Some((id, 7)), ..CredentialRecord::default() };
    // The key in the Secret, the one that was seen to work, whether it is listed, and whether we have a session.
    for (held, worked, listed, session, vanished) in [
        (ours('a'), None, false, true, true),
        (foreign(), Some(foreign()), false, true, true),
        (foreign(), Some(ours('b')), false, true, false),
        (foreign(), None, false, true, false),
        (ours('a'), None, true, true, false),
        // Nothing was listed, so that nothing is known.
        (ours('a'), Some(ours('a')), false, false, false),
    ] {
        let case = format!("{held} {worked:?} {listed} {session}");
        let keys = [held.as_str()];
        let mut scene = Scene::new(if listed { &keys } else { &[] }).await;
        scene.holds(&held);
        if let Some(id) = worked {
            scene.remembers(valid(id)).await;
        }
        if session {
            scene.logged_in();
        }
        let observed = scene.looks().await;
        assert_eq!(observed.snapshot.held_vanished, vanished, "{case}");
        assert_eq!(observed.seen_lists, session, "{case}");
    }
}
