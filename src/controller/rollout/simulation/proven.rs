//! That an act of the simulation is the executor's: the namespace that lives is put onto a scripted API
//! server, the executor does there what the simulation does, and what is left is compared.

use super::super::RESTARTED_AT;
use super::super::action::{Action, RemovalMethod};
use super::super::execute::{Executed, carry_out};
use super::super::persisted::ROLLOUT_ENTRY;
use super::super::record::RolloutRecord;
use super::super::scripted::{path, pod, workload};
use super::super::snapshot::Found;
use super::super::workloads::Workloads;
use super::world::id;
use super::*;
use crate::cluster::scripted::{Answer, ApiServer, Call, NAMESPACE};

use crate::controller::scripted::{bounded, context};
use crate::controller::state::StateSecret;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::Notify;

/// What an act leaves behind, in the terms of the simulation.
#[derive(Debug, PartialEq)]
struct Left {
    /// The uids of the pods.
    pods: BTreeSet<String>,
    /// The uid of each pod that was taken, and whether by an eviction.
    taken: Vec<(String, bool)>,
    /// Of each workload, what a restart left in it, and whether its template is another one.
    restarted: Vec<(Option<String>, bool)>,
    record: RolloutRecord,
}

impl Left {
    /// What the simulation's own act left, which began at this world.
    fn of(before: &World, after: &World) -> Self {
        let uids = |world: &World| world.pods.iter().map(|pod| pod.uid.clone()).collect::<BTreeSet<_>>();
        let evicted = |world: &World| world.lives.iter().map(|life| life.taken.len()).sum::<usize>();
        let gone = uids(before).difference(&uids(after)).cloned().collect::<Vec<_>>();
        let lives = before.lives.iter().zip(&after.lives);
        Self {
            pods: uids(after),
            taken: gone.into_iter().map(|uid| (uid, evicted(after) > evicted(before))).collect(),
            restarted: lives.map(|(was, is)| (is.restarted.clone(), is.revision != was.revision)).collect(),
            record: after.seen.record.clone(),
        }
    }
}

/// The pod that a call takes away, by the uid that it names, and whether it evicts it.
fn taken(call: &Call) -> Option<(String, bool)> {
    let (options, evicts) = match call.method.as_str() {
        "POST" if call.path.ends_with("/eviction") => (&call.body["deleteOptions"], true),
        "DELETE" => (&call.body, false),
        _ => return None,
    };
    let uid = options["preconditions"]["uid"].as_str().expect("no pod goes by its name alone");
    Some((uid.to_owned(), evicts))
}

struct Cluster {
    server: ApiServer,
    /// The workloads as they were.
    before: Vec<Value>,
}

impl Cluster {
    fn of(world: &World) -> Self {
        let server = ApiServer::default();
        for living in &world.pods {
            server.put(&pod(&living.name()), json!({ "metadata": { "uid": living.uid } }));
        }
        let places = 0..WORKLOADS.len();
        for place in places.clone() {
            let (path, restarted) = (path(&id(place)), &world.lives[place].restarted);
            server.put(&path, workload(WORKLOADS[place].kind));
            let annotations = json!({ RESTARTED_AT: restarted });
            server.merge(&path, &json!({ "spec": { "template": { "metadata": { "annotations": annotations } } } }));
        }
        let before = places.map(|place| server.get(&path(&id(place)))).collect();
        Self { server, before }
    }

    /// What is left there; `taken` are the calls that took pods.
    async fn left(&self, world: &World, record: RolloutRecord, calls: &[Call]) -> Left {
        let client = self.server.client();
        let workloads = Workloads { client: &client, namespace: NAMESPACE };
        let mut restarted = Vec::new();
        for (place, before) in self.before.iter().enumerate() {
            let Ok((Found::There(found), _)) = workloads.workload(&id(place)).await else { panic!("it is there") };
            let template = &self.server.get(&path(&id(place)))["spec"]["template"];
            restarted.push((found.restarted, *template != before["spec"]["template"]));
        }
        let there = world.pods.iter().filter(|living| !self.server.get(&pod(&living.name())).is_null());
        Left {
            pods: there.map(|living| living.uid.clone()).collect(),
            taken: calls.iter().filter_map(taken).collect(),
            restarted,
            record,
        }
    }
}

