//! Watches for loops that have stalled, for `/livez`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// The loops of a process that must make progress. Clones share the list.
#[derive(Clone, Debug, Default)]
pub struct Loops(Arc<Mutex<Vec<Progress>>>);

/// The progress of one loop. Once its last clone is dropped, the loop isn't watched any more.
#[derive(Clone, Debug)]
pub struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: &'static str,
    bound: Duration,
    begun: Instant,
    /// The last sign of progress, in milliseconds since `begun`.
    last: AtomicU64,
}

impl Loops {
    /// Adds a loop that must call [`Progress::beat`] at least once within `bound`, starting now.
    #[must_use]
    pub fn register(&self, name: &'static str, bound: Duration) -> Progress {
        let progress = Progress(Arc::new(Inner { name, bound, begun: Instant::now(), last: AtomicU64::new(0) }));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(progress.clone());
        progress
    }

    /// A sentence for each loop that made no progress within its bound.
    #[must_use]
    pub fn stalled(&self) -> Vec<String> {
        let mut loops = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is this list's: the loop has ended, and how is its process's business.
        loops.retain(|progress| Arc::strong_count(&progress.0) > 1);
        loops.iter().filter_map(Progress::stalled).collect()
    }
}

impl Progress {
    /// Records that the loop made progress.
    pub fn beat(&self) {
        let now = u64::try_from(self.0.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.last.store(now, Ordering::Relaxed);
    }

    /// Waits for something that may take any time, and doesn't count as a stall meanwhile.
    pub async fn during<T>(&self, waiting: impl Future<Output = T>) -> T {
        let mut waiting = std::pin::pin!(waiting);
        let mut beats = interval((self.0.bound / 4).max(Duration::from_millis(1)));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                done = &mut waiting => {
                    self.beat();
                    return done;
                }
                _ = beats.tick() => self.beat(),
            }
        }
    }

    fn stalled(&self) -> Option<String> {
        let Inner { name, bound, begun, last } = &*self.0;
        let since = begun.elapsed().saturating_sub(Duration::from_millis(last.load(Ordering::Relaxed)));
        (since > *bound)
            .then(|| format!("{name}: no progress for {} s, and it has {} s", since.as_secs(), bound.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_come_round_is_named_until_it_does() {
        let loops = Loops::default();
        let (first, _second) =
            (loops.register("first", Duration::from_secs(5)), loops.register("second", Duration::from_mins(1)));
        assert_eq!(loops.stalled(), [""; 0]);
        advance(Duration::from_secs(6)).await;
        assert_eq!(loops.stalled(), ["first: no progress for 6 s, and it has 5 s"]);
        first.beat();
        assert_eq!(loops.stalled(), [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_may_take_any_time_is_no_stall() {
        let loops = Loops::default();
        let progress = loops.register("waiting", Duration::from_secs(5));
        let seen = progress.during(async {
            tokio::time::sleep(Duration::from_secs(61)).await;
            loops.stalled()
        });
        assert_eq!(seen.await, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_has_ended_is_not_asked_for() {
        let loops = Loops::default();
        drop(loops.register("ended", Duration::from_secs(1)));
        advance(Duration::from_secs(2)).await;
        assert_eq!(loops.stalled(), [""; 0]);
    }
}
