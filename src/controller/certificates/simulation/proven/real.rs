//! A state of the simulation at a scripted API server, and back. The simulation makes ids up; here each
//! stands for a certificate.

use super::super::super::action::Action;
use super::super::super::execute::{ExecuteError, encoded};
use super::super::super::observe::{CA, NEXT, SERVING};
use super::super::super::record;
use super::super::super::scripted::{CONFIGURATION, Scene, entry, pairs};
use super::super::super::snapshot::{Bundle, Ca, Leaf, Request, RotationRecord, Slot, Snapshot};
use super::super::model::{Cluster, START, TERMS};
use crate::cluster::scripted::secret;
use crate::controller::ROTATE;
use crate::pki::{Authority, BACKDATED, Certificate, Flaw, Id, Pair, Validity};
use crate::time::Seconds;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) struct Real {
    scene: Scene,
    /// The CAs, by the simulation's ids.
    cas: BTreeMap<Id, Pair>,
    /// The simulation's ids, by the real ones.
    ids: BTreeMap<Id, Id>,
    /// The id of what the simulation makes next.
    next: Id,
}

fn id(pair: &Pair) -> Id {
    Certificate::first_from_pem(pair.cert.as_bytes()).unwrap().id
}

/// When each CA holds that the simulation still knows of.
fn validity(cluster: &Cluster, id: Id) -> Option<Validity> {
    let held = [&cluster.current, &cluster.next].into_iter().filter_map(Slot::held).map(|ca| (ca.id, ca.validity));
    held.chain(cluster.bundle.now().iter().copied()).find(|(known, _)| *known == id).map(|(_, validity)| validity)
}

/// Whether there is a time when both this leaf and its CA hold.
pub(super) fn could_sign(cluster: &Cluster, leaf: &Leaf) -> bool {
    let ca = leaf.signer.and_then(|signer| validity(cluster, signer));
    ca.is_none_or(|ca| ca.to >= leaf.validity.from && leaf.validity.to >= ca.from)
}

/// A private key in the place of this one.
fn key_with(flaw: Option<Flaw>, pair: &Pair) -> Option<String> {
    match flaw {
        None | Some(Flaw::WrongNames) => Some(pair.key.clone()),
        Some(Flaw::WrongKey) => Some(Authority::make("other", TERMS.ca, START).unwrap().key),
        Some(Flaw::NoKey) => None,
        Some(flaw) => unreachable!("the simulation knows no such flaw: {flaw:?}"),
    }
}

impl Real {
    pub(super) fn of(cluster: &Cluster) -> Self {
        let next = cluster.clone().id();
        let scene = Scene { terms: TERMS, ..Scene::empty() };
        let mut real = Self { scene, cas: BTreeMap::new(), ids: BTreeMap::new(), next };
        let mut data = json!({});
        for (keys, slot) in [(CA, &cluster.current), (NEXT, &cluster.next)] {
            json_patch::merge(&mut data, &real.stored(cluster, keys, slot));
        }
        let serving = match cluster.serving.now() {
            Slot::Empty => json!({}),
            Slot::Broken(_) => pairs(SERVING, "rubbish", "rubbish"),
            Slot::Holds(leaf) => real.leaf(cluster, leaf),
        };
        let bundle: String = cluster.bundle.now().iter().map(|(id, _)| real.ca(cluster, *id).cert.clone()).collect();
        let request = cluster.request.map(|request| match request {
            Request::Ca => "ca",
            Request::Leaf => "leaf",
            Request::Unknown => "both",
        });
        let mut annotations = record::write(&real.record(&cluster.record), false);
        annotations[ROTATE] = request.into();
        let annotations = annotations.as_object_mut().unwrap();
        annotations.retain(|_, value| !value.is_null());
        let is_empty = |data: &Value| data.as_object().unwrap().is_empty();
        let server = &real.scene.server;
        if !is_empty(&data) || !annotations.is_empty() {
            server.put(&secret("rel-ca"), json!({ "metadata": { "annotations": annotations }, "data": data }));
        }
        if !is_empty(&serving) {
            server.put(&secret("rel-serving"), json!({ "data": serving }));
        }
        let entries = ["a.b.c", "d.e.f"].map(|name| entry(name, Some(&bundle)));
        server.put(CONFIGURATION, json!({ "webhooks": entries }));
        real
    }

    /// The CA with this id, made for the time that the simulation says. Of one that is gone none is known.
    fn ca(&mut self, cluster: &Cluster, sought: Id) -> &Pair {
        let validity = validity(cluster, sought);
        let ids = &mut self.ids;
        self.cas.entry(sought).or_insert_with(|| {
            let from = validity.map_or(START, |validity| validity.from + BACKDATED);
            let lifetime = validity.map_or(TERMS.ca, |validity| validity.to - from);
            let made = Authority::make("rel", lifetime, from).unwrap();
            ids.insert(id(&made), sought);
            made
        })
    }

