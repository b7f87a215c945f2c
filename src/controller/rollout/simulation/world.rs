//! The namespace that lives, and what happens in it.

mod acts;

use super::super::action::{Action, NextStep, RemovalMethod};
use super::super::plan::plan;
use super::super::record::RolloutRecord;
use super::super::snapshot::{Found, Kind, PodView, RolloutProgress, Snapshot, Workload, WorkloadId};
use crate::controller::health::{Examined, Health, ValueId};
use crate::core::Outcome;
use crate::drift::{Drift, Held, History, Holder, Key, Need, Owner, PodFacts, PodVerdict, Readiness, judge};
use crate::time::Seconds;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const START: Seconds = 1_800_000_000;
const CACHE: Seconds = 60;
/// How long a new pod takes.
const STARTS: Seconds = 5;
const FRESH: Seconds = 900;
const SERVICE: &str = "app-proxy";

/// A workload.
pub(super) struct Shape {
    pub name: &'static str,
    pub kind: Kind,
    pub replicas: usize,
    /// Whether it replaces its pods by itself.
    pub rolls: bool,
    pub min_ready: Seconds,
}

pub(super) const WORKLOADS: [Shape; 3] = [
    Shape { name: "many", kind: Kind::Deployment, replicas: 3, rolls: true, min_ready: 0 },
    Shape { name: "single", kind: Kind::Deployment, replicas: 1, rolls: true, min_ready: 10 },
    Shape { name: "on-delete", kind: Kind::StatefulSet, replicas: 2, rolls: false, min_ready: 0 },
];

#[derive(Clone, Debug)]
pub(super) enum Happening {
    Time(Seconds),
    /// So many passes of the controller; the last one is killed between its writes, if `true`.
    Passes(usize, bool),
    Webhook(bool),
    /// Whether API servers inject what the proof said they would.
    Works(bool),
    /// Another value, of use or not.
    Change(bool),
    /// Whether the Secret is there.
    Secret(bool),
    /// Whether a `ConfigMap` is there that the templates require.
    ConfigMap(bool),
    /// Whether Argo CD can be asked.
    ArgoCd(bool),
    /// Whether the credential's part looks before each pass.
    Looks(bool),
    /// Whether pods that come from now on never get ready.
    Hang(bool),
    /// Those that hang get ready after all.
    Mend,
    Settings,
    /// A pod goes by itself.
    Lose(usize, usize),
    /// Something applies the manifest without our annotation.
    Reapply(usize),
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub uid: String,
    pub workload: usize,
    created: Seconds,
    /// The settings under which it was injected; `None` if it wasn't.
    carries: Option<usize>,
    revision: usize,
    hangs: bool,
    /// Since when it has been ready.
    ready: Option<Seconds>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub revision: usize,
    pub restarted: Option<String>,
    /// When ready pods were taken away by us, and when restarts were begun.
    pub taken: Vec<Seconds>,
    restarts: Vec<Seconds>,
    /// The settings under which a ready pod was taken whose successor wasn't available yet, and when.
    outstanding: Option<(usize, Seconds)>,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(super) struct World {
    now: Seconds,
    made: usize,
    pub pods: Vec<Pod>,
    pub lives: Vec<Life>,
    pub seen: Snapshot,
    settings: usize,
    value: usize,
    good: bool,
    secret: bool,
    config_map: bool,
    argocd: bool,
    looks: bool,
    look: Examined,
    /// The value that Argo CD was seen to accept by the last look, and when.
    accepted: Option<(usize, Seconds)>,
    hang: bool,
    webhook: bool,
    works: bool,
    deleted: usize,
    /// How often the controller was killed between its writes: such an act counts from when it was
    /// begun, and is done later.
    killed: usize,
    /// So many of those were restarts. Two look as if somebody had undone one twice.
    pub restarts_cut_short: usize,
}

pub(super) fn id(workload: usize) -> WorkloadId {
    WorkloadId { kind: WORKLOADS[workload].kind, name: WORKLOADS[workload].name.to_owned() }
}

impl Pod {
    pub fn name(&self) -> String {
        format!("{}-{}", WORKLOADS[self.workload].name, self.uid)
    }
}

fn key() -> Key {
    Key::new("mine", "password")
}

fn need() -> Need {
    Need { holder: Holder::ConfigMap, name: "theirs".to_owned(), key: None }
}

impl World {
    /// Pods that came before the webhook, and a value that works.
    pub(super) fn new() -> Self {
        let mut world = Self {
            now: START,
            made: 0,
            pods: Vec::new(),
            lives: WORKLOADS.iter().map(|_| Life::default()).collect(),
            seen: Snapshot { cache: CACHE, history: History::default(), ..Snapshot::default() },
            settings: 0,
            value: 0,
            good: true,
            secret: true,
            config_map: true,
            argocd: true,
            looks: true,
            look: Examined::default(),
            accepted: None,
            hang: false,
            webhook: false,
            works: true,
            deleted: 0,
            killed: 0,
            restarts_cut_short: 0,
        };
        world.note();
        world.fill();
        world.webhook = true;
        world
    }

