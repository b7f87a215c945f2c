//! Cases of the plan: a snapshot, and the one thing that follows.

use super::action::{Action, NextStep, Place, Plan, Reason, RotationStep};
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
        record: RotationRecord::default(),
        has_stale_annotations: false,
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
    let record = RotationRecord { trusted: Some((NEW, NOW - 100)), ..RotationRecord::default() };
    Snapshot { serving: Slot::Holds(leaf_of(NEW, 1)), record, endpoints, ..rotating() }
}

fn does(seen: &Snapshot) -> (RotationStep, Action) {
    match plan(seen, &TERMS, NOW) {
        Plan { step, next: NextStep::Execute(action), .. } => (step, action),
        other => panic!("does nothing: {other:?}"),
    }
}

fn waits(seen: &Snapshot) -> (RotationStep, NextStep) {
    let Plan { step, next, .. } = plan(seen, &TERMS, NOW);
    assert!(!matches!(next, NextStep::Execute(_)), "{next:?}");
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
    assert_eq!(does(&seen).1, Action::MakeCa(Place::Current, Reason::Absent));
    seen.current = Slot::Holds(ca_of(OLD, 0));
    assert_eq!(does(&seen).1, Action::WriteBundle(vec![OLD], false));
    seen.bundles = Some(vec![entry(&[OLD]), entry(&[OLD])]);
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Reason::Absent));
    // Without a webhook configuration there are no API servers to wait for.
    seen.bundles = None;
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Reason::Absent));
}

#[test]
fn nothing_is_done_until_the_leaf_is_due_at_two_thirds_or_a_little_before() {
    let (step, next) = waits(&idle());
    let NextStep::WaitUntil(until, false) = next else { panic!("{next:?}") };
    assert_eq!(step, RotationStep::Idle);
    let made = NOW - 10 * HOUR;
    let (earliest, latest) = (made + TERMS.leaf * 7 / 12, made + TERMS.leaf * 2 / 3);
    assert!((earliest..=latest).contains(&until), "{until} is not in {earliest}..={latest}");

    let due = Snapshot { serving: Slot::Holds(leaf_of(OLD, 1440)), ..idle() };
    assert_eq!(does(&due).1, Action::MakeLeaf(Place::Current, Reason::Due));
    let due = Snapshot { current: Slot::Holds(ca_of(OLD, 5840)), ..idle() };
    assert_eq!(does(&due).1, Action::MakeCa(Place::Next, Reason::Due));
}

#[test]
fn a_leaf_that_its_ca_cut_short_is_not_renewed_over_and_over() {
    let mut seen = idle();
    let short = Validity { from: NOW - HOUR - BACKDATED, to: NOW + 2 * HOUR };
    seen.serving = Slot::Holds(Leaf { validity: short, ..leaf_of(OLD, 0) });
    assert_eq!(waits(&seen).0, RotationStep::Idle);
}

