//! That a step of the simulation is the executor's: a state of the simulated world is put onto a scripted
//! API server and a scripted Argo CD, the executor does there what the step does, with the same going
//! wrong at the one it calls, and what is left is compared.

#![expect(clippy::large_futures, reason = "a test's stack is large enough")]

mod names;
mod peers;

use super::super::action::Action;
use super::super::action::NextStep;
use super::super::argocd_probe::{CredentialMemory, held};
use super::super::execute::{CREDENTIAL_ENTRY, LOGIN_ENTRY};
use super::super::logins::LoginRecord;
use super::super::plan::plan;
use super::super::record::CredentialRecord;
use super::super::scripted::Scene;
use super::super::snapshot::Snapshot;
use super::super::source;
use super::model::{Held, World};
use super::steps::Fault;
use super::*;
use crate::controller::scripted::bounded;
use crate::controller::state::StateSecret;
use crate::core::token::Claims;
use crate::time::Seconds;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use names::Names;
use peers::{Peers, Way, set};
use secrecy::ExposeSecret;
use std::collections::BTreeSet;

/// What an action leaves behind, in the terms of the simulation.
#[derive(Debug, PartialEq)]
struct Left {
    /// The id in the Secret; zero where there is something that is none.
    held: Option<u64>,
    /// The ids of Argo CD's keys, and of those that it will have.
    tokens: Vec<u64>,
    stalled: Vec<u64>,
    record: CredentialRecord,
    logins: LoginRecord,
    /// How many logins Argo CD has refused.
    refused: usize,
    session: bool,
    fresh: Option<(u64, Seconds)>,
    discarded: Vec<u64>,
}

impl Left {
    /// What the simulation's own step left.
    fn of(world: &World) -> Self {
        let memory = &world.memories[0];
        Self {
            held: match world.held {
                Held::Nothing => None,
                Held::Rubbish => Some(0),
                Held::Key { id, .. } => Some(id),
            },
            tokens: world.tokens.iter().map(|token| token.id).collect(),
            stalled: world.stalled.iter().map(|token| token.id).collect(),
            record: world.record.clone(),
            logins: world.logins.clone(),
            refused: world.refused_logins,
            session: memory.session,
            fresh: memory.fresh.as_ref().map(|(token, since)| (token.id, *since)),
            discarded: memory.discarded.clone(),
        }
    }

    /// What the executor left, which began at this world.
    fn behind(world: &World, scene: &Scene, peers: &Peers, names: &Names) -> Self {
        let stored = scene.stored();
        let stored = stored.as_str().map(|text| STANDARD.decode(text).unwrap()).filter(|bytes| !bytes.is_empty());
        let id = |token: &[u8]| Claims::read(token).map_or(0, |claims| names.id(&claims.id.unwrap()));
        let entry = |name| Some(scene.remembered(name)).filter(|entry| !entry.is_null());
        let record = entry(CREDENTIAL_ENTRY).map(|entry| serde_json::from_value(entry).unwrap()).unwrap_or_default();
        let stalled = peers.stalled.lock().unwrap();
        let earlier = world.stalled.iter().map(|token| token.id);
        let fresh = scene.memory.fresh.as_ref().map(|fresh| {
            assert_eq!(id(fresh.token.expose_secret().as_bytes()), names.id(&fresh.id), "the token is the key's");
            (names.id(&fresh.id), fresh.since)
        });
        assert_eq!(scene.memory.succeeded, None, "nothing is left to be written of a login");
        Self {
            held: stored.map(|bytes| id(&bytes)),
            tokens: scene.argocd.keys().iter().map(|name| names.id(name)).collect(),
            stalled: earlier.chain(stalled.iter().map(|name| names.id(name))).collect(),
            record: names.simulated(&record),
            logins: names.simulated_logins(entry(LOGIN_ENTRY)),
            refused: world.refused_logins + *peers.refused.lock().unwrap(),
            session: scene.memory.session.is_some(),
            fresh,
            discarded: scene.memory.discarded().map(|name| names.id(name)).collect(),
        }
    }
}