    /// Ready pods that were taken and pods that were deleted, and restarts.
    pub(super) fn acts(&self) -> (usize, usize) {
        let all = |times: fn(&Life) -> usize| self.lives.iter().map(times).sum::<usize>();
        (all(|life| life.taken.len()) + self.deleted, all(|life| life.restarts.len()))
    }

    pub(super) fn explain(&self) -> String {
        let pods = self.seen.pods.iter().map(|pod| (&pod.facts.name, pod.shown(), &pod.facts.readiness));
        format!("{:?}; {:?}", plan(&self.seen, self.now).waiting, pods.collect::<Vec<_>>())
    }

    pub(super) fn wait(&mut self, seconds: Seconds) {
        self.now += seconds;
        self.fill();
    }

    fn note(&mut self) {
        let hash = self.secret.then(|| self.value.to_string());
        self.seen.history.note(&key(), hash, None, self.now);
    }

    /// The credential's part looks; without Argo CD it sees only whether there is anything.
    fn check(&mut self) {
        let health = match (self.secret, self.argocd, self.good) {
            (false, ..) => Health::Bad("missing".to_owned()),
            (true, false, _) => Health::Unknown("away".to_owned()),
            (true, true, true) => Health::Good { until: None },
            (true, true, false) => Health::Bad("refused".to_owned()),
        };
        let values = if self.secret { vec![ValueId { key: key(), hash: self.value.to_string() }] } else { Vec::new() };
        self.accepted = matches!(health, Health::Good { .. }).then_some((self.value, self.now));
        self.look = Examined { health, values, at: self.now };
    }

    fn available(&self, pod: &Pod) -> bool {
        pod.ready.is_some_and(|since| self.now >= since + WORKLOADS[pod.workload].min_ready)
    }

    fn of(&self, workload: usize) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(move |pod| pod.workload == workload)
    }

    /// Kubelets start what can start; workloads make the pods that are missing, and replace those of an
    /// old revision.
    fn fill(&mut self) {
        let (now, secret, config_map) = (self.now, self.secret, self.config_map);
        for pod in &mut self.pods {
            let startable = config_map && (secret || pod.carries.is_none()) && !pod.hangs;
            if pod.ready.is_none() && startable && now >= pod.created + STARTS {
                pod.ready = Some(now);
            }
        }
        for (workload, shape) in WORKLOADS.iter().enumerate() {
            let revision = self.lives[workload].revision;
            if shape.rolls
                && self.of(workload).all(|pod| self.available(pod))
                && let Some(old) = self.pods.iter().position(|pod| pod.workload == workload && pod.revision != revision)
            {
                self.pods.remove(old);
            }
            while self.of(workload).count() < shape.replicas {
                self.made += 1;
                let carries = (self.webhook && self.works).then_some(self.settings);
                let uid = format!("{:012x}", self.made);
                let (created, hangs) = (self.now, self.hang);
                self.pods.push(Pod { uid, workload, created, carries, revision, hangs, ready: None });
            }
            let came = self.lives[workload]
                .outstanding
                .is_some_and(|(_, at)| self.of(workload).all(|pod| pod.created < at || self.available(pod)));
            if came {
                self.lives[workload].outstanding = None;
            }
        }
    }

    fn view(&self, pod: &Pod) -> PodView {
        let right = pod.carries == Some(self.settings);
        let held = pod.carries.and(pod.ready).map(|started| Held { key: key(), started, optional: false });
        let held_up = pod.ready.is_none() && !pod.hangs && !(self.config_map && (self.secret || pod.carries.is_none()));
        let facts = PodFacts {
            name: pod.name(),
            uid: pod.uid.clone(),
            created: pod.created,
            owner: Some(Owner { kind: "ReplicaSet".to_owned(), name: "proxy".to_owned() }),
            revision: Some(pod.revision.to_string()),
            service: SERVICE.to_owned(),
            outcome: if right { Outcome::AlreadyRight } else { Outcome::Injected },
            changed: !right,
            carries: pod.carries.is_some(),
            held: held.into_iter().collect(),
            readiness: Readiness {
                ready: pod.ready.is_some(),
                since: pod.ready.unwrap_or_default(),
                says: None,
                held_up,
            },
            needs: BTreeSet::from([need()]),
            terminating: false,
            completed: false,
        };
        let verdict = judge(&facts, &self.seen.history, false, CACHE);
        PodView { facts, verdict, workload: Some(id(pod.workload)) }
    }

