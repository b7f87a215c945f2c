//! Reconciles the credential: observe, plan, execute one change, observe again.

use super::action::{Action, CredentialStatus, NextStep, Plan};
use super::argocd_probe::{CredentialMemory, MeteredServer};
use super::execute::{ExecuteError, Executor, is_conflict};
use super::health;
use super::id::Prefix;
use super::observe::{Observed, Observer};
use super::plan::{Timing, plan};
use super::publish::{KeyFacts, StatusPublisher};
use super::reach::{Reach, base};
use super::snapshot::Transient;
use super::source::{self, Sources};
use super::watch::watch;
use crate::argocd::Server;
use crate::cluster::{Cause, ClusterError, call};
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue, drive};
use crate::controller::{Context, CredentialHealth, state};
use crate::time::Seconds;
use crate::time::seconds;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use ring::rand::{SecureRandom, SystemRandom};
use std::time::Duration;
use tokio::sync::Notify;

/// The first delay of the backoff, doubled up to the longest.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest delay of the backoff. Each pass may send a login, which costs Argo CD a second of work.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The longest `Retry-After` of a server that is respected, in seconds.
const MAX_RETRY_AFTER: Seconds = 600;
/// The delay before observing again what is about to change.
const SOON_DELAY: Duration = Duration::from_millis(500);

/// Reconciles the credential.
pub(super) struct CredentialReconciler {
    context: Context,
    /// `None` until the namespace's uid was read.
    prefix: Option<Prefix>,
    memory: CredentialMemory,
    reach: Reach,
    publisher: StatusPublisher,
}

impl CredentialReconciler {
    pub(super) fn new(context: Context) -> Self {
        let server = base(&context).map_or_else(|error| error.to_string(), |base| base.to_string());
        Self {
            prefix: None,
            memory: CredentialMemory::default(),
            reach: Reach::default(),
            publisher: StatusPublisher::new(context.clone(), server),
            context,
        }
    }

    /// Runs forever, while this process leads.
    pub(super) async fn run(mut self) {
        let (wake, context) = (Notify::new(), self.context.clone());
        tokio::select! {
            () = drive(&context, &mut self, &wake) => {}
            () = watch(&context, &wake) => {}
        }
    }

    async fn pass(&mut self) -> Result<Requeue, ClusterError> {
        let context = self.context.clone();
        let mut state = state::StateSecret::open(&context).await?;
        let sources = source::read(&context).await?;
        let prefix = self.prefix().await?;
        let mut reach = std::mem::take(&mut self.reach);
        let server = reach.server(&context).await;
        let result = match server {
            Ok(server) => {
                let from = Observer::new(&context, &prefix, &sources, &state, self.memory.succeeded.as_deref());
                let observed = from.observe(&mut self.memory, server.as_ref()).await;
                self.plan_and_execute(&mut state, &sources, &prefix, observed, server).await
            }
            Err(error) => Err(error),
        };
        self.reach = reach;
        result
    }

    /// The prefix of our keys' ids; reads the namespace's uid once.
    async fn prefix(&mut self) -> Result<Prefix, ClusterError> {
        if let Some(prefix) = &self.prefix {
            return Ok(prefix.clone());
        }
        let namespace = &self.context.options.namespace;
        let what = format!("reading namespace {namespace}, whose uid tells this cluster's keys from another's");
        let all: Api<Namespace> = Api::all(self.context.client.clone());
        let read = call(&what, all.get_metadata(namespace)).await?;
        let prefix = Prefix::new(namespace, read.metadata.uid.as_deref().unwrap_or_default());
        let prefix = prefix.ok_or(ClusterError { what, cause: Cause::Unreadable })?;
        Ok(self.prefix.insert(prefix).clone())
    }