#[test]
fn a_rotation_goes_step_by_step() {
    let asked = Snapshot { request: Some(Request::Ca), ..idle() };
    assert_eq!(does(&asked).1, Action::MakeCa(Place::Next, Reason::Requested));

    let both = Snapshot { bundles: idle().bundles, ..rotating() };
    assert_eq!(does(&both), (RotationStep::Trusting, Action::WriteBundle(vec![NEW, OLD], false)));

    let mut seen = rotating();
    let trusted = RotationRecord { trusted: Some((NEW, NOW)), ..RotationRecord::default() };
    assert_eq!(does(&seen), (RotationStep::Propagating, Action::Remember(trusted, false)));
    seen.record = trusted;
    assert_eq!(waits(&seen), (RotationStep::Propagating, NextStep::WaitUntil(NOW + 61, false)));
    seen.record.trusted = Some((NEW, NOW - 60));
    assert_eq!(waits(&seen), (RotationStep::Propagating, NextStep::WaitUntil(NOW + 1, false)));
    seen.record.trusted = Some((NEW, NOW - 61));
    assert_eq!(does(&seen), (RotationStep::Signing, Action::MakeLeaf(Place::Next, Reason::Rotation)));

    assert_eq!(waits(&proving(None)), (RotationStep::Proving, NextStep::ProbeEndpoints));
    let one_left = Some(vec![serving(&[NEW]), serving(&[OLD])]);
    assert_eq!(waits(&proving(one_left)), (RotationStep::Proving, NextStep::WaitUntil(Seconds::MAX, true)));
    let unreachable = Some(vec![serving(&[NEW]), serving(&[])]);
    assert_eq!(waits(&proving(unreachable)), (RotationStep::Proving, NextStep::WaitUntil(Seconds::MAX, true)));

    let mut seen = proving(Some(vec![serving(&[NEW]), serving(&[NEW])]));
    let served = RotationRecord { served: Some((NEW, NOW)), ..seen.record };
    assert_eq!(does(&seen), (RotationStep::Settling, Action::Remember(served, false)));
    seen.record = served;
    assert_eq!(waits(&seen), (RotationStep::Settling, NextStep::WaitUntil(NOW + 61, true)));
    seen.record.served = Some((NEW, NOW - 61));
    assert_eq!(does(&seen), (RotationStep::Dropping, Action::Promote(Place::Next, Reason::Rotation)));

    (seen.current, seen.next) = (Slot::Holds(ca_of(NEW, 0)), Slot::Empty);
    assert_eq!(does(&seen), (RotationStep::Dropping, Action::WriteBundle(vec![NEW], false)));
    seen.bundles = Some(vec![entry(&[NEW]), entry(&[NEW])]);
    assert_eq!(does(&seen), (RotationStep::Idle, Action::Remember(RotationRecord::default(), false)));
}

#[test]
fn a_pod_that_falls_back_restarts_the_last_wait() {
    let mut seen = proving(Some(vec![serving(&[NEW]), serving(&[OLD])]));
    let trusted = seen.record;
    seen.record.served = Some((NEW, NOW - 59));
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
    seen.record.trusted = Some((NEW, NOW - 59));
    assert_eq!(does(&seen).1, Action::Remember(RotationRecord::default(), false));
    seen.record = RotationRecord::default();
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
    assert_eq!(waits(&seen), (RotationStep::Proving, NextStep::ProbeEndpoints));
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
        assert_eq!(does(&seen).1, Action::MakeCa(Place::Next, Reason::Flawed(flaw)), "{current:?}");
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
        assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Reason::Flawed(flaw)), "{serving:?}");
        // In the first wait of a rotation the former CA signs.
        let seen = Snapshot { serving: serving.clone(), ..rotating() };
        assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Reason::Flawed(flaw)), "{serving:?}");
    }
}

#[test]
fn a_request_is_answered_once() {
    let asked = Snapshot { request: Some(Request::Leaf), ..idle() };
    let renew = RotationRecord { renew: Some(LEAF), ..RotationRecord::default() };
    assert_eq!(does(&asked).1, Action::Remember(renew, true), "which leaf is meant, and the request is gone");
    let mut seen = Snapshot { record: renew, ..idle() };
    assert_eq!(does(&seen).1, Action::MakeLeaf(Place::Current, Reason::Requested));
    seen.serving = Slot::Holds(Leaf { id: OTHER, ..leaf_of(OLD, 0) });
    assert_eq!(does(&seen).1, Action::Remember(RotationRecord::default(), false));
    let unknown = Snapshot { request: Some(Request::Unknown), ..idle() };
    assert_eq!(does(&unknown).1, Action::Remember(RotationRecord::default(), true));
    let has_stale_annotations = Snapshot { has_stale_annotations: true, ..idle() };
    assert_eq!(does(&has_stale_annotations).1, Action::Remember(RotationRecord::default(), false));
}

#[test]
fn a_rotation_that_never_ended_does_not_keep_its_ca_from_being_replaced() {
    let mut seen = proving(Some(vec![serving(&[])]));
    seen.current = Slot::Empty;
    seen.next = Slot::Holds(ca_of(NEW, 5840));
    assert_eq!(does(&seen).1, Action::Promote(Place::Next, Reason::Due));
    (seen.current, seen.next) = (seen.next, Slot::Empty);
    assert_eq!(does(&seen).1, Action::MakeCa(Place::Next, Reason::Due));
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
