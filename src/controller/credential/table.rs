//! Cases of the plan: a snapshot, and what follows.

mod superseded;

use super::action::{Action, CredentialStatus, MintReason, NextStep, Plan, RetireReason};
use super::plan::{Timing, plan};
use super::record::{CredentialRecord, LostKey};
use super::snapshot::{Check, Fresh, Key, Login, Mirror, Session, Snapshot, SupersededKey, Transient};
use crate::argocd::verify::SessionHealth;
use crate::argocd::{ArgoCdError, Cause};
use crate::controller::Consumers;
use crate::core::Mode;
use crate::time::Seconds;
use std::collections::{BTreeMap, BTreeSet};

const NOW: Seconds = 1_800_000_000;
const TERMS: Timing = Timing { follow_after: 600, check: 300 };

fn trouble() -> Transient {
    Transient { kind: "timed_out", text: "no answer".to_owned(), retry_after: None }
}

fn works() -> Key {
    Key::Works { id: "held".to_owned(), expires: None }
}

fn refused(issued: Seconds, since: Seconds) -> Key {
    Key::Refused { id: "held".to_owned(), issued, from: issued, since, said: "no".to_owned() }
}

fn left(id: &str, issued: Seconds) -> SupersededKey {
    SupersededKey { account: "admin".to_owned(), id: id.to_owned(), issued, never_delivered: false }
}

fn superseded(ids: &[(&str, Seconds)]) -> BTreeMap<String, Seconds> {
    ids.iter().map(|(id, since)| ((*id).to_owned(), *since)).collect()
}

const ACCEPTED: Session = accepted(SessionHealth::Accepted, NOW + 60);

const fn accepted(health: SessionHealth, made: Seconds) -> Session {
    Session { health, made: Some(made) }
}

fn error() -> ArgoCdError {
    ArgoCdError { what: "asking".to_owned(), cause: Cause::Unreadable("it ends early") }
}

/// A key that works, and nothing to do.
fn idle() -> Snapshot {
    Snapshot {
        mode: Mode::Password,
        key: works(),
        account: Some("admin".to_owned()),
        left: Vec::new(),
        held_is_ours: true,
        held_vanished: false,
        unreadable_accounts: Vec::new(),
        login: Login::Free,
        session: None,
        fresh: None,
        record: CredentialRecord {
            valid: Some(("held".to_owned(), NOW - 1000)),
            accounts: BTreeSet::from(["admin".to_owned()]),
            ..CredentialRecord::default()
        },
        mirror: Mirror::InOrder,
        requests: BTreeSet::new(),
        consumers: Consumers::InStep,
        login_due: false,
    }
}

fn with(key: Key) -> Snapshot {
    Snapshot { key, ..idle() }
}

fn does(seen: &Snapshot) -> Action {
    match plan(seen, TERMS, NOW) {
        Plan { next: NextStep::Execute(action), .. } => action,
        other => panic!("does nothing: {other:?}"),
    }
}

fn rests(seen: &Snapshot) -> (CredentialStatus, NextStep) {
    let Plan { state, next } = plan(seen, TERMS, NOW);
    assert!(!matches!(next, NextStep::Execute(_)), "{next:?}");
    (state, next)
}

#[test]
fn a_key_that_works_is_left_alone_whoever_made_it() {
    assert_eq!(rests(&idle()), (CredentialStatus::Valid, NextStep::WaitUntil(NOW + 300)));
    let seen = Snapshot { held_is_ours: false, login: Login::Missing("x".to_owned()), ..idle() };
    assert_eq!(rests(&seen), (CredentialStatus::Valid, NextStep::WaitUntil(NOW + 300)));
    let seen = Snapshot { mode: Mode::Token, ..idle() };
    assert_eq!(rests(&seen), (CredentialStatus::Valid, NextStep::WaitUntil(NOW + 300)));
}

#[test]
fn where_a_pod_waits_for_it_one_login_shows_whether_the_password_is_right() {
    let seen = Snapshot { login_due: true, ..idle() };
    assert_eq!(does(&seen), Action::Login);
    // Shown already, refused a moment ago, or no way to the server: no login is sent.
    let tried = Login::Tried { until: NOW + 600, said: Some("no".to_owned()) };
    for login in [tried, Login::NoWay(trouble()), Login::Missing("x".to_owned())] {
        assert_eq!(
            rests(&Snapshot { login, ..seen.clone() }),
            (CredentialStatus::Valid, NextStep::WaitUntil(NOW + 300))
        );
    }
}

