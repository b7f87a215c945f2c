//! That a step of the simulation is the executor's: a state of the simulated cluster is put onto a scripted
//! API server, with certificates in it that are what the simulation says of them, the executor does there
//! what the step does, and what is left is compared.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

mod real;

use super::super::action::{Action, NextStep, Place, Reason};
use super::*;
use crate::controller::scripted::bounded;
use real::Real;
use std::collections::BTreeSet;

/// The executor does there what the simulation does here, and leaves the same.
async fn compare(cluster: &Cluster, action: &Action) {
    let mut real = Real::of(cluster);
    let begun = real.seen().await;
    assert_eq!(begun, (cluster.snapshot(false), cluster.record), "the same to begin with: {cluster:?}");
    let mut after = cluster.clone();
    after.act(action.clone());
    let result = bounded(real.carry_out(cluster.now, action)).await;
    assert!(result.is_ok(), "{result:?}: {action:?} in {cluster:?}");
    assert_eq!(real.seen().await, (after.snapshot(false), after.record), "{action:?} in {cluster:?}");
}

/// Whatever could be done in this state, wanted or not.
fn possible(cluster: &Cluster) -> Vec<Action> {
    let signs = |slot: &Slot<Ca>| slot.held().is_some_and(|ca| ca.flaw.is_none() && ca.validity.holds(cluster.now));
    let mut known: Vec<Id> = Vec::new();
    for id in cluster.known() {
        if !known.contains(&id) {
            known.push(id);
        }
    }
    let mut actions = vec![
        Action::MakeCa(Place::Current, Reason::Absent),
        Action::MakeCa(Place::Next, Reason::Due),
        Action::Promote(Place::Current, Reason::Rotation),
        Action::Remember(RotationRecord::default(), true),
        Action::Remember(RotationRecord { trusted: cluster.record.served, ..cluster.record }, false),
    ];
    for (place, slot) in [(Place::Current, &cluster.current), (Place::Next, &cluster.next)] {
        if signs(slot) {
            actions.push(Action::MakeLeaf(place, Reason::Due));
        }
    }
    if signs(&cluster.next) {
        actions.push(Action::Promote(Place::Next, Reason::Rotation));
    }
    if let Some(first) = known.first() {
        actions.push(Action::WriteBundle(vec![*first], false));
        actions.push(Action::WriteBundle(known.iter().rev().copied().collect(), true));
        actions.push(Action::WriteBundle(known, false));
    }
    actions
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::MakeCa(Place::Current, _) => "first CA",
        Action::MakeCa(Place::Next, _) => "next CA",
        Action::MakeLeaf(Place::Current, _) => "leaf of the CA",
        Action::MakeLeaf(Place::Next, _) => "leaf of the next CA",
        Action::WriteBundle(..) => "bundle",
        Action::Promote(Place::Current, _) => "drop the next CA",
        Action::Promote(Place::Next, _) => "the next CA takes over",
        Action::Remember(..) => "remember",
    }
}

fn prove(cluster: &Cluster, action: &Action) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Box::pin(compare(cluster, action)));
}

/// Every write that is wanted until nothing changes any more. Says which there were.
fn wanted(cluster: &mut Cluster) -> BTreeSet<&'static str> {
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        while let NextStep::Execute(action) = cluster.planned().next {
            prove(cluster, &action);
            seen.insert(name(&action));
            cluster.pass();
        }
        (0..cluster.pods.len()).for_each(|pod| cluster.read(pod, 0, false));
        cluster.advance(TERMS.propagation / 3);
    }
    seen
}

#[test]
fn each_write_of_the_simulation_is_the_executors() {
    let mut cluster = Cluster::empty(2);
    let mut seen = wanted(&mut cluster);
    for what in [
        // Rotations: asked for, after a loss, and one whose CA is of no use; and a leaf of its own.
        Happening::Ask(Request::Ca),
        Happening::Ask(Request::Leaf),
        Happening::Ask(Request::Unknown),
        Happening::Damage(0),
        Happening::Damage(5),
        Happening::Damage(9),
        Happening::Damage(13),
    ] {
        cluster.happen(&what).unwrap();
        seen.extend(wanted(&mut cluster));
    }
    let all = [
        "bundle",
        "drop the next CA",
        "first CA",
        "leaf of the CA",
        "leaf of the next CA",
        "next CA",
        "remember",
        "the next CA takes over",
    ];
    assert_eq!(seen, all.into());
}

#[test]
fn so_is_each_that_could_be_made_while_a_request_waits_a_ca_takes_over_or_is_near_its_end() {
    let prove_all = |cluster: &Cluster| possible(cluster).iter().for_each(|action| prove(cluster, action));
    let mut cluster = settled(2);
    cluster.happen(&Happening::Ask(Request::Leaf)).unwrap();
    prove_all(&cluster);
    cluster.pass();
    assert!(cluster.request.is_none() && cluster.record.renew.is_some(), "it is remembered which leaf was meant");
    prove_all(&cluster);
    let mut late = cluster.clone();
    late.advance(TERMS.ca - TERMS.leaf / 2);
    prove_all(&late);
    cluster.happen(&Happening::Damage(7)).unwrap();
    assert!(cluster.current.held().is_some() && cluster.next.held().is_some());
    prove_all(&cluster);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn and_in_any_state_that_the_simulation_gets_into(happenings in proptest::collection::vec(happening(true), 0..60)) {
        let mut cluster = settled(2);
        for what in &happenings {
            cluster.happen(what)?;
        }
        for action in possible(&cluster) {
            prove(&cluster, &action);
        }
        if let NextStep::Execute(action) = cluster.planned().next {
            prove(&cluster, &action);
        }
    }

    #[test]
    fn and_in_states_that_nobody_would_come_up_with(cluster in any_state()) {
        // A leaf of before its CA is nobody's to those who verify it.
        let orphan = cluster.serving.now().held().is_some_and(|leaf| !real::could_sign(&cluster, leaf));
        prop_assume!(!orphan);
        for action in possible(&cluster) {
            prove(&cluster, &action);
        }
    }
}
