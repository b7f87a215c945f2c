//! Cases of the plan: a snapshot, and the one thing that follows.

use super::action::{Action, Next, Place, Plan, Step, Why};
use super::lifetimes::Lifetimes;
use super::plan::plan;
use super::snapshot::{Bundle, Ca, Endpoint, Leaf, Request, RotationRecord, Slot, Snapshot};
use crate::pki::{BACKDATED, Flaw, Id, Validity};
use crate::time::Seconds;

const NOW: Seconds = 1_800_000_000;
const HOUR: Seconds = 3600;
const TERMS: Lifetimes = Lifetimes { ca: 8760 * HOUR, leaf: 2160 * HOUR, propagation: 60 };
const OLD: Id = Id([1; 32]);
const NEW: Id = Id([2; 32]);
const OTHER: Id = Id([3; 32]);
const LEAF: Id = Id([9; 32]);

/// The validity of something created this many hours ago.
fn aged(lasts: Seconds, hours: Seconds) -> Validity {
    Validity { from: NOW - hours * HOUR - BACKDATED, to: NOW - hours * HOUR + lasts }
}

fn ca_of(id: Id, hours: Seconds) -> Ca {
    Ca { id, validity: aged(TERMS.ca, hours), flaw: None }
}

fn leaf_of(signer: Id, hours: Seconds) -> Leaf {
    Leaf { id: LEAF, validity: aged(TERMS.leaf, hours), signer: Some(signer), flaw: None }
}

fn entry(ids: &[Id]) -> Bundle {
    Bundle { cas: ids.iter().map(|id| (*id, aged(TERMS.ca, 10))).collect(), rest: false }
}

fn serving(ids: &[Id]) -> Endpoint {
    Endpoint { verified_by: ids.to_vec() }
}

/// One CA, one leaf, two entries; nothing to do.
fn idle() -> Snapshot {
    Snapshot {
        current: Slot::Holds(ca_of(OLD, 10)),
        next: Slot::Empty,
        serving: Slot::Holds(leaf_of(OLD, 10)),
        bundles: Some(vec![entry(&[OLD]), entry(&[OLD])]),
        marks: RotationRecord::default(),
        litter: false,
        request: None,
        endpoints: None,
    }
}

/// A rotation whose new CA is in the bundle.
fn rotating() -> Snapshot {
    Snapshot { next: Slot::Holds(ca_of(NEW, 0)), bundles: Some(vec![entry(&[NEW, OLD]), entry(&[NEW, OLD])]), ..idle() }
}

/// A rotation whose new leaf is in its Secret.
fn proving(endpoints: Option<Vec<Endpoint>>) -> Snapshot {
    let marks = RotationRecord { trusted: Some((NEW, NOW - 100)), ..RotationRecord::default() };
    Snapshot { serving: Slot::Holds(leaf_of(NEW, 1)), marks, endpoints, ..rotating() }
}

fn does(seen: &Snapshot) -> (Step, Action) {
    match plan(seen, &TERMS, NOW) {
        Plan { step, next: Next::Do(action) } => (step, action),
        other => panic!("does nothing: {other:?}"),
    }
}

fn waits(seen: &Snapshot) -> (Step, Next) {
    let Plan { step, next } = plan(seen, &TERMS, NOW);
    assert!(!matches!(next, Next::Do(_)), "{next:?}");
    (step, next)
}

#[test]
fn a_bootstrap_is_a_ca_a_bundle_and_a_leaf() {
    let mut seen = Snapshot {
        current: Slot::Empty,
        serving: Slot::Empty,
        bundles: Some(vec![Bundle::default(), Bundle::default()]),
        ..idle()
    };
    assert_eq!(does(&seen).1, Action::MakeCa(Place::Current, Why::Absent));
    seen.current = Slot::Holds(ca_of(OLD, 0));
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![OLD], false));
    seen.bundles = Some(vec![entry(&[OLD]), entry(&[OLD])]);
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Why::Absent));
    // Without a webhook configuration there are no API servers to wait for.
    seen.bundles = None;
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Why::Absent));
}

#[test]
fn nothing_is_done_until_the_leaf_is_due_at_two_thirds_or_a_little_before() {
    let (step, next) = waits(&idle());
    let Next::Wait(until, false) = next else { panic!("{next:?}") };
    assert_eq!(step, Step::Idle);
    let made = NOW - 10 * HOUR;
    let (earliest, latest) = (made + TERMS.leaf * 7 / 12, made + TERMS.leaf * 2 / 3);
    assert!((earliest..=latest).contains(&until), "{until} is not in {earliest}..={latest}");

    let due = Snapshot { serving: Slot::Holds(leaf_of(OLD, 1440)), ..idle() };
    assert_eq!(does(&due).1, Action::MakeLeaf(Place::Current, Why::Due));
    let due = Snapshot { current: Slot::Holds(ca_of(OLD, 5840)), ..idle() };
    assert_eq!(does(&due).1, Action::MakeCa(Place::Next, Why::Due));
}