#[test]
fn a_first_key_is_a_login_a_key_and_a_secret() {
    let mut seen = with(Key::Absent("no Secret".to_owned()));
    assert_eq!(does(&seen), Action::Login);
    seen.session = Some(ACCEPTED);
    assert_eq!(does(&seen), Action::Mint(MintReason::Absent));
    seen.fresh = Some(Fresh { id: "new".to_owned(), since: NOW, check: Check::NotKnown });
    assert_eq!(rests(&seen), (CredentialStatus::Replacing(MintReason::Absent), NextStep::RequeueSoon));
    seen.fresh = Some(Fresh { id: "new".to_owned(), since: NOW, check: Check::Works });
    // Also without the session, which a process forgets or gives up.
    seen.session = None;
    assert_eq!(does(&seen), Action::Store(MintReason::Absent));
}

#[test]
fn whatever_is_no_key_is_replaced_and_named() {
    let what = "a session of the account \"admin\"";
    let seen = Snapshot { session: Some(ACCEPTED), ..with(Key::WrongKind(what.to_owned())) };
    assert_eq!(does(&seen), Action::Mint(MintReason::WrongKind(what.to_owned())));
    let seen = Snapshot { key: Key::Works { id: "held".to_owned(), expires: Some(NOW + 1000) }, ..seen };
    assert_eq!(does(&seen), Action::Mint(MintReason::Expires));
}

#[test]
fn a_key_is_replaced_on_a_definite_no_and_on_nothing_less() {
    let mut seen = with(refused(NOW - 5000, NOW));
    assert_eq!(does(&seen), Action::Login, "a session of our own has to say yes beside it");
    seen.session = Some(ACCEPTED);
    assert_eq!(does(&seen), Action::Mint(MintReason::Refused));
    for (session, state) in [
        (SessionHealth::NotAccepted("{}".to_owned()), CredentialStatus::ServerBroken("{}".to_owned())),
        (SessionHealth::Unknown(error()), CredentialStatus::Unavailable(super::reach::trouble(&error()))),
        (SessionHealth::Disabled, CredentialStatus::AccountDisabled),
        (SessionHealth::NoApiKeys, CredentialStatus::NoApiKey),
    ] {
        for key in [refused(NOW - 5000, NOW), Key::Absent(String::new()), Key::WrongKind(String::new())] {
            let seen = Snapshot { session: Some(accepted(session.clone(), NOW)), ..with(key) };
            assert_eq!(rests(&seen), (state.clone(), NextStep::Backoff));
        }
    }
    for session in [None, Some(ACCEPTED)] {
        let seen = Snapshot { session, ..with(Key::Unknown(trouble())) };
        assert_eq!(rests(&seen), (CredentialStatus::Unavailable(trouble()), NextStep::Backoff));
        let seen = Snapshot { key: Key::Odd("unlisted".to_owned()), ..seen };
        assert_eq!(rests(&seen), (CredentialStatus::Odd("unlisted".to_owned()), NextStep::Backoff));
    }
}

#[test]
fn a_young_key_is_given_some_seconds() {
    let seen = |issued, since| Snapshot { session: Some(ACCEPTED), ..with(refused(issued, since)) };
    for issued in [NOW, NOW - 59, NOW + 59] {
        assert_eq!(rests(&seen(issued, NOW)).1, NextStep::RequeueSoon, "{issued}");
        assert_eq!(rests(&seen(issued, NOW - 4)).1, NextStep::RequeueSoon);
        assert_eq!(does(&seen(issued, NOW - 5)), Action::Mint(MintReason::Refused));
    }
    for issued in [NOW - 60, NOW + 60, 0] {
        assert_eq!(does(&seen(issued, NOW)), Action::Mint(MintReason::Refused), "{issued}");
    }
}