/// The executor does there what the simulation does here, and leaves the same.
async fn compare(world: &World, seen: &Snapshot, action: &Action, fault: Fault) {
    for way in Way::of(world, action, fault) {
        let mut after = world.clone();
        after.act(0, seen, action.clone(), fault);
        let (mut scene, mut names) = set(world).await;
        let state = StateSecret::open(&scene.context).await.unwrap();
        names.learn(&state);
        let state = names.put(&scene.context, state).await;
        let sources = source::read(&scene.context).await.unwrap();
        let token = held(&sources.key, Some(names.username()), world.now).ok().map(|held| held.token);
        let (seen, action) = (names.real_snapshot(seen), names.real_action(action));
        let (peers, _nobody) = Peers::script(world, &mut scene, &action, fault, way).await;
        let killed = bounded(async {
            tokio::select! {
                biased;
                () = peers.killed.notified() => true,
                _ = scene.carry_out(state, &sources, (&seen, token.as_ref()), world.now, action.clone()) => false,
            }
        })
        .await;
        assert_eq!(killed, peers.kill, "the process ends where it is to end: {action:?}, {fault:?}");
        if killed {
            scene.memory = CredentialMemory::default();
        }
        let left = Left::behind(world, &scene, &peers, &names);
        assert_eq!(left, Left::of(&after), "{action:?}, {fault:?}, {way:?} in {world:?}");
    }
}

/// What the plan wants in this world, with the world as it was looked at.
fn wanted(mut world: World) -> Option<(World, Snapshot, Action)> {
    let seen = world.observe(0);
    let NextStep::Execute(action) = plan(&seen, TERMS, world.now).next else { return None };
    Some((world, seen, action))
}

/// Whatever it wants while this happens, and on the way to rest after it.
fn all_wanted(happenings: &[Happening]) -> Vec<(World, Snapshot, Action)> {
    let mut world = World::new();
    let mut all = Vec::new();
    for happening in happenings {
        all.extend(wanted(world.clone()));
        world.happen(happening).unwrap();
    }
    world.leader = 0;
    for _ in 0..20 {
        all.extend(wanted(world.clone()));
        if !world.step(0) {
            break;
        }
    }
    // Those that come last are of the worlds with most in them.
    all.reverse();
    all
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Login => "login",
        Action::Mint(_) => "mint",
        Action::Store(_) => "store",
        Action::Discard => "discard",
        Action::Retire(..) => "retire",
        Action::Remember(_) => "remember",
        // Those are of token mode, which the simulation hasn't.
        Action::Copy | Action::Clear => "",
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Each action once for each thing that can go wrong. Says which actions there were.
fn prove(wanted: &[(World, Snapshot, Action)]) -> BTreeSet<&'static str> {
    let mut seen_actions = BTreeSet::new();
    for (world, seen, action) in wanted {
        if seen_actions.insert(name(action)) {
            for fault in Fault::ALL {
                runtime().block_on(Box::pin(compare(world, seen, action, fault)));
            }
        }
    }
    seen_actions
}

#[test]
fn each_action_of_the_simulation_is_the_executors_whatever_goes_wrong() {
    use Happening::{Away, Broken, Fault as Fails, ForeignKey, Revoke, Rubbish, Steps, Time, User, WrongPassword};
    let histories: [&[Happening]; 10] = [
        // From nothing to a key that is remembered.
        &[],
        // A fresh key that somebody else's key makes needless.
        &[Steps(0, 2), ForeignKey],
        // One that Argo CD forgot, and one that it may have made.
        &[Steps(0, 1), Fails(0, Fault::Forgotten), Steps(0, 1), Time(11)],
        &[Steps(0, 1), Fails(0, Fault::Done), Steps(0, 9)],
        // One in place of rubbish, of which the one before is retired in the end.
        &[Steps(0, 9), Time(200), Rubbish, Steps(0, 9), Time(200)],
        // Vanished ones, and a name and passwords that Argo CD doesn't know.
        &[Steps(0, 9), Revoke],
        &[WrongPassword(1), Steps(0, 2), User(1)],
        // A session of a user whom the settings no longer name.
        &[Steps(0, 1), User(1), Steps(0, 1), Time(16)],
        // An Argo CD that isn't there, and one that is broken.
        &[Away(true)],
        &[Broken(true)],
    ];
    let mut seen = BTreeSet::new();
    for history in histories {
        seen.extend(prove(&all_wanted(history)));
    }
    assert_eq!(seen, ["discard", "login", "mint", "remember", "retire", "store"].into());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn and_in_any_state_that_the_simulation_gets_into(happenings in prop::collection::vec(happening(), 0..40)) {
        prove(&all_wanted(&happenings));
    }
}
