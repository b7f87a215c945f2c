//! Decides the next change to the webhook's certificates.
//!
//! Pure: no I/O and no clock. A plan has at most one action, after which everything is observed again. So a
//! process that is killed between two actions leaves nothing that its successor couldn't continue.
//!
//! The rule behind all of it: a CA that is valid and in `caBundle` stays there until every endpoint of the
//! webhook has presented a leaf of the CA that takes over, for the propagation time, and a leaf is signed
//! only by a CA that has been in `caBundle` for that time. Three exceptions: where no other CA is trusted,
//! the CA signs at once; where the leaf has to be replaced meanwhile, the former CA signs it; and the bundle
//! holds at most `MAX_CAS` CAs. A lost or foreign CA Secret is then a rotation like any other.
//! `docs/certificates.md` has a diagram.

use super::action::{Action, NextStep, Place, Plan, Reason, RotationStep};
use super::lifetimes::{Lifetimes, ca_due, leaf_due};
use super::snapshot::{Bundle, Ca, Request, RotationRecord, Slot, Snapshot};
use crate::pki::{BACKDATED, Flaw, Id};
use crate::time::Seconds;

/// The most CAs in a bundle. A rotation needs two; more remain only if the CA Secret is lost again and again
/// while an endpoint can't be reached.
const MAX_CAS: usize = 8;

/// What a snapshot means at a certain time.
struct View<'s> {
    seen: &'s Snapshot,
    terms: &'s Lifetimes,
    now: Seconds,
    /// The CA that signs from now on, and its place; `None` if none can.
    target: Option<(Place, Ca)>,
    /// The CAs that must be in the bundle now.
    wanted: Vec<Id>,
    /// The valid CAs that are in it.
    trusted: Vec<Id>,
}

/// Plans the next change for what was observed, at `now` (seconds since 1970).
#[must_use]
pub fn plan(seen: &Snapshot, terms: &Lifetimes, now: Seconds) -> Plan {
    let view = View::new(seen, terms, now);
    let (step, next) = view.next();
    Plan { step, next, target: view.target.map(|(_, ca)| ca.id) }
}

impl<'s> View<'s> {
    fn new(seen: &'s Snapshot, terms: &'s Lifetimes, now: Seconds) -> Self {
        let valid = |slot: &'s Slot<Ca>| slot.held().filter(|ca| ca.validity.holds(now)).copied();
        let (current, next) = (valid(&seen.current), valid(&seen.next));
        let usable = |ca: &Ca| ca.flaw.is_none();
        let target = next.filter(usable).map(|ca| (Place::Next, ca));
        let target = target.or_else(|| current.filter(usable).map(|ca| (Place::Current, ca)));

        let mut trusted: Vec<Id> = Vec::new();
        let entries = seen.bundles.iter().flatten().flat_map(|bundle| &bundle.cas);
        for (id, _) in entries.filter(|(_, validity)| validity.holds(now)) {
            if !trusted.contains(id) {
                trusted.push(*id);
            }
        }
        let mut wanted: Vec<Id> = Vec::new();
        let ours = target.map(|(_, ca)| ca).into_iter().chain(next).chain(current).map(|ca| ca.id);
        for id in ours.chain(trusted.iter().copied()) {
            if !wanted.contains(&id) {
                wanted.push(id);
            }
        }
        wanted.truncate(MAX_CAS);
        Self { seen, terms, now, target, wanted, trusted }
    }

    fn next(&self) -> (RotationStep, NextStep) {
        if let Some(action) = self.bundle() {
            return (RotationStep::Trusting, NextStep::Execute(action));
        }
        let Some((place, target)) = self.target else {
            return (RotationStep::Trusting, NextStep::Execute(self.first_ca()));
        };
        // A rotation that never ends, because an endpoint can't be reached, must not keep its CA from being
        // replaced in time. The CA that it should replace stays in the bundle.
        if self.now >= ca_due(&target, self.terms) {
            let action = match place {
                Place::Next => Action::Promote(Place::Next, Reason::Due),
                Place::Current => Action::MakeCa(Place::Next, Reason::Due),
            };
            return (RotationStep::Trusting, NextStep::Execute(action));
        }
        self.leaf(place, &target)
            .or_else(|| self.retirement(place, &target))
            .unwrap_or_else(|| (RotationStep::Idle, self.idle(&target)))
    }