#[test]
fn a_key_that_argo_cds_own_clock_is_behind_is_waited_for() {
    let at =
        |made| Snapshot { session: Some(accepted(SessionHealth::Accepted, made)), ..with(refused(NOW - 5000, NOW)) };
    for (behind, wait) in [(1, 1), (29, 29), (60, 30), (600, 30)] {
        let from = NOW - 5000;
        assert_eq!(
            rests(&at(from - behind)),
            (CredentialStatus::NotYet(from), NextStep::WaitUntil(NOW + wait)),
            "{behind}"
        );
    }
    for made in [NOW - 5000, NOW - 5601, NOW] {
        assert_eq!(does(&at(made)), Action::Mint(MintReason::Refused), "{made}");
    }
    let unknown = Session { health: SessionHealth::Accepted, made: None };
    assert_eq!(does(&Snapshot { session: Some(unknown), ..at(NOW) }), Action::Mint(MintReason::Refused));
    assert_eq!(
        rests(&Snapshot { session: Some(accepted(SessionHealth::NoApiKeys, NOW)), ..at(NOW) }).0,
        CredentialStatus::NoApiKey
    );
}

#[test]
fn a_key_is_looked_at_again_soon_after_it_was_first_seen_to_work() {
    let at = |age| {
        let valid = Some(("held".to_owned(), NOW - age));
        rests(&Snapshot { record: CredentialRecord { valid, ..idle().record }, ..idle() }).1
    };
    for (age, next) in [(0, 1), (1, 5), (4, 5), (5, 15), (14, 15), (15, 30), (29, 30)] {
        assert_eq!(at(age), NextStep::WaitUntil(NOW - age + next), "{age}");
    }
    assert_eq!(at(30), NextStep::WaitUntil(NOW + 300));
}

#[test]
fn a_key_that_vanished_is_remembered_and_the_second_one_in_an_hour_is_waited_with() {
    let gone = |lost: &[(&str, Seconds)]| {
        let lost = lost.iter().map(|(id, at)| LostKey { id: (*id).to_owned(), at: *at, lived: 7 }).collect();
        let record = CredentialRecord { lost, ..idle().record };
        Snapshot {
            session: Some(ACCEPTED),
            held_is_ours: false,
            held_vanished: true,
            record,
            ..with(refused(NOW - 5000, NOW))
        }
    };
    let Action::Remember(record) = does(&gone(&[])) else { panic!("not remembered") };
    assert_eq!(record.lost, [LostKey { id: "held".to_owned(), at: NOW, lived: 1000 }]);
    assert_eq!(does(&gone(&[("held", NOW)])), Action::Mint(MintReason::Refused), "a single one is a revocation");
    let twice = gone(&[("before", NOW - 50), ("held", NOW - 10)]);
    let state = CredentialStatus::KeyLost { lost: 2, lived: 7, next: Some(NOW + 50) };
    assert_eq!(rests(&twice), (state.clone(), NextStep::WaitUntil(NOW + 30)));
    // Meanwhile no login is spent on it.
    assert_eq!(rests(&Snapshot { session: None, ..twice.clone() }), (state, NextStep::WaitUntil(NOW + 30)));
    assert_eq!(does(&gone(&[("before", NOW - 99), ("held", NOW - 60)])), Action::Mint(MintReason::Refused));
    // While a key works, the losses are reported all the same.
    let works = Snapshot { key: works(), held_is_ours: true, held_vanished: false, ..twice.clone() };
    assert_eq!(rests(&works).0, CredentialStatus::KeyLost { lost: 2, lived: 7, next: None });
    // A key that its account still lists is dead for another reason: a new password.
    let listed = Snapshot { held_is_ours: true, held_vanished: false, ..gone(&[("before", NOW - 50)]) };
    assert_eq!(does(&listed), Action::Mint(MintReason::Refused));
    // A key that never worked wasn't lost.
    let stranger = Snapshot { held_vanished: false, ..gone(&[("before", NOW - 50)]) };
    assert_eq!(does(&stranger), Action::Mint(MintReason::Refused));
    // Who requests a check may have revoked the key, so there is no loss and no wait.
    for lost in [&[("before", NOW - 50)][..], &[("before", NOW - 50), ("held", NOW - 10)]] {
        let asked = Snapshot { requests: BTreeSet::from(["now".to_owned()]), ..gone(lost) };
        assert_eq!(does(&asked), Action::Mint(MintReason::Refused));
        // Also if the login could only be sent later, after the request was answered.
        let record = CredentialRecord { explained: Some("held".to_owned()), ..asked.record.clone() };
        let answered = Snapshot { requests: BTreeSet::new(), record, ..asked.clone() };
        assert_eq!(does(&answered), Action::Mint(MintReason::Refused));
        // Nor is a request answered while the refusal of a young key is waited out.
        let young = Snapshot { key: refused(NOW - 30, NOW - 2), ..asked };
        assert_eq!(rests(&young).1, NextStep::RequeueSoon);
    }
}

