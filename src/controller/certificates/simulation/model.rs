//! The cluster of the simulation: Secrets, bundles that API servers learn of late, pods that reload
//! when they please.

use super::super::action::{Action, NextStep, Place, Plan, RotationStep};
use super::super::lifetimes::Lifetimes;
use super::super::plan::plan;
use super::super::record;
use super::super::snapshot::{Bundle, Ca, Endpoint, Leaf, Request, RotationRecord, Slot, Snapshot};
use crate::pki::{BACKDATED, Flaw, Id, Validity};
use crate::time::Seconds;
use proptest::prelude::*;

pub(super) const TERMS: Lifetimes = Lifetimes { ca: 9000, leaf: 3000, propagation: 60 };
pub(super) const START: Seconds = 1_800_000_000;

/// A value that readers learn of late, but never later than the propagation time, and never back in
/// time.
#[derive(Clone, Debug)]
pub(super) struct Late<T>(Vec<(Seconds, T)>);

impl<T: Clone> Late<T> {
    pub(super) fn new(value: T) -> Self {
        Self(vec![(START - 10_000, value)])
    }
    pub(super) fn now(&self) -> &T {
        &self.0.last().unwrap().1
    }
    pub(super) fn set(&mut self, now: Seconds, value: T) {
        self.0.push((now, value));
    }
    /// The oldest version that anybody may still see.
    pub(super) fn oldest(&self, now: Seconds) -> usize {
        self.0.iter().rposition(|(since, _)| since + TERMS.propagation <= now).unwrap_or(0)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Pod {
    pub(super) leaf: Option<Leaf>,
}

#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) now: Seconds,
    pub(super) made: u64,
    pub(super) current: Slot<Ca>,
    pub(super) next: Slot<Ca>,
    pub(super) record: RotationRecord,
    pub(super) request: Option<Request>,
    pub(super) serving: Late<Slot<Leaf>>,
    pub(super) bundle: Late<Vec<(Id, Validity)>>,
    /// The version that each API server sees.
    pub(super) api_servers: Vec<usize>,
    pub(super) pods: Vec<Pod>,
    pub(super) writes: usize,
}

impl Cluster {
    pub(super) fn empty(pods: usize) -> Self {
        Self {
            now: START,
            made: 0,
            current: Slot::Empty,
            next: Slot::Empty,
            record: RotationRecord::default(),
            request: None,
            serving: Late::new(Slot::Empty),
            bundle: Late::new(Vec::new()),
            api_servers: vec![0; 3],
            pods: vec![Pod { leaf: None }; pods],
            writes: 0,
        }
    }

    pub(super) fn id(&mut self) -> Id {
        self.made += 1;
        let mut id = [0; 32];
        let scattered = self.made.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
        id.iter_mut().zip(scattered).for_each(|(to, from)| *to = from);
        id[31] = u8::try_from(self.made % 256).unwrap();
        Id(id)
    }

    pub(super) fn new_ca(&mut self) -> Ca {
        let validity = Validity { from: self.now - BACKDATED, to: self.now + TERMS.ca };
        Ca { id: self.id(), validity, flaw: None }
    }

    pub(super) fn known(&self) -> Vec<Id> {
        let slots = [&self.current, &self.next].into_iter().filter_map(Slot::held).map(|ca| ca.id);
        slots.chain(self.bundle.now().iter().map(|(id, _)| *id)).collect()
    }

    /// The marks as they are read from what was written: those of certificates that are gone are none, and
    /// litter.
    fn read_marks(&self) -> (RotationRecord, bool) {
        let written = record::write(&self.record, false);
        let written = written.as_object().unwrap().iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
        let annotations = written.map(|(name, text)| (name.clone(), text.to_owned())).collect();
        let leaf = self.serving.now().held().map(|leaf| leaf.id);
        let known: Vec<Id> = self.known().into_iter().chain(leaf).collect();
        let read = record::read(&annotations, &known);
        (read, record::has_stale_annotations(&annotations, &read))
    }