    /// The change that makes the bundle hold exactly the wanted CAs; `None` if it does.
    fn bundle(&self) -> Option<Action> {
        let bundles = self.seen.bundles.as_ref().filter(|_| !self.wanted.is_empty())?;
        let is_right = |bundle: &Bundle| self.holds_exactly(bundle, &self.wanted);
        if bundles.iter().all(is_right) {
            return None;
        }
        let lacks = |id: Id| bundles.iter().any(|bundle| bundle.cas.iter().all(|(held, _)| *held != id));
        // The time for which a CA has been trusted starts anew when it is back in the bundle. The record is
        // dropped first: a successor of this process couldn't know that the CA was ever gone.
        let counted = [self.seen.record.trusted, self.seen.record.served];
        if counted.into_iter().flatten().any(|(id, _)| lacks(id)) {
            return Some(Action::Remember(
                RotationRecord { renew: self.seen.record.renew, ..RotationRecord::default() },
                false,
            ));
        }
        // Count it as damage, unless it looks like a bootstrap or a new CA: entries that have everything that
        // others have.
        let uneven = bundles
            .iter()
            .any(|bundle| bundle.rest || self.trusted.iter().any(|id| bundle.cas.iter().all(|(held, _)| held != id)));
        let served = self.seen.serving.held().filter(|leaf| leaf.signer.is_some());
        let lost = self.trusted.is_empty() && served.is_some_and(|leaf| self.is_settled(leaf.validity.from));
        Some(Action::WriteBundle(self.wanted.clone(), uneven || lost))
    }

    fn holds_exactly(&self, bundle: &Bundle, ids: &[Id]) -> bool {
        !bundle.rest
            && bundle.cas.len() == ids.len()
            && ids.iter().all(|id| bundle.cas.iter().any(|(held, _)| held == id))
            && bundle.cas.iter().all(|(_, validity)| validity.holds(self.now))
    }

    /// Whether something created at `from` is past its bootstrap, so that what is missing beside it was lost.
    const fn is_settled(&self, from: Seconds) -> bool {
        self.now > from + BACKDATED + self.terms.propagation
    }

    /// No CA can sign, so create one. If others are trusted, endpoints may have leaves of them, and the new
    /// CA has to be introduced beside them.
    fn first_ca(&self) -> Action {
        let why = match (&self.seen.current, &self.seen.next) {
            (Slot::Empty, Slot::Empty) => Reason::Absent,
            (Slot::Broken(flaw), _) | (Slot::Empty, Slot::Broken(flaw)) => Reason::Flawed(*flaw),
            (Slot::Holds(ca), _) | (Slot::Empty, Slot::Holds(ca)) => {
                let early = if self.now < ca.validity.from { Flaw::NotYetValid } else { Flaw::Expired };
                Reason::Flawed(ca.flaw.unwrap_or(early))
            }
        };
        // Where a CA is trusted already, an empty Secret was lost rather than never filled.
        let why = if why == Reason::Absent && !self.trusted.is_empty() { Reason::Flawed(Flaw::Lost) } else { why };
        Action::MakeCa(if self.trusted.is_empty() { Place::Current } else { Place::Next }, why)
    }

    /// What is needed for the serving Secret to hold a good leaf of the target; `None` if it does.
    fn leaf(&self, place: Place, target: &Ca) -> Option<(RotationStep, NextStep)> {
        let trouble = self.leaf_trouble(target);
        let leaf = self.seen.serving.held();
        let by_target = leaf.is_some_and(|leaf| leaf.signer == Some(target.id));
        let why = match trouble {
            None if by_target => return None,
            None => Reason::Rotation,
            Some(why) => why,
        };
        let mature = match self.mature(self.seen.record.trusted, target.id) {
            // If nothing else is trusted, no other leaf could do better.
            _ if self.trusted.iter().all(|id| *id == target.id) => Ok(()),
            mature => mature,
        };
        let Err(mature) = mature else {
            return Some((RotationStep::Signing, NextStep::Execute(Action::MakeLeaf(place, why))));
        };
        if place == Place::Next
            && trouble.is_some()
            && let Some(current) = self.interim_signer(target.id)
        {
            // The former CA signs meanwhile, to keep serving.
            let pointless = leaf.is_some_and(|leaf| leaf.signer == Some(current.id) && why == Reason::Due)
                && self.now >= current.validity.to - self.terms.propagation;
            if !pointless {
                return Some((RotationStep::Propagating, NextStep::Execute(Action::MakeLeaf(Place::Current, why))));
            }
        }
        let next = mature.map_or_else(
            || {
                NextStep::Execute(Action::Remember(
                    RotationRecord { trusted: Some((target.id, self.now)), ..self.seen.record },
                    false,
                ))
            },
            |then| NextStep::WaitUntil(then, false),
        );
        Some((RotationStep::Propagating, next))
    }

    /// Why the leaf has to be replaced, whichever CA signs; `None` if it needn't.
    fn leaf_trouble(&self, target: &Ca) -> Option<Reason> {
        let oldest = self.seen.current.held().map_or(Seconds::MAX, |ca| ca.validity.from).min(target.validity.from);
        let leaf = match &self.seen.serving {
            Slot::Empty if self.is_settled(oldest) => return Some(Reason::Flawed(Flaw::Lost)),
            Slot::Empty => return Some(Reason::Absent),
            Slot::Broken(flaw) => return Some(Reason::Flawed(*flaw)),
            Slot::Holds(leaf) => leaf,
        };
        let flaw = if leaf.flaw.is_some() {
            leaf.flaw
        } else if leaf.signer.is_none_or(|signer| !self.wanted.contains(&signer)) {
            Some(Flaw::Foreign)
        } else if self.now > leaf.validity.to {
            Some(Flaw::Expired)
        } else if self.now < leaf.validity.from {
            Some(Flaw::NotYetValid)
        } else {
            None
        };
        match flaw {
            Some(flaw) => Some(Reason::Flawed(flaw)),
            None if self.seen.record.renew == Some(leaf.id) => Some(Reason::Requested),
            None if self.now >= leaf_due(leaf, self.terms) => Some(Reason::Due),
            None => None,
        }
    }

