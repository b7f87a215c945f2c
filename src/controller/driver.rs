//! The loop that runs every reconciler: waits for the Lease, reconciles, and requeues.
//!
//! kube's `Controller` doesn't fit: it reconciles one object at a time, and here a handful of named objects
//! is reconciled together.

use super::Context;
use super::metrics::ControllerMetrics;
use crate::cluster::leader_election::Leadership;
use crate::cluster::{Cause, ClusterError};
use crate::server::Progress;
use crate::time::{Seconds, now};
use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// How many changes may follow each other without a backoff. No plan needs as many; more mean that somebody
/// undoes them.
const MAX_CHANGES: u32 = 30;
/// The shortest wait after a pass without changes, in case the time to wait for has passed already.
const MIN_REQUEUE_DELAY: Duration = Duration::from_millis(250);
/// How long a pass may take before the process counts as stalled. Calls to the API server and to Argo CD have
/// time limits, so no pass with unreachable servers takes as long.
const PASS_STALL_TIMEOUT: Duration = Duration::from_mins(15);

/// When to reconcile again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requeue {
    /// At once: the pass made a change.
    Now,
    /// After this time, even if something changes before.
    Soon(Duration),
    /// After a backoff of at least this time, or when something changes.
    Backoff(Duration),
    /// After this time, or when something changes.
    After(Duration),
}

impl Requeue {
    /// At this time, in seconds since 1970, or when something changes; after `longest` at the latest.
    pub(super) fn until(then: Seconds, longest: Duration) -> Self {
        let left = u64::try_from(then.saturating_sub(now())).unwrap_or(0);
        Self::After(Duration::from_secs(left).min(longest))
    }
}

/// Why a pass failed. It is repeated after a backoff.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct ReconcileError {
    text: String,
    /// The cause of a failed call to the cluster; `None` for any other error.
    cause: Option<Cause>,
}

impl ReconcileError {
    /// An error that isn't a failed call to the cluster.
    pub(super) fn other(error: impl std::fmt::Display) -> Self {
        Self { text: error.to_string(), cause: None }
    }
}

impl From<ClusterError> for ReconcileError {
    fn from(error: ClusterError) -> Self {
        Self { text: error.to_string(), cause: Some(error.cause) }
    }
}

/// The first and the longest delay of an exponential backoff.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    pub first: Duration,
    pub longest: Duration,
}

impl Delays {
    fn begin(self) -> ExponentialBackoff {
        ExponentialBuilder::new().with_min_delay(self.first).with_max_delay(self.longest).without_max_times().build()
    }
}

/// One reconciler of the controller.
pub(super) trait Reconciler {
    /// The name in logs and in `/livez`.
    const NAME: &'static str;
    /// The delays between failed passes.
    const BACKOFF: Delays;
    /// How long to wait after a change before reconciling, so that a burst of changes leads to one pass.
    const DEBOUNCE: Duration = Duration::ZERO;

    /// Observes, plans, and executes at most one action. It may also write what isn't planned: the status,
    /// owner references, and field ownership.
    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError>;

    /// Called when this process doesn't lead: drop what another process may change from now on.
    fn stand_by(&mut self);
}

/// Handles one item of a watch. A change wakes the loop. An error (`failed`) is counted and logged only: the
/// watch resumes by itself, and each pass reads afresh, so nothing is missed for long.
pub(super) fn on_watch_event(metrics: &ControllerMetrics, failed: Option<ClusterError>, wake: &Notify) {
    match failed {
        Some(error) => on_watch_error(metrics, &error),
        None => wake.notify_one(),
    }
}

/// Counts and logs that a watch broke, which resumes by itself.
pub(super) fn on_watch_error(metrics: &ControllerMetrics, error: &ClusterError) {
    metrics.failed(Some(&error.cause));
    tracing::debug!(%error, "a watch broke; trying on");
}

/// Runs a reconciler forever, while this process leads. `wake` ends a wait early.
pub(super) async fn drive<R: Reconciler>(context: &Context, reconciler: &mut R, wake: &Notify) {
    let progress = context.loops.register(R::NAME, PASS_STALL_TIMEOUT);
    run(context.leadership.clone(), &context.metrics, &progress, reconciler, wake).await;
}

async fn run<R: Reconciler>(
    mut leadership: Leadership,
    metrics: &ControllerMetrics,
    progress: &Progress,
    reconciler: &mut R,
    wake: &Notify,
) {
    let mut delays = R::BACKOFF.begin();
    let mut changes = 0;
    loop {
        if !leadership.may_write() {
            reconciler.stand_by();
            progress.during(leadership.granted()).await;
            (delays, changes) = (R::BACKOFF.begin(), 0);
        }
        progress.beat();
        let requeue = match reconciler.reconcile().await {
            Ok(Requeue::Now) if changes >= MAX_CHANGES => {
                tracing::warn!(changes, "{}: changes do not last; somebody undoes them", R::NAME);
                Requeue::Backoff(Duration::ZERO)
            }
            Ok(requeue) => requeue,
            Err(error) => {
                let delay = delays.next().unwrap_or(R::BACKOFF.longest);
                note(metrics, R::NAME, &error, delay);
                changes = 0;
                // Not ended early: a change doesn't justify repeating what failed sooner.
                Requeue::Soon(delay)
            }
        };
        let mut lost = leadership.clone();
        let rested = async {
            tokio::select! {
                () = rest(requeue, &mut delays, &mut changes, R::BACKOFF, R::DEBOUNCE, wake) => {}
                () = lost.lost() => {}
            }
        };
        progress.during(rested).await;
    }
}