    async fn plan_and_execute(
        &mut self,
        state: &mut state::StateSecret,
        sources: &Sources,
        prefix: &Prefix,
        observed: Observed,
        server: Result<&Server, Transient>,
    ) -> Result<Requeue, ClusterError> {
        let Observed { snapshot, held, current, seen_lists } = observed;
        let now = crate::time::now();
        if seen_lists {
            self.publisher.listed = (current, snapshot.left.clone());
        }
        let credentials = &self.context.settings.credentials;
        let check = jittered(credentials.check_interval);
        let terms = Timing { follow_after: seconds(credentials.follow_after), check: seconds(check).max(1) };
        let Plan { state: status, next } = plan(&snapshot, terms, now);
        tracing::debug!(state = status.name(), ?next, "planned");
        self.context.health.send_replace(health::of(&self.context, &status, &snapshot.login, sources, state, now));
        let key_id = held.as_ref().map(|held| held.id.as_str());
        let since =
            snapshot.record.valid.as_ref().filter(|(id, _)| Some(id.as_str()) == key_id).map(|(_, since)| *since);
        let known = KeyFacts { account: snapshot.account.as_deref(), key_id, valid_since: since };
        let action = match next {
            NextStep::Execute(action) => action,
            resting => {
                self.publisher.report(&status, known, sources.key_secret.as_ref()).await;
                let least =
                    if let CredentialStatus::Unavailable(trouble) = &status { trouble.retry_after } else { None };
                return Ok(match resting {
                    NextStep::RequeueSoon => Requeue::Soon(SOON_DELAY),
                    NextStep::WaitUntil(then) => Requeue::until(then, Duration::MAX),
                    NextStep::Backoff | NextStep::Execute(_) => backoff(least.unwrap_or(0)),
                });
            }
        };
        let Ok(server) = server else { return Ok(backoff(0)) };
        let asking = MeteredServer { server, metrics: &self.context.metrics.credential };
        let context = self.context.clone();
        let answers = snapshot.asked() && matches!(action, Action::Remember(_));
        let mut acting = Executor {
            context: &context,
            asking: &asking,
            state,
            memory: &mut self.memory,
            sources,
            prefix,
            seen: &snapshot,
            held: held.as_ref().map(|held| &held.token),
            now,
        };
        if acting.memory.succeeded.is_some() {
            // Remove the record that a successful login couldn't remove itself.
            match acting.forget_attempt().await {
                Ok(()) => {}
                Err(ExecuteError::Cluster(error)) => return Err(error),
                Err(_) => return Ok(backoff(0)),
            }
        }
        // If no minted key is ever accepted, or somebody else writes too, don't hurry.
        let gives_up = matches!(action, Action::Discard);
        match acting.execute(action).await {
            Ok(()) if gives_up => Ok(backoff(0)),
            Ok(()) => {
                if answers {
                    self.publisher.answer(&status, sources.key_secret.as_ref()).await;
                }
                Ok(Requeue::Now)
            }
            Err(ExecuteError::Cluster(error)) => Err(error),
            Err(ExecuteError::ArgoCd(trouble)) => {
                let least = trouble.retry_after.unwrap_or(0);
                self.publisher
                    .report(&CredentialStatus::Unavailable(trouble), known, sources.key_secret.as_ref())
                    .await;
                Ok(backoff(least))
            }
            Err(ExecuteError::Minor(trouble)) => {
                tracing::warn!("{}", trouble.text);
                self.publisher.report(&status, known, sources.key_secret.as_ref()).await;
                Ok(backoff(trouble.retry_after.unwrap_or(0)))
            }
        }
    }
}

impl Reconciler for CredentialReconciler {
    const NAME: &'static str = "credential";
    const BACKOFF: Delays = Delays { first: FIRST_DELAY, longest: LONGEST_DELAY };

    /// Observes, and executes at most one change.
    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        let requeue = match Box::pin(self.pass()).await {
            Ok(requeue) => requeue,
            Err(error) if is_conflict(&error) || error.cause == Cause::NotLeading => {
                tracing::debug!(%error, "observing again");
                Requeue::Soon(SOON_DELAY)
            }
            Err(error) if matches!(error.cause, Cause::Unavailable(_)) => {
                self.context.health.send_replace(CredentialHealth::unknown(error.to_string()));
                // No Event or status can be written now, and it says nothing about the credential.
                self.memory.session = None;
                return Err(error.into());
            }
            Err(error) => {
                self.context.health.send_replace(CredentialHealth::unknown(error.to_string()));
                self.context.metrics.failed(Some(&error.cause));
                self.publisher.report(&CredentialStatus::Hindered(error.to_string()), KeyFacts::default(), None).await;
                backoff(0)
            }
        };
        if matches!(requeue, Requeue::Backoff(_) | Requeue::After(_)) {
            self.memory.session = None;
        }
        Ok(requeue)
    }

    fn stand_by(&mut self) {
        // The next leader doesn't know them; what is left of them is retired.
        (self.memory.session, self.memory.fresh) = (None, None);
    }
}

/// A backoff of at least this many seconds, up to [`MAX_RETRY_AFTER`].
fn backoff(least: Seconds) -> Requeue {
    Requeue::Backoff(Duration::from_secs(u64::try_from(least.clamp(0, MAX_RETRY_AFTER)).unwrap_or(0)))
}

/// Up to a tenth less, so that many installations don't check in the same second.
fn jittered(time: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without random numbers there is no jitter, which does no harm.
    let _ = SystemRandom::new().fill(&mut byte);
    time.saturating_sub(time / 10 * u32::from(byte[0]) / 256)
}

#[cfg(test)]
mod tests;