    /// The CA that may sign while the target isn't trusted everywhere: the current one, if no third one is
    /// trusted.
    fn interim_signer(&self, target: Id) -> Option<Ca> {
        let current = self.seen.current.held().filter(|ca| ca.flaw.is_none() && ca.validity.holds(self.now))?;
        self.trusted.iter().all(|id| *id == target || *id == current.id).then_some(*current)
    }

    /// Whether a mark is older than the propagation time; if not, when it will be (`None`: there is no mark
    /// of the target).
    fn mature(&self, mark: Option<(Id, Seconds)>, target: Id) -> Result<(), Option<Seconds>> {
        match mark {
            // A mark in the future comes from a wrong clock.
            Some((id, since)) if id == target && since <= self.now => {
                // Both times are whole seconds, so add one.
                let then = since + self.terms.propagation + i64::from(self.terms.propagation > 0);
                if self.now >= then { Ok(()) } else { Err(Some(then)) }
            }
            _ => Err(None),
        }
    }

    /// Whether the current leaf existed at `then`. Between two leaves of one CA there may have been one of
    /// another, so an older mark says nothing about who serves that one. A leaf from the future comes from a
    /// wrong clock.
    fn serves_since(&self, then: Seconds) -> bool {
        let made = self.seen.serving.held().map_or(Seconds::MIN, |leaf| leaf.validity.from + BACKDATED);
        made <= then || made > self.now
    }

    /// Removes what the target replaces, once every endpoint has moved.
    fn retirement(&self, place: Place, target: &Ca) -> Option<(RotationStep, NextStep)> {
        let others = self.wanted.iter().any(|id| *id != target.id);
        if others {
            let Some(endpoints) = &self.seen.endpoints else {
                return Some((RotationStep::Proving, NextStep::ProbeEndpoints));
            };
            let record = self.seen.record;
            if !endpoints.iter().all(|endpoint| endpoint.verified_by.contains(&target.id)) {
                let next = if record.served.is_some() {
                    NextStep::Execute(Action::Remember(RotationRecord { served: None, ..record }, false))
                } else {
                    NextStep::WaitUntil(Seconds::MAX, true)
                };
                return Some((RotationStep::Proving, next));
            }
            if let Err(mature) = self.mature(record.served.filter(|(_, since)| self.serves_since(*since)), target.id) {
                let next = mature.map_or_else(
                    || {
                        NextStep::Execute(Action::Remember(
                            RotationRecord { served: Some((target.id, self.now)), ..record },
                            false,
                        ))
                    },
                    |then| NextStep::WaitUntil(then, true),
                );
                return Some((RotationStep::Settling, next));
            }
        }
        if place == Place::Next || !self.seen.next.is_empty() {
            let why = match &self.seen.next {
                Slot::Broken(flaw) | Slot::Holds(Ca { flaw: Some(flaw), .. }) => Reason::Flawed(*flaw),
                Slot::Holds(_) | Slot::Empty if place == Place::Current => Reason::Flawed(Flaw::Expired),
                _ => Reason::Rotation,
            };
            return Some((RotationStep::Dropping, NextStep::Execute(Action::Promote(place, why))));
        }
        others.then(|| (RotationStep::Dropping, NextStep::Execute(Action::WriteBundle(vec![target.id], false))))
    }

    /// With one CA, one leaf and one bundle: answers requests, tidies annotations, and waits for the next
    /// renewal.
    fn idle(&self, target: &Ca) -> NextStep {
        let leaf = self.seen.serving.held();
        let renew = self.seen.record.renew.filter(|id| leaf.is_some_and(|leaf| leaf.id == *id));
        match self.seen.request {
            Some(Request::Ca) => return NextStep::Execute(Action::MakeCa(Place::Next, Reason::Requested)),
            Some(Request::Leaf) => {
                let renew = leaf.map(|leaf| leaf.id);
                return NextStep::Execute(Action::Remember(
                    RotationRecord { renew, ..RotationRecord::default() },
                    true,
                ));
            }
            Some(Request::Unknown) => {
                return NextStep::Execute(Action::Remember(
                    RotationRecord { renew, ..RotationRecord::default() },
                    true,
                ));
            }
            None => {}
        }
        let kept = RotationRecord { renew, ..RotationRecord::default() };
        if self.seen.record != kept || self.seen.has_stale_annotations {
            return NextStep::Execute(Action::Remember(kept, false));
        }
        let leaf = leaf.map_or(Seconds::MAX, |leaf| leaf_due(leaf, self.terms));
        NextStep::WaitUntil(leaf.min(ca_due(target, self.terms)), false)
    }
}
