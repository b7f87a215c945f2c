//! A simulated cluster that carries the plan out one write at a time, while everything around it
//! happens at the worst moment.

mod model;
mod proven;

use super::snapshot::{Ca, Leaf, Request, RotationRecord, Slot};
use crate::pki::{BACKDATED, Flaw, Id, Validity};
use crate::time::Seconds;
use model::{Cluster, Happening, Late, START, TERMS};
use proptest::prelude::*;

fn settled(pods: usize) -> Cluster {
    let mut cluster = Cluster::empty(pods);
    cluster.settle().unwrap();
    // Past what counts as the bootstrap.
    cluster.advance(2 * TERMS.propagation);
    cluster
}

#[test]
fn the_first_of_each_is_written_without_waiting() {
    let mut cluster = Cluster::empty(0);
    while cluster.pass().1 {}
    assert!(cluster.is_settled());
    assert_eq!((cluster.now, cluster.writes), (START, 3), "a CA, a bundle, a leaf, at once");
}

fn happening(damage: bool) -> impl Strategy<Value = Happening> {
    let time = (0..40_i64, 0..4_usize).prop_map(|(time, writes)| Happening::Time(time, writes));
    prop_oneof![
        8 => time,
        3 => (0..3_usize).prop_map(Happening::Learn),
        4 => (0..3_usize, 0..3_usize).prop_map(|(pod, back)| Happening::Read(pod, back)),
        2 => (0..3_usize, 0..3_usize).prop_map(|(pod, back)| Happening::Restart(pod, back)),
        1 => (0..4_usize).prop_map(Happening::Scale),
        1 => prop_oneof![Just(Request::Ca), Just(Request::Leaf), Just(Request::Unknown)].prop_map(Happening::Ask),
        u32::from(damage) => (0..14_u8).prop_map(Happening::Damage),
    ]
}

/// A state that nobody would come up with.
fn any_state() -> impl Strategy<Value = Cluster> {
    let slot = || (0..5_u8, -12_000..2_000_i64, any::<bool>());
    let record = (0..4_usize, -500..500_i64, 0..4_usize, -500..500_i64, 0..3_usize);
    let held = proptest::collection::vec((0..5_usize, -12_000..2_000_i64), 0..4);
    (slot(), slot(), (0..6_u8, -6_000..500_i64), held, record, 0..4_u8, 0..3_usize).prop_map(
        |(current, next, (serving, age), held, record, request, pods)| {
            let mut cluster = Cluster::empty(pods);
            let mut ca = |(kind, age, flaw): (u8, Seconds, bool)| match kind {
                0 => Slot::Empty,
                1 => Slot::Broken(Flaw::Unreadable),
                _ => {
                    let made = cluster.new_ca();
                    let validity = Validity { from: made.validity.from + age, to: made.validity.to + age };
                    Slot::Holds(Ca { validity, flaw: flaw.then_some(Flaw::NoKey), ..made })
                }
            };
            let (current, next) = (ca(current), ca(next));
            let mut ids: Vec<(Id, Validity)> =
                [&current, &next].into_iter().filter_map(Slot::held).map(|ca| (ca.id, ca.validity)).collect();
            for _ in 0..3 {
                let foreign = cluster.new_ca();
                ids.push((foreign.id, foreign.validity));
            }
            let mut bundle: Vec<(Id, Validity)> = Vec::new();
            for (place, age) in held {
                // One id is one certificate: what is known keeps its validity.
                let place = place % ids.len();
                let (id, validity) = ids[place];
                let known = place < ids.len() - 3;
                let shift = if known { 0 } else { age };
                if bundle.iter().all(|(there, _)| *there != id) {
                    bundle.push((id, Validity { from: validity.from + shift, to: validity.to + shift }));
                }
            }
            let leaf = Leaf {
                id: cluster.id(),
                validity: Validity { from: START - BACKDATED + age, to: START + TERMS.leaf + age },
                signer: ids.get(usize::from(serving)).map(|(id, _)| *id),
                flaw: (age % 5 == 0).then_some(Flaw::WrongNames),
            };
            let serving = match serving {
                0 => Slot::Empty,
                1 => Slot::Broken(Flaw::Unreadable),
                _ => Slot::Holds(leaf),
            };
            cluster.serving = Late::new(serving);
            cluster.bundle = Late::new(bundle);
            let (trusted, trusted_at, served, served_at, renew) = record;
            let mark = |place: usize, at: Seconds| ids.get(place).map(|(id, _)| (*id, START + at));
            cluster.record = RotationRecord {
                trusted: mark(trusted, trusted_at),
                served: mark(served, served_at),
                renew: (renew == 0).then_some(leaf.id),
            };
            let requests = [None, Some(Request::Ca), Some(Request::Leaf), Some(Request::Unknown)];
            cluster.request = requests[usize::from(request)];
            Cluster { current, next, ..cluster }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn every_api_server_can_call_every_pod_at_every_instant(
        happenings in proptest::collection::vec(happening(false), 0..150),
    ) {
        let mut cluster = settled(2);
        for what in &happenings {
            cluster.happen(what)?;
        }
        cluster.settle()?;
        cluster.check()?;
    }

    #[test]
    fn and_while_secrets_are_lost_or_damaged(happenings in proptest::collection::vec(happening(true), 0..150)) {
        let mut cluster = settled(2);
        for what in &happenings {
            cluster.happen(what)?;
        }
        cluster.settle()?;
        cluster.check()?;
    }

    #[test]
    fn it_comes_to_rest_from_any_state(mut cluster in any_state()) {
        let writes = cluster.settle()?;
        prop_assert!(writes < 30, "{writes} writes");
        cluster.advance(TERMS.propagation);
        cluster.check()?;
    }
}

#[test]
fn years_pass_without_anybody_looking() {
    let mut cluster = settled(3);
    let first = cluster.current.held().unwrap().id;
    for turn in 0..4000 {
        cluster.advance(25);
        cluster.pass();
        cluster.read(turn % 3, 0, turn % 17 == 0);
        cluster.check().unwrap();
    }
    assert_ne!(cluster.current.held().unwrap().id, first);
}

#[test]
fn a_pod_that_cannot_be_reached_holds_the_old_ca_and_nothing_else() {
    let mut cluster = settled(2);
    cluster.request = Some(Request::Ca);
    let stuck = cluster.pods[1].leaf;
    for _ in 0..40 {
        cluster.advance(30);
        cluster.pass();
        cluster.read(0, 0, false);
        cluster.check().unwrap();
    }
    assert_eq!(cluster.bundle.now().len(), 2);
    assert_eq!(cluster.pods[1].leaf, stuck);
    cluster.pods.pop();
    cluster.settle().unwrap();
    assert_eq!(cluster.bundle.now().len(), 1);
}

/// A CA that came and went within a rotation: pods may have its leaf, though every one had been seen
/// with the target's before.
#[test]
fn what_was_seen_before_a_leaf_of_another_ca_does_not_count() {
    use Happening::{Damage, Learn, Read, Restart, Time};
    let mut cluster = settled(1);
    // A foreign CA takes over, and every pod is seen with its leaf.
    let before = [Damage(3), Time(0, 2), Time(61, 1), Read(0, 0), Time(0, 1)];
    // Another one comes as next, signs, and is gone.
    let between = [Damage(7), Time(0, 2), Time(61, 1), Damage(4), Time(0, 1), Time(61, 2)];
    for what in before.iter().chain(&between).chain(&[Learn(0), Restart(0, 1)]) {
        cluster.happen(what).unwrap();
    }
    cluster.settle().unwrap();
    cluster.check().unwrap();
}
