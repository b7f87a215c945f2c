//! When a key that another one has replaced is deleted.

use super::*;

#[test]
fn a_superseded_key_is_retired_after_its_time() {
    let mut seen = Snapshot { left: vec![left("a", NOW - 5000)], ..idle() };
    let first = CredentialRecord { superseded: superseded(&[("a", NOW)]), ..idle().record };
    assert_eq!(does(&seen), Action::Remember(first));
    let since = |since| CredentialRecord { superseded: superseded(&[("a", since)]), ..idle().record };
    seen.record = since(NOW - 500);
    assert_eq!(rests(&seen), (CredentialStatus::Valid, NextStep::WaitUntil(NOW + 100)));
    seen.record = since(NOW - 599);
    assert_eq!(rests(&seen).1, NextStep::WaitUntil(NOW + 1));
    seen.record = since(NOW - 100);
    assert_eq!(rests(&seen).1, NextStep::WaitUntil(NOW + 300));
    seen.record = since(NOW - 600);
    let retire = Action::Retire("admin".to_owned(), "a".to_owned(), RetireReason::Superseded);
    assert_eq!(does(&seen), retire);
    for consumers in [Consumers::Unknown, Consumers::Stale(1)] {
        assert_eq!(rests(&Snapshot { consumers, ..seen.clone() }).1, NextStep::WaitUntil(NOW + 300));
    }
    for key in [refused(NOW - 5000, NOW), Key::Unknown(trouble()), Key::Absent(String::new())] {
        let Plan { next, .. } = plan(&Snapshot { key, ..seen.clone() }, TERMS, NOW);
        assert!(!matches!(next, NextStep::Execute(Action::Retire(..))), "only once the newer one works: {next:?}");
    }
    seen.mode = Mode::Token;
    assert_eq!(does(&seen), retire, "a Runtime that has gone over to a token needs none of ours");
    seen.record = since(NOW + 50);
    assert_eq!(does(&seen), Action::Remember(since(NOW)), "a clock was set back");
}

#[test]
fn not_more_than_two_superseded_ones_are_kept() {
    let all = vec![left("a", NOW - 3), left("b", NOW - 2), left("c", NOW - 1)];
    let since = superseded(&[("a", NOW - 30), ("b", NOW - 40), ("c", NOW - 20)]);
    let record = CredentialRecord { superseded: since, ..idle().record };
    let mut seen = Snapshot { left: all.clone(), record, consumers: Consumers::Stale(1), ..idle() };
    let oldest = Action::Retire("admin".to_owned(), "b".to_owned(), RetireReason::TooMany);
    assert_eq!(does(&seen), oldest);
    seen.left.remove(1);
    assert_eq!(
        does(&seen),
        Action::Remember(CredentialRecord {
            superseded: superseded(&[("a", NOW - 30), ("c", NOW - 20)]),
            ..idle().record
        })
    );

    // Before minting: the key in the Secret becomes superseded by it.
    seen.key = refused(NOW - 5000, NOW);
    seen.session = Some(ACCEPTED);
    assert_eq!(does(&seen), Action::Retire("admin".to_owned(), "a".to_owned(), RetireReason::TooMany));
    seen.held_is_ours = false;
    seen.record = seen.record.with_loss("held", NOW);
    assert_eq!(does(&seen), Action::Mint(MintReason::Refused));
    seen.left = all;
    assert_eq!(does(&seen), oldest);
}

#[test]
fn a_key_that_nobody_had_goes_first_and_at_once() {
    let never_delivered = SupersededKey { never_delivered: true, ..left("c", NOW) };
    let record = CredentialRecord { superseded: superseded(&[("a", NOW - 5000), ("c", NOW)]), ..idle().record };
    let seen =
        Snapshot { left: vec![left("a", NOW - 3), never_delivered], record, consumers: Consumers::Stale(1), ..idle() };
    assert_eq!(does(&seen), Action::Retire("admin".to_owned(), "c".to_owned(), RetireReason::Unused));
    let replacing = Snapshot { key: refused(NOW - 5000, NOW), session: Some(ACCEPTED), ..seen };
    assert_eq!(does(&replacing), Action::Retire("admin".to_owned(), "c".to_owned(), RetireReason::TooMany));
}

#[test]
fn an_account_is_remembered_as_long_as_it_may_have_keys_of_ours() {
    let mut seen =
        Snapshot { account: Some("ops".to_owned()), unreadable_accounts: vec!["admin".to_owned()], ..idle() };
    let both = CredentialRecord { accounts: BTreeSet::from(["admin".to_owned(), "ops".to_owned()]), ..idle().record };
    assert_eq!(does(&seen), Action::Remember(both.clone()));
    (seen.record, seen.unreadable_accounts) = (both, Vec::new());
    let one = CredentialRecord { accounts: BTreeSet::from(["ops".to_owned()]), ..idle().record };
    assert_eq!(does(&seen), Action::Remember(one));
}