#[test]
fn a_leaf_that_its_ca_cut_short_is_not_renewed_over_and_over() {
    let mut seen = idle();
    let short = Validity { from: NOW - HOUR - BACKDATED, to: NOW + 2 * HOUR };
    seen.serving = Slot::Holds(Leaf { validity: short, ..leaf_of(OLD, 0) });
    assert_eq!(waits(&seen).0, Step::Idle);
}

#[test]
fn a_rotation_goes_step_by_step() {
    let asked = Snapshot { request: Some(Request::Ca), ..idle() };
    assert_eq!(does(&asked).1, Action::MakeCa(Place::Next, Why::Requested));

    let both = Snapshot { bundles: idle().bundles, ..rotating() };
    assert_eq!(does(&both), (Step::Trusting, Action::WriteBundle(vec![NEW, OLD], false)));

    let mut seen = rotating();
    let trusted = RotationRecord { trusted: Some((NEW, NOW)), ..RotationRecord::default() };
    assert_eq!(does(&seen), (Step::Propagating, Action::Remember(trusted, false)));
    seen.marks = trusted;
    assert_eq!(waits(&seen), (Step::Propagating, Next::Wait(NOW + 61, false)));
    seen.marks.trusted = Some((NEW, NOW - 60));
    assert_eq!(waits(&seen), (Step::Propagating, Next::Wait(NOW + 1, false)));
    seen.marks.trusted = Some((NEW, NOW - 61));
    assert_eq!(does(&seen), (Step::Signing, Action::MakeLeaf(Place::Next, Why::Rotation)));

    assert_eq!(waits(&proving(None)), (Step::Proving, Next::Look));
    let one_left = Some(vec![serving(&[NEW]), serving(&[OLD])]);
    assert_eq!(waits(&proving(one_left)), (Step::Proving, Next::Wait(Seconds::MAX, true)));
    let unreachable = Some(vec![serving(&[NEW]), serving(&[])]);
    assert_eq!(waits(&proving(unreachable)), (Step::Proving, Next::Wait(Seconds::MAX, true)));

    let mut seen = proving(Some(vec![serving(&[NEW]), serving(&[NEW])]));
    let served = RotationRecord { served: Some((NEW, NOW)), ..seen.marks };
    assert_eq!(does(&seen), (Step::Settling, Action::Remember(served, false)));
    seen.marks = served;
    assert_eq!(waits(&seen), (Step::Settling, Next::Wait(NOW + 61, true)));
    seen.marks.served = Some((NEW, NOW - 61));
    assert_eq!(does(&seen), (Step::Dropping, Action::Settle(Place::Next, Why::Rotation)));

    (seen.current, seen.next) = (Slot::Holds(ca_of(NEW, 0)), Slot::Empty);
    assert_eq!(does(&seen), (Step::Dropping, Action::WriteBundle(vec![NEW], false)));
    seen.bundles = Some(vec![entry(&[NEW]), entry(&[NEW])]);
    assert_eq!(does(&seen), (Step::Idle, Action::Remember(RotationRecord::default(), false)));
}

#[test]
fn a_pod_that_falls_back_restarts_the_last_wait() {
    let mut seen = proving(Some(vec![serving(&[NEW]), serving(&[OLD])]));
    let trusted = seen.marks;
    seen.marks.served = Some((NEW, NOW - 59));
    assert_eq!(does(&seen).1, Action::Remember(trusted, false));
}

#[test]
fn a_bundle_that_was_lost_is_put_back_and_the_waiting_starts_again() {
    let lost = Some(vec![entry(&[NEW, OLD]), Bundle::default()]);
    let seen = Snapshot { bundles: lost.clone(), ..idle() };
    assert_eq!(
        does(&Snapshot { bundles: Some(vec![entry(&[OLD]), Bundle::default()]), ..idle() }).1,
        Action::WriteBundle(vec![OLD], true)
    );
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![OLD, NEW], true), "what stands there stays for now");
    assert_eq!(
        does(&Snapshot { bundles: Some(vec![Bundle::default(), Bundle::default()]), ..idle() }).1,
        Action::WriteBundle(vec![OLD], true)
    );

    // In the middle of a rotation both CAs come back, and the recorded time is dropped first.
    let mut seen = Snapshot { bundles: lost, ..rotating() };
    seen.marks.trusted = Some((NEW, NOW - 59));
    assert_eq!(does(&seen).1, Action::Remember(RotationRecord::default(), false));
    seen.marks = RotationRecord::default();
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![NEW, OLD], true));
    seen.bundles = Some(vec![Bundle::default(), Bundle::default()]);
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![NEW, OLD], true));
}

#[test]
fn something_else_in_the_bundle_is_taken_out() {
    let rest = Bundle { rest: true, ..entry(&[OLD]) };
    let seen = Snapshot { bundles: Some(vec![rest, entry(&[OLD])]), ..idle() };
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![OLD], true));
    // A valid foreign CA stays until every endpoint has shown that it isn't needed.
    let seen = Snapshot { bundles: Some(vec![entry(&[OLD, OTHER]), entry(&[OLD, OTHER])]), ..idle() };
    assert_eq!(waits(&seen), (Step::Proving, Next::Look));
}