    fn observe(&mut self) {
        let pods: Vec<PodView> = self.pods.iter().map(|pod| self.view(pod)).collect();
        let workload = |workload: usize| {
            let (shape, life) = (&WORKLOADS[workload], &self.lives[workload]);
            // What doesn't roll by itself has no revision that it is on its way to.
            let whole = !shape.rolls || self.of(workload).all(|pod| pod.revision == life.revision);
            let done = whole && self.of(workload).all(|pod| self.available(pod));
            Workload {
                desired: shape.replicas,
                min_ready: shape.min_ready,
                progress: if done { RolloutProgress::Done } else { RolloutProgress::Going },
                whole,
                paused: false,
                opted_out: false,
                refused: None,
                restarted: life.restarted.clone(),
                revision: None,
                rolls: shape.rolls,
            }
        };
        let workloads: BTreeMap<_, _> =
            (0..WORKLOADS.len()).map(|place| (id(place), Found::There(workload(place)))).collect();
        let proof = if self.webhook { Ok(()) } else { Err("away".to_owned()) };
        let doubt = self.look.doubt(&self.seen.history, self.now, FRESH);
        self.seen.pods = pods;
        self.seen.workloads = workloads;
        self.seen.settings = self.settings.to_string();
        self.seen.proofs = BTreeMap::from([(SERVICE.to_owned(), proof)]);
        self.seen.doubts = doubt.into_iter().map(|doubt| (SERVICE.to_owned(), doubt)).collect();
        self.seen.absent = if self.config_map { BTreeSet::new() } else { BTreeSet::from([need()]) };
    }

    pub(super) fn happen(&mut self, what: &Happening) -> Result<(), TestCaseError> {
        match what {
            Happening::Time(seconds) => self.wait(*seconds),
            Happening::Passes(passes, killed) => {
                for pass in 0..*passes {
                    self.pass(*killed && pass + 1 == *passes)?;
                    self.wait(1);
                }
            }
            Happening::Webhook(there) => self.webhook = *there,
            Happening::Works(works) => self.works = *works,
            Happening::Change(good) => {
                self.value += 1;
                self.good = *good;
                self.note();
            }
            Happening::Secret(there) => {
                self.secret = *there;
                self.note();
            }
            Happening::ConfigMap(there) => self.config_map = *there,
            Happening::ArgoCd(there) => self.argocd = *there,
            Happening::Looks(looks) => self.looks = *looks,
            Happening::Hang(hang) => self.hang = *hang,
            Happening::Mend => self.pods.iter_mut().for_each(|pod| pod.hangs = false),
            Happening::Settings => self.settings += 1,
            Happening::Lose(workload, pod) => {
                let uid = self.of(*workload).nth(*pod).map(|pod| pod.uid.clone());
                self.pods.retain(|pod| Some(&pod.uid) != uid.as_ref());
                self.fill();
            }
            Happening::Reapply(workload) => {
                let life = &mut self.lives[*workload];
                if life.restarted.take().is_some() {
                    life.revision += 1;
                }
            }
        }
        Ok(())
    }

    /// Lets everything come to rest once all is mended. Says whether all are in step and ready.
    pub(super) fn settle(&mut self) -> Result<bool, TestCaseError> {
        (self.webhook, self.works, self.argocd, self.hang) = (true, true, true, false);
        (self.secret, self.config_map, self.looks) = (true, true, true);
        if !self.good {
            self.value += 1;
            self.good = true;
        }
        self.note();
        self.happen(&Happening::Mend)?;
        let mut quiet = 0;
        // A day, because somebody may have undone restarts; then nothing is left to hold it up.
        for _ in 0..700 {
            while self.pass(false)? {
                quiet = 0;
                self.wait(1);
            }
            let rests = plan(&self.seen, self.now).waiting.is_empty() && self.all_in_step();
            quiet = if rests { quiet + 1 } else { 0 };
            if quiet > 2 {
                break;
            }
            self.wait(150);
        }
        self.observe();
        Ok(self.all_in_step())
    }

    fn all_in_step(&self) -> bool {
        self.seen.pods.iter().all(|pod| pod.shown() == "in_step")
    }
}
