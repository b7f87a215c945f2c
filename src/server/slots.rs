//! The slots for connections, and which connection gives way when there is none.

use super::phase::{Phase, Standing};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How often to look for a connection that can give way, while none closes by itself.
const RECHECK_DELAY: Duration = Duration::from_millis(20);

/// The slots of one listener.
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

/// A slot, occupied until it is dropped.
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

    /// Occupies a slot. [`Slots::room`] must have returned before.
    pub(crate) fn take(self: &Arc<Self>, by: IpAddr, phase: Arc<Phase>) -> Slot {
        // On a dual-stack socket an IPv4 client may appear as a mapped IPv6 address.
        self.lock().push(Taken { by: by.to_canonical(), phase: Arc::clone(&phase) });
        Slot { slots: Arc::clone(self), phase }
    }

    /// Waits until there is a free slot for a client from this address. If all are occupied, makes a
    /// connection give way.
    pub(crate) async fn room(&self, by: IpAddr) {
        while !self.make_room(by.to_canonical()) {
            let _ = timeout(RECHECK_DELAY, self.freed.notified()).await;
        }
    }

    /// Whether there is a free slot. If not, makes a connection give way, unless one is leaving already.
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

/// An address holds many slots if it holds at least one in this many of the occupied ones.
const MANY_OF: usize = 8;

/// Takes a slot from the address that occupies most of them: from a connection that never carried a review,
/// else from the one idle for the longest, else from one whose request has stalled. A request in transit is
/// never cut, because an API server doesn't repeat a POST; its connection is closed with the answer. Young
/// connections from the newcomer's own address are spared, since many that come at once shouldn't end each
/// other. If no address holds many slots, the connections that never carried a review go first, whosever
/// they are, so that an API server with two slots doesn't lose one to strangers with one each.
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
        // The connection that was asked before may still be handling its request.
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