#[test]
fn a_lost_or_damaged_ca_is_replaced_beside_what_is_trusted() {
    let damaged = |flaw| Slot::Holds(Ca { flaw: Some(flaw), ..ca_of(OLD, 10) });
    let expired = Slot::Holds(ca_of(OLD, 8761));
    for (current, flaw) in [
        (Slot::Empty, Flaw::Lost),
        (Slot::Broken(Flaw::Unreadable), Flaw::Unreadable),
        (Slot::Broken(Flaw::NotACa), Flaw::NotACa),
        (damaged(Flaw::WrongKey), Flaw::WrongKey),
        (damaged(Flaw::NoKey), Flaw::NoKey),
        (expired, Flaw::Expired),
    ] {
        let seen = Snapshot { current: current.clone(), ..idle() };
        assert_eq!(does(&seen).1, Action::MakeCa(Place::Next, Why::Flawed(flaw)), "{current:?}");
        // If nothing is trusted, there is nothing beside which to introduce it.
        let nobody = Some(vec![Bundle::default()]);
        let seen = Snapshot { current: current.clone(), bundles: nobody, ..idle() };
        if !matches!(current, Slot::Holds(ca) if ca.validity.holds(NOW)) {
            assert!(matches!(does(&seen).1, Action::MakeCa(Place::Current, _)), "{current:?}");
        }
    }
}

#[test]
fn a_leaf_of_no_use_is_replaced_at_once() {
    let with = |change: fn(&mut Leaf)| {
        let mut leaf = leaf_of(OLD, 10);
        change(&mut leaf);
        Slot::Holds(leaf)
    };
    for (serving, flaw) in [
        (Slot::Empty, Flaw::Lost),
        (Slot::Broken(Flaw::Unreadable), Flaw::Unreadable),
        (with(|leaf| leaf.flaw = Some(Flaw::WrongKey)), Flaw::WrongKey),
        (with(|leaf| leaf.flaw = Some(Flaw::WrongNames)), Flaw::WrongNames),
        (with(|leaf| leaf.signer = None), Flaw::Foreign),
        (with(|leaf| leaf.validity.to = NOW - 1), Flaw::Expired),
        (with(|leaf| leaf.validity.from = NOW + 1), Flaw::NotYetValid),
    ] {
        let seen = Snapshot { serving: serving.clone(), ..idle() };
        assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Why::Flawed(flaw)), "{serving:?}");
        // In the first wait of a rotation the former CA signs.
        let seen = Snapshot { serving: serving.clone(), ..rotating() };
        assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Why::Flawed(flaw)), "{serving:?}");
    }
}

#[test]
fn a_request_is_answered_once() {
    let asked = Snapshot { request: Some(Request::Leaf), ..idle() };
    let renew = RotationRecord { renew: Some(LEAF), ..RotationRecord::default() };
    assert_eq!(does(&asked).1, Action::Remember(renew, true), "which leaf is meant, and the request is gone");
    let mut seen = Snapshot { marks: renew, ..idle() };
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Why::Requested));
    seen.serving = Slot::Holds(Leaf { id: OTHER, ..leaf_of(OLD, 0) });
    assert_eq!(does(&seen).1, Action::Remember(RotationRecord::default(), false));
    let unknown = Snapshot { request: Some(Request::Unknown), ..idle() };
    assert_eq!(does(&unknown).1, Action::Remember(RotationRecord::default(), true));
    let litter = Snapshot { litter: true, ..idle() };
    assert_eq!(does(&litter).1, Action::Remember(RotationRecord::default(), false));
}

#[test]
fn a_rotation_that_never_ended_does_not_keep_its_ca_from_being_replaced() {
    let mut seen = proving(Some(vec![serving(&[])]));
    seen.current = Slot::Empty;
    seen.next = Slot::Holds(ca_of(NEW, 5840));
    assert_eq!(does(&seen).1, Action::Settle(Place::Next, Why::Due));
    (seen.current, seen.next) = (seen.next, Slot::Empty);
    assert_eq!(does(&seen).1, Action::MakeCa(Place::Next, Why::Due));
}

#[test]
fn terms_that_leave_no_time_for_a_rotation_are_refused() {
    assert!(TERMS.check().is_ok());
    assert!(Lifetimes { ca: 40, leaf: 20, propagation: 3 }.check().is_ok());
    for bad in [
        Lifetimes { ca: 30, leaf: 20, propagation: 1 },
        Lifetimes { ca: 40, leaf: 20, propagation: 4 },
        Lifetimes { ca: 5, leaf: 1, propagation: 0 },
        Lifetimes { ca: 200_000 * HOUR, ..TERMS },
        Lifetimes { leaf: 0, ..TERMS },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
}
