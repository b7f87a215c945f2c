//! The loop: look, plan, do the one thing, look again.

use super::action::{Action, CredentialStatus, Decision, Plan, Requeue};
use super::argocd_probe::{Asking, LocalState};
use super::execute::{ExecuteError, Executor, is_conflict};
use super::id::Prefix;
use super::observe::{Observation, Observer};
use super::plan::{Timing, plan};
use super::publish::{Known, StatusPublisher};
use super::reach::{Reach, base};
use super::snapshot::Transient;
use super::source::{self, Sources};
use super::watch::watch;
use crate::argocd::Server;
use crate::cluster::{Cause, ClusterError};
use crate::controller::{Context, state};
use crate::time;
use crate::time::Seconds;
use ring::rand::{SecureRandom, SystemRandom};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest time between two tries while something is in the way. Each may be a login, which costs
/// Argo CD a second of work.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The longest time for which a server may ask to be left alone.
const LONGEST_LEAVE: Seconds = 600;
/// Between two looks at what is about to change.
const SOON: Duration = Duration::from_millis(500);
const POLL_LEASE: Duration = Duration::from_secs(1);
/// So many changes in a row are no longer what a plan is about; something undoes them.
const MOST_STEPS: u32 = 30;

/// How to go on.
enum Rest {
    /// At once.
    None,
    /// In a moment, with the same session.
    Soon,
    /// After a while that grows; at least so many seconds.
    Later(Seconds),
    /// At this time, or when something changes.
    Until(Seconds),
}

/// Keeps the credential.
pub(super) struct CredentialReconciler {
    context: Context,
    prefix: Prefix,
    memory: LocalState,
    reach: Reach,
    teller: StatusPublisher,
    steps: u32,
    delay: Duration,
}

impl CredentialReconciler {
    pub(super) fn new(context: Context) -> Self {
        let server = base(&context).map_or_else(|error| error, |base| base.to_string());
        Self {
            prefix: Prefix::new(&context.options.namespace),
            memory: LocalState::default(),
            reach: Reach::default(),
            teller: StatusPublisher::new(context.clone(), server),
            steps: 0,
            delay: FIRST_DELAY,
            context,
        }
    }

