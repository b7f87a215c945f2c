//! A simulated Argo CD and cluster in which the plan is carried out one step at a time, while
//! everything around it happens at the worst moment.

mod model;
mod proven;
mod steps;

use super::snapshot::Key;
use model::{Happening, TERMS, WAIT, World};
use proptest::prelude::*;
use steps::Fault;

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        12 => (0..2_usize, 1..6_usize).prop_map(|(who, steps)| Happening::Steps(who, steps)),
        6 => (0..2_usize, prop::sample::select(&Fault::ALL[..])).prop_map(|(who, fault)| Happening::Fault(who, fault)),
        4 => (1..400_i64).prop_map(Happening::Time),
        3 => (0..2_usize).prop_map(Happening::Kill),
        1 => Just(Happening::LoseState),
        2 => Just(Happening::Empty),
        1 => Just(Happening::Rubbish),
        2 => Just(Happening::ForeignKey),
        2 => Just(Happening::Revoke),
        2 => any::<bool>().prop_map(Happening::Password),
        1 => Just(Happening::UpdatePassword),
        1 => Just(Happening::OldPassword),
        3 => (0..9_u32).prop_map(Happening::WrongPassword),
        1 => (0..3_u32).prop_map(Happening::User),
        1 => any::<bool>().prop_map(Happening::Capability),
        1 => any::<bool>().prop_map(Happening::Enabled),
        2 => any::<bool>().prop_map(Happening::Broken),
        2 => any::<bool>().prop_map(Happening::Away),
        1 => any::<bool>().prop_map(Happening::Stale),
        1 => Just(Happening::StalledCreates),
    ]
}

#[test]
fn from_nothing_to_a_key_takes_five_steps_and_no_time() {
    let mut world = World::new();
    let start = world.now;
    let steps = (1..20).find(|_| !world.step(0)).unwrap();
    assert!(world.held_works());
    assert!(steps <= 6, "login, mint, store, remember: {steps}");
    assert!(world.now - start <= 1);
}

#[test]
fn a_hundred_rotations_leave_at_most_three_keys_of_ours() {
    let mut world = World::new();
    world.settle().unwrap();
    for turn in 0..100 {
        if turn % 2 == 0 {
            world.happen(&Happening::Revoke).unwrap();
        } else {
            world.happen(&Happening::Empty).unwrap();
        }
        for _ in 0..40 {
            if !world.step(0) {
                world.advance(1);
            }
            world.check().unwrap();
        }
        // Two losses within an hour would be another matter.
        world.advance(3600);
        assert!(world.held_works(), "turn {turn}");
        assert!(world.ours() <= 3, "turn {turn}: {}", world.ours());
    }
    assert_eq!(world.foreign_lost, 0);
}

#[test]
fn a_server_that_refuses_good_keys_makes_nobody_mint() {
    let mut world = World::new();
    world.settle().unwrap();
    let (held, minted) = (world.held_id(), world.minted);
    world.happen(&Happening::Broken(true)).unwrap();
    for _ in 0..200 {
        world.step(0);
        world.advance(7);
    }
    assert_eq!(world.minted, minted);
    world.happen(&Happening::Broken(false)).unwrap();
    world.settle().unwrap();
    assert_eq!((world.held_id(), world.minted), (held, minted), "the old key is still there and works");
}

#[test]
fn a_wrong_password_is_tried_once_in_a_wait_however_often_the_process_ends() {
    let mut world = World::new();
    world.happen(&Happening::Password(false)).unwrap();
    for _ in 0..1000 {
        world.step(0);
        world.happen(&Happening::Kill(0)).unwrap();
        world.advance(1);
    }
    let most = 1000 / WAIT + 1;
    assert!(i64::try_from(world.refused_logins).unwrap() <= most, "{} in 1000 s", world.refused_logins);
    world.happen(&Happening::UpdatePassword).unwrap();
    while world.step(0) {}
    assert!(world.held_works(), "another password is tried at once");
}

#[test]
fn three_wrong_passwords_are_enough_and_then_the_right_one_waits() {
    let mut world = World::new();
    for wrong in 0..12 {
        world.happen(&Happening::WrongPassword(wrong)).unwrap();
        world.happen(&Happening::Steps(0, 4)).unwrap();
        world.advance(2);
    }
    assert_eq!(world.refused_logins, 3);
    world.happen(&Happening::UpdatePassword).unwrap();
    assert!(!world.step(0), "not even the right one");
    world.advance(WAIT);
    while world.step(0) {}
    assert!(world.held_works());
}

#[test]
fn an_answer_that_somebody_rewrote_is_no_reason_to_go_on_trying() {
    let mut world = World::new();
    world.happen(&Happening::WrongPassword(1)).unwrap();
    for _ in 0..300 {
        world.happen(&Happening::Fault(0, Fault::Rewritten)).unwrap();
        world.happen(&Happening::Steps(0, 1)).unwrap();
        world.advance(1);
    }
    assert_eq!(world.refused_logins, 2);
}

#[test]
fn keys_that_vanish_are_made_ever_less_often() {
    let mut world = World::new();
    world.settle().unwrap();
    let before = world.minted;
    for _ in 0..3600 {
        world.happen(&Happening::Revoke).unwrap();
        while world.step(0) {}
        world.advance(1);
        world.check().unwrap();
    }
    let made = world.minted - before;
    assert!((4..=6).contains(&made), "{made} keys in an hour");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_rule_is_broken_and_all_comes_right(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut world = World::new();
        for happening in &happenings {
            world.happen(happening)?;
            world.check()?;
        }
        world.mend();
        world.settle()?;
        let key = world.observe(0).key;
        let works = matches!(key, Key::Works { .. });
        prop_assert!(works);
        prop_assert_eq!(world.foreign_lost, 0);
        world.advance(TERMS.follow_after + 1);
        world.settle()?;
        prop_assert!(world.ours() <= 1, "{} keys of ours are left: {:?}", world.ours(), world);
    }
}