    pub(super) fn snapshot(&self, look: bool) -> Snapshot {
        let known = self.known();
        let signer = |leaf: &Leaf| leaf.signer.filter(|id| known.contains(id));
        let serving = match self.serving.now() {
            Slot::Holds(leaf) => Slot::Holds(Leaf { signer: signer(leaf), ..*leaf }),
            other => other.clone(),
        };
        let endpoints = look.then(|| {
            let of = |pod: &Pod| Endpoint { verified_by: pod.leaf.as_ref().and_then(signer).into_iter().collect() };
            self.pods.iter().map(of).collect()
        });
        let bundles = Some(vec![Bundle { cas: self.bundle.now().clone(), rest: false }]);
        let (record, has_stale_annotations) = self.read_marks();
        Snapshot {
            current: self.current.clone(),
            next: self.next.clone(),
            serving,
            bundles,
            record,
            has_stale_annotations,
            request: self.request,
            endpoints,
        }
    }

    /// What the controller would do now.
    pub(super) fn planned(&self) -> Plan {
        let planned = plan(&self.snapshot(false), &TERMS, self.now);
        if planned.next == NextStep::ProbeEndpoints { plan(&self.snapshot(true), &TERMS, self.now) } else { planned }
    }

    /// One pass of the controller. Says whether it wrote.
    pub(super) fn pass(&mut self) -> (RotationStep, bool) {
        let planned = self.planned();
        let NextStep::Execute(action) = planned.next else {
            assert_ne!(planned.next, NextStep::ProbeEndpoints, "it looked already");
            return (planned.step, false);
        };
        self.writes += 1;
        self.act(action);
        (planned.step, true)
    }

    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::MakeCa(Place::Current, _) => {
                self.current = Slot::Holds(self.new_ca());
                self.next = Slot::Empty;
                self.record = RotationRecord::default();
                self.request = None;
            }
            Action::MakeCa(Place::Next, _) => {
                let renew = self.read_marks().0.renew;
                self.next = Slot::Holds(self.new_ca());
                self.record = RotationRecord { renew, ..RotationRecord::default() };
                self.request = None;
            }
            Action::MakeLeaf(place, _) => {
                let ca = if place == Place::Next { &self.next } else { &self.current };
                let ca = *ca.held().expect("a CA that is there signs");
                assert!(ca.flaw.is_none());
                let validity = Validity { from: self.now - BACKDATED, to: (self.now + TERMS.leaf).min(ca.validity.to) };
                let leaf = Leaf { id: self.id(), validity, signer: Some(ca.id), flaw: None };
                self.serving.set(self.now, Slot::Holds(leaf));
            }
            Action::WriteBundle(ids, _) => {
                let slots = [&self.current, &self.next].into_iter().filter_map(Slot::held);
                let mut known: Vec<(Id, Validity)> = slots.map(|ca| (ca.id, ca.validity)).collect();
                known.extend(self.bundle.now().iter().copied());
                let find = |id: &Id| *known.iter().find(|(held, _)| held == id).expect("a CA that is known");
                let bundle = ids.iter().map(find).collect();
                self.bundle.set(self.now, bundle);
            }
            Action::Promote(place, _) => {
                if place == Place::Next {
                    self.current = self.next.clone();
                }
                self.next = Slot::Empty;
            }
            Action::Remember(record, answered) => {
                self.record = record;
                if answered {
                    self.request = None;
                }
            }
        }
    }

    pub(super) fn advance(&mut self, by: Seconds) {
        self.now += by;
        let oldest = self.bundle.oldest(self.now);
        for seen in &mut self.api_servers {
            *seen = (*seen).max(oldest);
        }
    }

    /// A pod takes up a version of the serving Secret, `back` versions ago if that can still be
    /// seen. A broken one is refused, as the webhook does.
    pub(super) fn read(&mut self, pod: usize, back: usize, fresh: bool) {
        let last = self.serving.0.len() - 1;
        let version = last.saturating_sub(back).max(self.serving.oldest(self.now));
        let Some(pod) = self.pods.get_mut(pod) else { return };
        if fresh {
            pod.leaf = None;
        }
        if let Slot::Holds(leaf) = &self.serving.0[version].1
            && leaf.flaw.is_none()
        {
            pod.leaf = Some(*leaf);
        }
    }

    /// Every API server can call every pod that serves.
    pub(super) fn check(&self) -> Result<(), TestCaseError> {
        for leaf in self.pods.iter().filter_map(|pod| pod.leaf) {
            prop_assert!(leaf.validity.holds(self.now), "a leaf expired in use");
            for seen in &self.api_servers {
                let (since, bundle) = &self.bundle.0[*seen];
                let trusted = bundle.iter().any(|(id, validity)| Some(*id) == leaf.signer && validity.holds(self.now));
                prop_assert!(trusted, "at {}: {leaf:?} is unknown to {bundle:?} of {since}: {self:?}", self.now);
            }
        }
        Ok(())
    }

    pub(super) fn is_settled(&self) -> bool {
        let Some(current) = self.current.held() else { return false };
        let leaf = self.serving.now().held();
        self.next.is_empty()
            && self.bundle.now().iter().map(|(id, _)| *id).eq([current.id])
            && leaf.is_some_and(|leaf| leaf.signer == Some(current.id) && leaf.flaw.is_none())
            && self.request.is_none()
    }

    /// Lets everything come to rest with pods that read what there is. Says how many writes it took.
    pub(super) fn settle(&mut self) -> Result<usize, TestCaseError> {
        let before = self.writes;
        for _ in 0..60 {
            let mut passes = 0;
            while self.pass().1 {
                passes += 1;
                prop_assert!(passes < 30, "writes without an end: {self:?}");
            }
            (0..self.pods.len()).for_each(|pod| self.read(pod, 0, false));
            if self.is_settled() && self.pass() == (RotationStep::Idle, false) {
                return Ok(self.writes - before);
            }
            self.advance(TERMS.propagation / 3);
        }
        prop_assert!(false, "never settled: {self:?}");
        Ok(0)
    }
}

