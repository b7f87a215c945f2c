//! The places for connections, and whose is taken when they are short.

use super::phase::{Phase, Standing};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often to look again whom to take a place from, where nobody leaves by himself.
const RECHECK_DELAY: Duration = Duration::from_millis(20);

/// The places of one listener.
pub(crate) struct Slots {
    most: usize,
    most_handshakes: usize,
    taken: Mutex<Vec<Taken>>,
    freed: Notify,
}

struct Taken {
    by: IpAddr,
    phase: Arc<Phase>,
}

/// A place, as long as it isn't dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    phase: Arc<Phase>,
}

impl Slots {
    pub(crate) fn new(most: usize, most_handshakes: usize) -> Arc<Self> {
        Arc::new(Self { most, most_handshakes, taken: Mutex::default(), freed: Notify::new() })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place, which [`Slots::room`] has said to be there.
    pub(crate) fn take(self: &Arc<Self>, by: IpAddr, phase: Arc<Phase>) -> Slot {
        // An IPv4 client of a socket for both is the same client.
        self.lock().push(Taken { by: by.to_canonical(), phase: Arc::clone(&phase) });
        Slot { slots: Arc::clone(self), phase }
    }

    /// Waits for a free place for a client from this address; where there is none, takes one from
    /// somebody.
    pub(crate) async fn room(&self, by: IpAddr) {
        while !self.make_room(by.to_canonical()) {
            let _ = timeout(RECHECK_DELAY, self.freed.notified()).await;
        }
    }

    /// Whether there is room. If there is none, somebody was told to go, unless somebody goes already.
    fn make_room(&self, by: IpAddr) -> bool {
        let taken = self.lock();
        let staying: Vec<(IpAddr, &Phase, Standing)> = taken
            .iter()
            .map(|taken| (taken.by, &*taken.phase, taken.phase.standing()))
            .filter(|(_, _, standing)| *standing != Standing::Leaving)
            .collect();
        let shaking = |standing: Standing| matches!(standing, Standing::Handshake(_));
        let handshakes = staying.iter().filter(|(_, _, standing)| shaking(*standing)).count();
        if handshakes >= self.most_handshakes {
            take_from(staying.iter().filter(|(_, _, standing)| shaking(*standing)), by);
        } else if staying.len() >= self.most {
            take_from(staying.iter(), by);
        }
        taken.len() < self.most && handshakes < self.most_handshakes
    }
}

/// An address has many places if it has one of so many of those that are taken.
const MANY_OF: usize = 8;

/// Takes a place from the address that has the most of them: first of a connection that never carried
/// a review, then of the one that idles the longest, then of one whose request has stalled. From one
/// whose request is on its way none is taken, because an API server doesn't repeat a POST; such a
/// connection is ended with its answer. Those of the newcomer's own address have their first moments
/// to themselves: many that come at once are no reason to end each other. Where no address has many, those
/// that never carried a review go first, whosever they are: an API server's two are then no more than
/// a stranger's one.
fn take_from<'s>(staying: impl Iterator<Item = &'s (IpAddr, &'s Phase, Standing)>, newcomer: IpAddr) {
    let mut by_address: HashMap<IpAddr, Vec<(&Phase, Standing)>> = HashMap::new();
    let mut all = 0_usize;
    for (by, phase, standing) in staying {
        all = all.saturating_add(1);
        by_address.entry(*by).or_default().push((*phase, *standing));
    }
    let most = by_address.values().map(Vec::len).max().unwrap_or_default();
    if most.saturating_mul(MANY_OF) < all {
        let everybody = by_address.values().flatten();
        let useless = everybody.filter_map(|(phase, standing)| match standing {
            Standing::Handshake(since) | Standing::Useless(_, since) => Some((*since, *phase, *standing)),
            _ => None,
        });
        if useless.max_by_key(|(since, ..)| *since).is_some_and(|(_, phase, standing)| phase.cut(standing)) {
            return;
        }
    }
    let Some((by, theirs)) = by_address.into_iter().max_by_key(|(_, theirs)| theirs.len()) else { return };
    let grown = |standing: Standing| by != newcomer || !standing.is_young();
    let grown = theirs.iter().filter(|(_, standing)| grown(*standing));
    let idle = grown.filter_map(|(phase, standing)| Some((standing.idleness()?, *phase, *standing)));
    let mut idle: Vec<_> = idle.collect();
    idle.sort_unstable_by_key(|(idleness, ..)| Reverse(*idleness));
    if !idle.iter().any(|(_, phase, standing)| phase.cut(*standing)) {
        // The one that was asked before may not have come to its answer.
        for (phase, _) in &theirs {
            phase.ask_to_leave();
        }
    }
}

impl Slot {
    pub(crate) const fn phase(&self) -> &Arc<Phase> {
        &self.phase
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.lock().retain(|taken| !Arc::ptr_eq(&taken.phase, &self.phase));
        self.slots.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Bounds;
    use tokio::time::advance;

    const API_SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn phase() -> Arc<Phase> {
        Phase::new(&Bounds::default())
    }

    fn silent() -> Arc<Phase> {
        let phase = phase();
        phase.greeted();
        phase
    }

    fn sending() -> Arc<Phase> {
        let phase = silent();
        phase.handling();
        phase
    }

    fn idle() -> Arc<Phase> {
        let phase = sending();
        phase.reviewed();
        phase.sending();
        phase.sent();
        phase
    }

    fn left(phases: &[Arc<Phase>]) -> Vec<bool> {
        phases.iter().map(|phase| phase.standing() == Standing::Leaving).collect()
    }

    fn full(phases: &[(IpAddr, Arc<Phase>)]) -> (Arc<Slots>, Vec<Slot>) {
        let slots = Slots::new(phases.len(), phases.len() + 1);
        let taken = phases.iter().map(|(by, phase)| slots.take(*by, Arc::clone(phase))).collect();
        (slots, taken)
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_taken_from_whoever_has_the_most() {
        let phases = [idle(), idle(), idle()];
        let [api, other, another] = phases.clone();
        let (slots, mut taken) = full(&[(API_SERVER, api), (OTHER, other), (OTHER, another)]);
        advance(Duration::from_secs(1)).await;
        assert!(!slots.make_room(API_SERVER));
        assert_eq!(left(&phases).iter().filter(|left| **left).count(), 1);
        assert!(!left(&phases)[0], "the API server holds fewer");
        assert!(!slots.make_room(API_SERVER), "one who leaves is waited for, and not another taken");
        assert_eq!(left(&phases).iter().filter(|left| **left).count(), 1);
        taken.retain(|slot| slot.phase().standing() != Standing::Leaving);
        assert!(slots.make_room(API_SERVER));
    }

    #[tokio::test(start_paused = true)]
    async fn where_many_addresses_have_one_place_each_no_api_server_loses_its_two() {
        let strangers: Vec<_> = (0..30).map(|_| silent()).collect();
        let from = |number: usize| IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 1, u8::try_from(number).unwrap()));
        advance(Duration::from_secs(1)).await;
        let own = [idle(), phase()];
        let all = strangers.iter().cloned().enumerate().map(|(number, phase)| (from(number), phase));
        let all: Vec<_> = own.iter().cloned().map(|phase| (API_SERVER, phase)).chain(all).collect();
        let (slots, _taken) = full(&all);
        assert!(!slots.make_room(OTHER));
        assert_eq!((left(&own), left(&strangers).iter().filter(|left| **left).count()), (vec![false; 2], 1));
    }

