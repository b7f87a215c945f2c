//! The plan against a namespace that lives: pods come with or without what they need, values change,
//! vanish or are of no use, new pods don't get ready, the controller is killed between its two writes,
//! somebody takes annotations away. Whatever happens, the bounds hold, no ready pod goes towards a
//! successor that couldn't run as far as the snapshot showed it, and everything comes to rest.
//!
//! `SIMULATION_HISTORIES=100000 cargo test --lib rollout::simulation` tries so many histories.

mod proven;
mod world;

use proptest::prelude::*;
use world::{Happening, WORKLOADS, World};

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        4 => (1..400_i64).prop_map(Happening::Time),
        8 => (1..8_usize, any::<bool>()).prop_map(|(passes, killed)| Happening::Passes(passes, killed)),
        1 => any::<bool>().prop_map(Happening::Webhook),
        1 => any::<bool>().prop_map(Happening::Works),
        2 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Happening::Change),
        1 => any::<bool>().prop_map(Happening::Secret),
        1 => any::<bool>().prop_map(Happening::ConfigMap),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Happening::ArgoCd),
        1 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Happening::Looks),
        2 => any::<bool>().prop_map(Happening::Hang),
        1 => Just(Happening::Mend),
        2 => Just(Happening::Settings),
        2 => (0..WORKLOADS.len(), 0..3_usize).prop_map(|(workload, pod)| Happening::Lose(workload, pod)),
        1 => (0..WORKLOADS.len()).prop_map(Happening::Reapply),
    ]
}

fn histories() -> u32 {
    std::env::var("SIMULATION_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: histories(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_bounds_hold_and_all_come_in_step(
        happenings in proptest::collection::vec(happening(), 0..80),
    ) {
        let mut world = World::new();
        for what in &happenings {
            world.happen(what)?;
        }
        let reapplied = happenings.iter().any(|what| matches!(what, Happening::Reapply(_)));
        let settled = world.settle()?;
        // Where a restart was undone twice, the change before is left to a person.
        prop_assert!(settled || reapplied || world.restarts_cut_short >= 2, "{}", world.explain());
        let acts = world.acts();
        for _ in 0..50 {
            prop_assert!(!world.pass(false)?, "it goes on");
            world.wait(60);
        }
        prop_assert_eq!(acts, world.acts());
    }
}

#[test]
fn each_missed_pod_is_taken_away_once_and_a_change_restarts_each_workload_once() {
    let mut world = World::new();
    assert!(world.settle().unwrap());
    let pods: usize = WORKLOADS.iter().map(|workload| workload.replicas).sum();
    assert_eq!(world.acts(), (pods, 0));
    world.happen(&Happening::Change(true)).unwrap();
    assert!(world.settle().unwrap());
    // One of them doesn't roll by itself: its pods are taken one after the other.
    let by_hand: usize = WORKLOADS.iter().filter(|workload| !workload.rolls).map(|workload| workload.replicas).sum();
    assert_eq!(world.acts(), (pods + by_hand, WORKLOADS.iter().filter(|workload| workload.rolls).count()));
}

#[test]
fn settings_under_which_new_pods_hang_cost_one_pod_and_are_mended_by_others() {
    let mut world = World::new();
    assert!(world.settle().unwrap());
    let before = world.acts().0;
    world.happen(&Happening::Hang(true)).unwrap();
    world.happen(&Happening::Settings).unwrap();
    for _ in 0..200 {
        world.pass(false).unwrap();
        world.wait(60);
    }
    assert_eq!(world.acts().0, before + 1, "{}", world.explain());
    world.happen(&Happening::Hang(false)).unwrap();
    world.happen(&Happening::Settings).unwrap();
    assert!(world.settle().unwrap(), "{}", world.explain());
}

#[test]
fn a_value_that_is_of_no_use_or_gone_or_unknown_moves_nobody() {
    for what in [Happening::Change(false), Happening::Secret(false), Happening::ConfigMap(false)] {
        let mut world = World::new();
        assert!(world.settle().unwrap());
        let before = world.acts();
        world.happen(&what).unwrap();
        world.happen(&Happening::Settings).unwrap();
        for _ in 0..100 {
            assert!(!world.pass(false).unwrap(), "{what:?}");
            world.wait(60);
        }
        assert_eq!(world.acts(), before);
    }
}