    fn stored(&mut self, cluster: &Cluster, keys: [&str; 2], slot: &Slot<Ca>) -> Value {
        match slot {
            Slot::Empty => json!({}),
            Slot::Broken(_) => pairs(keys, "rubbish", "rubbish"),
            Slot::Holds(ca) => stored(keys, self.ca(cluster, ca.id), ca.flaw),
        }
    }

    fn leaf(&mut self, cluster: &Cluster, leaf: &Leaf) -> Value {
        let stranger = Authority::make("stranger", TERMS.ca, START).unwrap();
        let ca = leaf.signer.map_or(&stranger, |signer| self.ca(cluster, signer));
        let names = names(leaf.flaw);
        let authority = Authority::from_pem(&ca.cert, &ca.key).unwrap();
        let made = authority.sign(&names, leaf.validity.from + BACKDATED, leaf.validity.to).unwrap();
        self.ids.insert(id(&made), leaf.id);
        stored(SERVING, &made, leaf.flaw)
    }

    /// The real id; one of what is gone stands for itself.
    fn real(&mut self, sought: Id) -> Id {
        let known = self.ids.iter().find(|(_, known)| **known == sought).map(|(real, _)| *real);
        known.unwrap_or_else(|| {
            self.ids.insert(sought, sought);
            sought
        })
    }

    fn simulated(&self, real: Id) -> Id {
        self.ids.get(&real).copied().unwrap_or(self.next)
    }

    fn record(&mut self, record: &RotationRecord) -> RotationRecord {
        RotationRecord {
            trusted: record.trusted.map(|(id, since)| (self.real(id), since)),
            served: record.served.map(|(id, since)| (self.real(id), since)),
            renew: record.renew.map(|id| self.real(id)),
        }
    }

    /// Has the executor do this.
    pub(super) async fn carry_out(&mut self, now: Seconds, action: &Action) -> Result<(), ExecuteError> {
        let action = match action {
            Action::WriteBundle(ids, damaged) => {
                Action::WriteBundle(ids.iter().map(|id| self.real(*id)).collect(), *damaged)
            }
            Action::Remember(record, answered) => Action::Remember(self.record(record), *answered),
            other => other.clone(),
        };
        let objects = self.scene.objects().await;
        let observed = self.scene.observed(&objects);
        self.scene.carry_out(&objects, &observed, now, action).await
    }

    /// What is seen there, and what is remembered, also of certificates that are gone: in the simulation's
    /// terms.
    pub(super) async fn seen(&self) -> (Snapshot, RotationRecord) {
        let objects = self.scene.objects().await;
        let seen = self.scene.observed(&objects).snapshot;
        let ca = |slot: Slot<Ca>| match slot {
            Slot::Holds(ca) => Slot::Holds(Ca { id: self.simulated(ca.id), ..ca }),
            other => other,
        };
        let serving = match seen.serving {
            Slot::Holds(leaf) => {
                let signer = leaf.signer.map(|id| self.simulated(id));
                Slot::Holds(Leaf { id: self.simulated(leaf.id), signer, ..leaf })
            }
            other => other,
        };
        let mut bundles = seen.bundles.unwrap();
        assert_eq!(bundles[0], bundles[1], "one for every entry");
        bundles.truncate(1);
        let of = |(id, validity): &(Id, Validity)| (self.simulated(*id), *validity);
        let bundles = bundles.iter().map(|bundle| Bundle { cas: bundle.cas.iter().map(of).collect(), ..*bundle });
        let record = |record: RotationRecord| RotationRecord {
            trusted: record.trusted.map(|(id, since)| (self.simulated(id), since)),
            served: record.served.map(|(id, since)| (self.simulated(id), since)),
            renew: record.renew.map(|id| self.simulated(id)),
        };
        let annotations = objects.ca.and_then(|secret| secret.metadata.annotations).unwrap_or_default();
        let ever: Vec<Id> = self.ids.keys().copied().collect();
        let written = record::read(&annotations, &ever);
        assert!(!record::has_stale_annotations(&annotations, &written), "{annotations:?}");
        let seen = Snapshot {
            current: ca(seen.current),
            next: ca(seen.next),
            serving,
            bundles: Some(bundles.collect()),
            record: record(seen.record),
            has_stale_annotations: seen.has_stale_annotations,
            request: seen.request,
            endpoints: None,
        };
        (seen, record(written))
    }
}

fn names(flaw: Option<Flaw>) -> Vec<String> {
    let names = Scene::empty().context.options.service_names();
    if flaw == Some(Flaw::WrongNames) { names[..1].to_vec() } else { names }
}

fn stored(keys: [&str; 2], pair: &Pair, flaw: Option<Flaw>) -> Value {
    let mut stored = json!({ keys[0]: encoded(pair.cert.as_bytes()) });
    if let Some(key) = key_with(flaw, pair) {
        stored[keys[1]] = encoded(key.as_bytes()).into();
    }
    stored
}