async fn rest(
    requeue: Requeue,
    delays: &mut ExponentialBackoff,
    changes: &mut u32,
    backoff: Delays,
    gather: Duration,
    wake: &Notify,
) {
    let wait = match requeue {
        Requeue::Now => {
            *changes += 1;
            return;
        }
        Requeue::Soon(wait) => return sleep(wait).await,
        Requeue::Backoff(least) => delays.next().unwrap_or(backoff.longest).max(least),
        Requeue::After(wait) => {
            *delays = backoff.begin();
            wait.max(MIN_REQUEUE_DELAY)
        }
    };
    *changes = 0;
    if timeout(wait, wake.notified()).await.is_ok() && !gather.is_zero() {
        sleep(gather).await;
    }
}

fn note(metrics: &ControllerMetrics, name: &str, error: &ReconcileError, delay: Duration) {
    metrics.failed(error.cause.as_ref());
    // Another process wrote or leads: the next pass observes what is there.
    if matches!(error.cause, Some(Cause::Conflict | Cause::NotLeading)) {
        tracing::debug!(%error, "{name}: observing again");
    } else {
        tracing::warn!(%error, again_in = ?delay, "{name}: reconciling failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Loops;
    use tokio::sync::watch;
    use tokio::time::Instant;

    /// Gives its answers one after another, the last one forever, and records when it was called.
    struct Scripted {
        answers: Vec<Result<Requeue, Option<Cause>>>,
        asked: watch::Sender<Vec<Duration>>,
        stood_by: watch::Sender<usize>,
        begun: Instant,
    }

    impl Reconciler for Scripted {
        const NAME: &'static str = "scripted";
        const BACKOFF: Delays = Delays { first: Duration::from_secs(1), longest: Duration::from_secs(4) };
        const DEBOUNCE: Duration = Duration::from_millis(200);

        async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
            self.asked.send_modify(|asked| asked.push(self.begun.elapsed()));
            let answer = if self.answers.len() > 1 { self.answers.remove(0) } else { self.answers[0].clone() };
            answer.map_err(|cause| ReconcileError { text: "no".to_owned(), cause })
        }

        fn stand_by(&mut self) {
            self.stood_by.send_modify(|times| *times += 1);
        }
    }

    struct Scene {
        grant: watch::Sender<Option<Instant>>,
        asked: watch::Receiver<Vec<Duration>>,
        stood_by: watch::Receiver<usize>,
        wake: std::sync::Arc<Notify>,
        loops: Loops,
    }

    impl Scene {
        fn begin(answers: &[Result<Requeue, Option<Cause>>]) -> Self {
            let (grant, leadership) = Leadership::scripted();
            let ((asked, seen), (standing, stood_by)) = (watch::channel(Vec::new()), watch::channel(0));
            let wake = std::sync::Arc::new(Notify::new());
            let mut reconciler =
                Scripted { answers: answers.to_vec(), asked, stood_by: standing, begun: Instant::now() };
            let bell = std::sync::Arc::clone(&wake);
            let (metrics, loops) = (ControllerMetrics::default(), Loops::default());
            let progress = loops.register("scripted", PASS_STALL_TIMEOUT);
            tokio::task::spawn_local(async move { run(leadership, &metrics, &progress, &mut reconciler, &bell).await });
            Self { grant, asked: seen, stood_by, wake, loops }
        }

        fn granted(self) -> Self {
            self.grant.send_replace(Some(Instant::now() + Duration::from_hours(1)));
            self
        }

        /// The times of its calls in milliseconds, once there were so many.
        async fn asked(&mut self, times: usize) -> Vec<u128> {
            let all = self.asked.wait_for(|asked| asked.len() >= times).await.unwrap();
            all.iter().map(Duration::as_millis).collect()
        }
    }

    async fn local(test: impl Future<Output = ()>) {
        tokio::task::LocalSet::new().run_until(test).await;
    }

    const HOUR: Requeue = Requeue::After(Duration::from_hours(1));

    #[tokio::test(start_paused = true)]
    async fn what_fails_is_tried_again_after_a_backoff_that_a_success_resets() {
        local(async {
            let failed = Err(Some(Cause::Conflict));
            let rest = Ok(Requeue::After(Duration::from_secs(10)));
            let mut scene =
                Scene::begin(&[failed.clone(), failed.clone(), failed.clone(), failed.clone(), rest, failed, Ok(HOUR)])
                    .granted();
            assert_eq!(scene.asked(7).await, [0, 1000, 3000, 7000, 11_000, 21_000, 22_000]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_cuts_a_rest_short_and_is_gathered_and_cuts_no_failure_short() {
        local(async {
            let mut scene = Scene::begin(&[Ok(HOUR), Err(None), Ok(HOUR)]).granted();
            scene.asked(1).await;
            scene.wake.notify_one();
            assert_eq!(scene.asked(2).await, [0, 200]);
            scene.wake.notify_one();
            // The failure's delay, then the change that came meanwhile.
            assert_eq!(scene.asked(4).await, [0, 200, 1200, 1400]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn changes_that_do_not_last_are_made_less_often() {
        local(async {
            let mut scene = Scene::begin(&[Ok(Requeue::Now)]).granted();
            let asked = scene.asked(2 * MAX_CHANGES as usize + 2).await;
            assert_eq!(asked[MAX_CHANGES as usize], 0);
            assert_eq!(asked[MAX_CHANGES as usize + 1], 1000);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn neither_a_rest_nor_a_standby_is_a_stall() {
        local(async {
            let mut scene = Scene::begin(&[Ok(HOUR)]);
            sleep(Duration::from_mins(40)).await;
            assert_eq!(scene.loops.stalled(), [""; 0]);
            scene.grant.send_replace(Some(Instant::now() + Duration::from_hours(2)));
            scene.asked(1).await;
            sleep(Duration::from_mins(40)).await;
            assert_eq!(scene.loops.stalled(), [""; 0]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_never_ends_is_a_stall() {
        struct Stuck;
        impl Reconciler for Stuck {
            const NAME: &'static str = "stuck";
            const BACKOFF: Delays = Delays { first: Duration::from_secs(1), longest: Duration::from_secs(4) };
            async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
                std::future::pending().await
            }
            fn stand_by(&mut self) {}
        }
        let (grant, leadership) = Leadership::scripted();
        grant.send_replace(Some(Instant::now() + Duration::from_hours(2)));
        let (metrics, loops, wake) = (ControllerMetrics::default(), Loops::default(), Notify::new());
        let progress = loops.register(Stuck::NAME, PASS_STALL_TIMEOUT);
        let _ = timeout(
            PASS_STALL_TIMEOUT + Duration::from_secs(1),
            run(leadership, &metrics, &progress, &mut Stuck, &wake),
        )
        .await;
        assert_eq!(loops.stalled().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_reconciled_without_the_lease_and_its_loss_is_noticed_while_resting() {
        local(async {
            let mut scene = Scene::begin(&[Ok(HOUR)]);
            scene.stood_by.wait_for(|times| *times == 1).await.unwrap();
            assert!(scene.asked.borrow().is_empty());
            scene.grant.send_replace(Some(Instant::now() + Duration::from_secs(10)));
            scene.asked(1).await;
            // Nobody renews it, so it expires in the middle of the wait.
            scene.stood_by.wait_for(|times| *times == 2).await.unwrap();
            assert_eq!(scene.asked(1).await.len(), 1);
            scene.grant.send_replace(Some(Instant::now() + Duration::from_secs(10)));
            assert_eq!(scene.asked(2).await, [0, 10_000]);
        })
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_wakes_the_loop_and_a_watch_that_broke_is_counted_and_wakes_nobody() {
        let (metrics, wake) = (ControllerMetrics::default(), Notify::new());
        let broken = ClusterError { what: "watching a".to_owned(), cause: Cause::Unreadable };
        on_watch_event(&metrics, Some(broken), &wake);
        assert!(timeout(Duration::from_secs(1), wake.notified()).await.is_err());
        assert!(metrics.text().unwrap().contains("errors_total{kind=\"unreadable\"} 1"));
        on_watch_event(&metrics, None, &wake);
        assert!(timeout(Duration::from_secs(1), wake.notified()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_fails_is_counted_by_its_cause_and_the_loop_goes_on() {
        let server = crate::cluster::scripted::ApiServer::default();
        let (context, _lease) = crate::controller::scripted::context(&server, "");
        let ((asked, seen), (stood_by, _)) = (watch::channel(Vec::new()), watch::channel(0));
        let answers = vec![Err(Some(Cause::Conflict)), Err(None), Err(Some(Cause::Conflict)), Ok(HOUR)];
        let mut reconciler = Scripted { answers, asked, stood_by, begun: Instant::now() };
        let wake = Notify::new();
        let driving = timeout(Duration::from_mins(1), drive(&context, &mut reconciler, &wake));
        assert!(driving.await.is_err(), "it never ends");
        assert_eq!(seen.borrow().len(), 4);
        let text = context.metrics.text().unwrap();
        assert!(text.contains("errors_total{kind=\"conflict\"} 2") && text.contains("errors_total{kind=\"other\"} 1"));
    }
}