/// The executor does there what the simulation does here, and leaves the same. Where it is `killed`, it
/// is between its two writes.
async fn compare(world: &World, action: &Action, record: &RolloutRecord, killed: bool) {
    let mut after = world.clone();
    after.act(action.clone(), record.clone(), killed).unwrap();
    let cluster = Cluster::of(world);
    let (context, _lease) = context(&cluster.server, "");
    let mut state = StateSecret::open(&context).await.unwrap();
    state.put(&context, ROLLOUT_ENTRY, Some(&world.seen.record)).await.unwrap();
    let wake = Arc::new(Notify::new());
    let rings = Arc::clone(&wake);
    cluster.server.script(move |call, _| {
        let acts = call.method != "GET" && !call.path.ends_with("/rel-state");
        (killed && acts).then(|| {
            rings.notify_one();
            Answer::Never
        })
    });
    cluster.server.calls();
    let result = bounded(async {
        tokio::select! {
            biased;
            () = wake.notified() => None,
            result = carry_out(&context, &mut state, action, record) => Some(result),
        }
    })
    .await;
    let acts = *action != Action::Remember;
    let expected = if killed && acts { None } else { Some(Ok(Executed::Done)) };
    assert_eq!(result, expected, "{action:?} in {world:?}");
    cluster.server.script(|_, _| None);
    let calls = if killed { Vec::new() } else { cluster.server.calls() };
    let record = StateSecret::open(&context).await.unwrap().get(ROLLOUT_ENTRY).unwrap_or_default();
    let left = cluster.left(world, record, &calls).await;
    assert_eq!(left, Left::of(world, &after), "{action:?}, killed: {killed}, in {world:?}");
}

const fn name(action: &Action) -> &'static str {
    match action {
        Action::Replace { how: RemovalMethod::Evict, .. } => "evict",
        Action::Replace { how: RemovalMethod::Delete, .. } => "delete",
        Action::Restart { .. } => "restart",
        Action::Remember => "remember",
    }
}

/// Has the simulation go on to rest, and compares each act on the way. Says which there were.
fn prove(world: &mut World) -> BTreeSet<&'static str> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..30 {
        let mut looked = world.clone();
        if let Some((action, record)) = looked.wanted() {
            for killed in [false, true] {
                runtime.block_on(Box::pin(compare(&looked, &action, &record, killed)));
            }
            seen.insert(name(&action));
        }
        world.pass(false).unwrap();
        world.wait(40);
    }
    seen
}

#[test]
fn each_act_of_the_simulation_is_the_executors() {
    let mut world = World::new();
    let mut seen = prove(&mut world);
    world.happen(&Happening::Change(true)).unwrap();
    seen.extend(prove(&mut world));
    // New pods that never get ready, and others under other settings.
    for what in [Happening::Hang(true), Happening::Settings] {
        world.happen(&what).unwrap();
    }
    seen.extend(prove(&mut world));
    for what in [Happening::Hang(false), Happening::Settings] {
        world.happen(&what).unwrap();
    }
    seen.extend(prove(&mut world));
    assert_eq!(seen, ["delete", "evict", "remember", "restart"].into());
}

/// A restart that was written down and not made is made with the same value, and one that is there already
/// changes nothing.
#[test]
fn a_restart_that_was_cut_short_is_the_executors_too() {
    let mut world = World::new();
    assert!(world.settle().unwrap());
    world.happen(&Happening::Change(true)).unwrap();
    world.wait(61);
    let mut restarts = 0;
    for _ in 0..20 {
        let mut looked = world.clone();
        if let Some((action @ Action::Restart { .. }, record)) = looked.wanted() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(Box::pin(compare(&looked, &action, &record, false)));
            let mut done = looked.clone();
            done.act(action.clone(), record.clone(), false).unwrap();
            let mut again = looked.clone();
            again.lives.clone_from(&done.lives);
            again.seen.record.clone_from(&done.seen.record);
            runtime.block_on(Box::pin(compare(&again, &action, &record, false)));
            restarts += 1;
        }
        world.pass(restarts % 2 == 1).unwrap();
        world.wait(40);
    }
    assert!(restarts > 1, "{restarts}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn and_in_any_state_that_the_simulation_gets_into(happenings in proptest::collection::vec(happening(), 0..40)) {
        let mut world = World::new();
        for what in &happenings {
            world.happen(what)?;
        }
        prove(&mut world);
    }
}