    #[tokio::test(start_paused = true)]
    async fn those_of_no_use_go_first_then_the_longest_idle_then_the_stalled() {
        let oldest = idle();
        advance(Duration::from_secs(1)).await;
        let phases = [idle(), oldest, silent(), sending()];
        let (slots, mut taken) = full(&phases.clone().map(|phase| (OTHER, phase)));
        for (gone, expected) in [(2, 2), (1, 1), (0, 0)] {
            slots.make_room(API_SERVER);
            assert!(left(&phases)[gone], "{expected}");
            let phase = Arc::clone(&phases[gone]);
            taken.retain(|slot| !Arc::ptr_eq(slot.phase(), &phase));
            taken.push(slots.take(OTHER, sending()));
        }
        slots.make_room(API_SERVER);
        assert!(!left(&phases)[3], "its request is on its way");
        assert!(phases[3].is_asked_to_leave());
        advance(Duration::from_secs(1)).await;
        slots.make_room(API_SERVER);
        assert_eq!(slots.lock().iter().filter(|taken| taken.phase.standing() == Standing::Leaving).count(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn handshakes_are_limited_in_number() {
        let slots = Slots::new(10, 2);
        let phases = [phase(), phase()];
        let _taken = [slots.take(OTHER, Arc::clone(&phases[0])), slots.take(API_SERVER, silent())];
        assert!(slots.make_room(API_SERVER));
        let _more = slots.take(OTHER, Arc::clone(&phases[1]));
        assert!(!slots.make_room(OTHER));
        assert_eq!(left(&phases), [false, false], "both have only just come");
        assert!(!slots.make_room(API_SERVER));
        assert_eq!(left(&phases).iter().filter(|left| **left).count(), 1);
        assert!(slots.make_room(API_SERVER), "one who leaves shakes no hands");
    }
}