#[test]
fn a_login_is_not_tried_again_too_soon() {
    let tried = |until, said: Option<&str>| {
        let login = Login::Tried { until, said: said.map(str::to_owned) };
        rests(&Snapshot { login, ..with(refused(NOW - 5000, NOW)) })
    };
    let refused = CredentialStatus::LoginRefused(NOW + 200, "no".to_owned());
    assert_eq!(
        tried(NOW + 200, Some("no")),
        (refused, NextStep::WaitUntil(NOW + 30)),
        "the key may be good again before"
    );
    assert_eq!(tried(NOW + 7, None), (CredentialStatus::LoginUnknown(NOW + 7), NextStep::WaitUntil(NOW + 7)));
    let missing = Snapshot { login: Login::Missing("no Secret x".to_owned()), ..with(Key::Absent(String::new())) };
    assert_eq!(rests(&missing), (CredentialStatus::Missing("no Secret x".to_owned()), NextStep::WaitUntil(NOW + 300)));
}

#[test]
fn a_fresh_key_goes_into_the_secret_only_when_it_works_and_is_needed() {
    let fresh = |check, since| Some(Fresh { id: "new".to_owned(), since, check });
    let seen = |key, check, since| Snapshot { fresh: fresh(check, since), ..with(key) };
    let absent = || Key::Absent(String::new());
    assert_eq!(does(&seen(works(), Check::Works, NOW)), Action::Discard, "somebody else was faster");
    assert_eq!(does(&seen(absent(), Check::NotKnown, NOW - 10)), Action::Discard, "a lost update");
    assert_eq!(rests(&seen(absent(), Check::NotKnown, NOW - 9)).1, NextStep::RequeueSoon);
    assert_eq!(
        rests(&seen(absent(), Check::Unknown(trouble()), NOW - 99)),
        (CredentialStatus::Unavailable(trouble()), NextStep::Backoff)
    );
    assert_eq!(rests(&seen(Key::Unknown(trouble()), Check::Works, NOW)).1, NextStep::Backoff);
    assert_eq!(rests(&seen(Key::Odd(String::new()), Check::Works, NOW)).1, NextStep::Backoff);
    let expires = Key::Works { id: "held".to_owned(), expires: Some(NOW + 9) };
    assert_eq!(does(&seen(expires, Check::Works, NOW)), Action::Store(MintReason::Expires));
}

#[test]
fn a_request_is_answered_once_whatever_the_answer() {
    let requests = BTreeSet::from(["one".to_owned(), "two".to_owned()]);
    let answered = CredentialRecord { answered: requests.clone(), ..idle().record };
    for key in [works(), Key::Unknown(trouble()), Key::Odd(String::new())] {
        let mut seen = Snapshot { requests: requests.clone(), ..with(key) };
        assert_eq!(does(&seen), Action::Remember(answered.clone()));
        seen.record = answered.clone();
        rests(&seen);
        seen.requests.remove("one");
        rests(&seen);
        seen.requests = BTreeSet::from(["three".to_owned()]);
        assert_eq!(
            does(&seen),
            Action::Remember(CredentialRecord { answered: seen.requests.clone(), ..idle().record })
        );
    }
}

#[test]
fn in_token_mode_nothing_is_ever_made() {
    for (key, state, next) in [
        (Key::Absent("x".to_owned()), CredentialStatus::Missing("x".to_owned()), NextStep::WaitUntil(NOW + 300)),
        (Key::WrongKind("x".to_owned()), CredentialStatus::WrongKind("x".to_owned()), NextStep::WaitUntil(NOW + 300)),
        (refused(NOW - 5000, NOW), CredentialStatus::Refused("no".to_owned()), NextStep::Backoff),
        (Key::Unknown(trouble()), CredentialStatus::Unavailable(trouble()), NextStep::Backoff),
        (Key::Odd("x".to_owned()), CredentialStatus::Odd("x".to_owned()), NextStep::Backoff),
        (
            Key::Works { id: "held".to_owned(), expires: Some(NOW + 9) },
            CredentialStatus::Expires(NOW + 9),
            NextStep::WaitUntil(NOW + 300),
        ),
    ] {
        let seen = Snapshot { mode: Mode::Token, session: Some(ACCEPTED), ..with(key) };
        assert_eq!(rests(&seen), (state, next));
    }
}