#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Time passes, and the controller is up for so many writes.
    Time(Seconds, usize),
    /// An API server learns of the next version.
    Learn(usize),
    /// A pod takes up a version.
    Read(usize, usize),
    /// A pod is replaced.
    Restart(usize, usize),
    Scale(usize),
    Ask(Request),
    /// Something damages a Secret.
    Damage(u8),
}

impl Cluster {
    pub(super) fn damage(&mut self, kind: u8) {
        let flawed = |slot: &Slot<Ca>| match slot {
            Slot::Holds(ca) => Slot::Holds(Ca { flaw: Some(Flaw::WrongKey), ..*ca }),
            other => other.clone(),
        };
        match kind {
            0 => self.current = Slot::Empty,
            1 => self.current = Slot::Broken(Flaw::Unreadable),
            2 => self.current = flawed(&self.current),
            3 => self.current = Slot::Holds(self.new_ca()),
            4 => self.next = Slot::Empty,
            5 => self.next = Slot::Broken(Flaw::Unreadable),
            6 => self.next = flawed(&self.next),
            7 => self.next = Slot::Holds(self.new_ca()),
            8 => self.serving.set(self.now, Slot::Empty),
            9 => self.serving.set(self.now, Slot::Broken(Flaw::Unreadable)),
            10 => {
                if let Slot::Holds(leaf) = *self.serving.now() {
                    self.serving.set(self.now, Slot::Holds(Leaf { flaw: Some(Flaw::WrongKey), ..leaf }));
                }
            }
            11 => self.record = RotationRecord::default(),
            12 => self.record.served = None,
            _ => {
                (self.current, self.next, self.record) = (Slot::Empty, Slot::Empty, RotationRecord::default());
                self.serving.set(self.now, Slot::Empty);
            }
        }
    }

    pub(super) fn happen(&mut self, what: &Happening) -> Result<(), TestCaseError> {
        match what {
            Happening::Time(time, writes) => {
                self.advance(*time);
                self.check()?;
                for _ in 0..*writes {
                    self.pass();
                    self.check()?;
                }
            }
            Happening::Learn(server) => {
                let last = self.bundle.0.len() - 1;
                self.api_servers[*server] = (self.api_servers[*server] + 1).min(last);
            }
            Happening::Read(pod, back) => self.read(*pod, *back, false),
            Happening::Restart(pod, back) => self.read(*pod, *back, true),
            Happening::Scale(pods) => {
                let before = self.pods.len();
                self.pods.resize(*pods, Pod { leaf: None });
                (before..*pods).for_each(|pod| self.read(pod, 0, true));
            }
            Happening::Ask(request) => self.request = Some(*request),
            Happening::Damage(kind) => self.damage(*kind),
        }
        self.check()
    }
}