    /// Keeps at it; never ends.
    pub(super) async fn run(mut self) {
        let bell = Notify::new();
        let context = self.context.clone();
        let work = async {
            let mut leadership = self.context.leadership.clone();
            loop {
                while timeout(POLL_LEASE, leadership.granted()).await.is_err() {
                    // Whoever leads now knows nothing of these, and whatever is left of them is
                    // retired.
                    (self.memory.session, self.memory.fresh) = (None, None);
                }
                let rest = Box::pin(self.pass()).await;
                self.rest(rest, &bell).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = watch(&context, &bell) => {}
        }
    }

    async fn rest(&mut self, rest: Rest, bell: &Notify) {
        let rest = match rest {
            Rest::None if self.steps >= MOST_STEPS => {
                tracing::warn!(steps = self.steps, "changes do not last; somebody undoes them");
                Rest::Later(0)
            }
            rest => rest,
        };
        match rest {
            Rest::None => self.steps += 1,
            Rest::Soon => sleep(SOON).await,
            Rest::Later(least) => {
                self.memory.session = None;
                self.steps = 0;
                let least = Duration::from_secs(u64::try_from(least.clamp(0, LONGEST_LEAVE)).unwrap_or(0));
                let _ = timeout(jittered(self.delay).max(least), bell.notified()).await;
                self.delay = (self.delay * 2).min(LONGEST_DELAY);
            }
            Rest::Until(then) => {
                self.memory.session = None;
                (self.steps, self.delay) = (0, FIRST_DELAY);
                let seconds = u64::try_from(then.saturating_sub(time::now())).unwrap_or(0);
                // Not at once, should the clock not have moved on.
                let wait = Duration::from_secs(seconds).max(Duration::from_millis(250));
                let _ = timeout(wait, bell.notified()).await;
            }
        }
    }

    /// One look and at most one change.
    async fn pass(&mut self) -> Rest {
        match self.look_and_act().await {
            Ok(rest) => rest,
            Err(error) if is_conflict(&error) => {
                tracing::debug!(%error, "looking again");
                self.steps += 1;
                Rest::Soon
            }
            Err(error) if error.cause == Cause::NotLeading => Rest::Soon,
            Err(error) => {
                self.context.metrics.failed(Some(&error.cause));
                if matches!(error.cause, Cause::Unavailable(_)) {
                    // Nobody could be told, and it says nothing about the credential.
                    tracing::warn!(%error, again_in = ?self.delay, "keeping the credential failed");
                } else {
                    self.teller.report(&CredentialStatus::Hindered(error.to_string()), Known::default(), None).await;
                }
                Rest::Later(0)
            }
        }
    }

    async fn look_and_act(&mut self) -> Result<Rest, ClusterError> {
        let context = self.context.clone();
        let mut state = state::State::open(&context).await?;
        let sources = source::read(&context).await?;
        let prefix = self.prefix.clone();
        let mut reach = std::mem::take(&mut self.reach);
        let server = reach.server(&context).await;
        let result = match server {
            Ok(server) => {
                let looking = Observer::new(&context, &prefix, &sources, &state, self.memory.succeeded);
                let looked = looking.look(&mut self.memory, server.as_ref()).await;
                self.go_on(&mut state, &sources, looked, server).await
            }
            Err(error) => Err(error),
        };
        self.reach = reach;
        result
    }

    async fn go_on(
        &mut self,
        state: &mut state::State,
        sources: &Sources,
        looked: Observation,
        server: Result<&Server, Transient>,
    ) -> Result<Rest, ClusterError> {
        let Observation { snapshot, held, current, seen_lists } = looked;
        let now = time::now();
        if seen_lists {
            self.teller.listed = (current, snapshot.left.clone());
        }
        let credentials = &self.context.settings.credentials;
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let check = jittered(credentials.check_interval);
        let terms = Timing { follow_after: seconds(credentials.follow_after), check: seconds(check).max(1) };
        let Plan { state: how, next } = plan(&snapshot, terms, now);
        tracing::debug!(state = how.name(), ?next, "planned");
        let key_id = held.as_ref().map(|held| held.id.as_str());
        let since =
            snapshot.marks.valid.as_ref().filter(|(id, _)| Some(id.as_str()) == key_id).map(|(_, since)| *since);
        let known = Known { account: snapshot.account.as_deref(), key_id, valid_since: since };
        let action = match next {
            Decision::Act(action) => action,
            resting => {
                self.teller.report(&how, known, sources.key_secret.as_ref()).await;
                let least = if let CredentialStatus::Unavailable(trouble) = &how { trouble.retry_after } else { None };
                return Ok(match resting {
                    Decision::Requeue(Requeue::Soon) => Rest::Soon,
                    Decision::Requeue(Requeue::At(then)) => Rest::Until(then),
                    Decision::Requeue(Requeue::Backoff) | Decision::Act(_) => Rest::Later(least.unwrap_or(0)),
                });
            }
        };
        let Ok(server) = server else { return Ok(Rest::Later(0)) };
        let asking = Asking { server, metrics: &self.context.metrics.credential };
        let context = self.context.clone();
        let answers = snapshot.asked() && matches!(action, Action::Remember(_));
        let mut acting = Executor {
            context: &context,
            asking: &asking,
            state,
            memory: &mut self.memory,
            sources,
            prefix: &self.prefix,
            seen: &snapshot,
            held: held.as_ref().map(|held| &held.token),
            now,
        };
        if acting.memory.succeeded {
            // What a login that succeeded could not take away itself.
            match acting.forget_attempt().await {
                Ok(()) => {}
                Err(ExecuteError::Cluster(error)) => return Err(error),
                Err(_) => return Ok(Rest::Later(0)),
            }
        }
        // Where no key that is made is ever accepted, or somebody else writes as well, there is no hurry.
        let gives_up = matches!(action, Action::Discard);
        match acting.execute(action).await {
            Ok(()) if gives_up => Ok(Rest::Later(0)),
            Ok(()) => {
                if answers {
                    self.teller.answer(&how, sources.key_secret.as_ref()).await;
                }
                Ok(Rest::None)
            }
            Err(ExecuteError::Cluster(error)) => Err(error),
            Err(ExecuteError::ArgoCd(trouble)) => {
                let least = trouble.retry_after.unwrap_or(0);
                self.teller.report(&CredentialStatus::Unavailable(trouble), known, sources.key_secret.as_ref()).await;
                Ok(Rest::Later(least))
            }
            Err(ExecuteError::Minor(trouble)) => {
                tracing::warn!("{}", trouble.text);
                self.teller.report(&how, known, sources.key_secret.as_ref()).await;
                Ok(Rest::Later(trouble.retry_after.unwrap_or(0)))
            }
        }
    }
}

/// Up to a tenth less: many installations don't look in one second.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without randomness there is no jitter, and no harm.
    let _ = SystemRandom::new().fill(&mut byte);
    time.saturating_sub(time / 10 * u32::from(byte[0]) / 256)
}
