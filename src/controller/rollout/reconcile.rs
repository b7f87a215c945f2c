//! Reconciling the rollout: observe, plan, execute one act, observe again.

use super::action::{Action, Next, Plan};
use super::execute::{Executed, carry_out, workloads};
use super::observe::{Judgement, Known};
use super::persisted::Persisted;
use super::plan::plan;
use super::probe::ProbeResults;
use super::required::Required;
use super::snapshot::{Snapshot, WorkloadId};
use super::status::StatusPublisher;
use super::store::Store;
use super::tracked::{self, VALUES};
use super::verified::doubts;
use crate::cluster::ClusterError;
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue, drive};
use crate::controller::state::{self, State};
use crate::controller::{Consumers, Context};
use crate::drift::{PodFacts, TrackedKeys};
use crate::settings::Rollout;
use crate::time::{Seconds, now};
use std::collections::BTreeMap;
use std::time::Duration;

/// Changes come in swarms; this long they are gathered.
const GATHER: Duration = Duration::from_millis(200);
/// Between two acts.
const ACT_DELAY: Duration = Duration::from_millis(100);
/// The longest time without a look.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// While something waits that no watch tells of.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How long a workload is left alone where something was refused.
const LEAVE_DELAY: Seconds = 10;
/// How long after that it is still said, if it isn't tried again.
const MAX_SAID: Seconds = 60;
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// Reconciles while this process may write; never ends.
pub(in crate::controller) async fn run(context: Context) {
    let store = Store::default();
    let subjects = TrackedKeys::new(&context.settings);
    let mut reconciler = RolloutReconciler::new(&context, &subjects, &store);
    tokio::select! {
        () = store.follow(&context, &subjects) => {}
        () = Box::pin(drive(&context, &mut reconciler, &store.bell)) => {}
    }
}

struct LocalState {
    state: State,
    held: Persisted,
}

struct RolloutReconciler<'k> {
    context: &'k Context,
    subjects: &'k TrackedKeys,
    store: &'k Store,
    memory: Option<LocalState>,
    known: Known,
    required: Required,
    proofs: ProbeResults,
    reporter: StatusPublisher,
    held_back: BTreeMap<WorkloadId, (Seconds, String)>,
}

impl<'k> RolloutReconciler<'k> {
    /// One that knows nothing yet.
    fn new(context: &'k Context, subjects: &'k TrackedKeys, store: &'k Store) -> Self {
        Self {
            context,
            subjects,
            store,
            memory: None,
            known: Known::default(),
            required: Required::default(),
            proofs: ProbeResults::default(),
            reporter: StatusPublisher::default(),
            held_back: BTreeMap::new(),
        }
    }

    /// One look and at most one act. Says how long to sleep if nothing changes.
    async fn pass(&mut self) -> Result<Requeue, ClusterError> {
        let Some(pods) = self.store.pods(self.subjects.injector.services().len()) else {
            return Ok(Requeue::After(POLL_INTERVAL));
        };
        let mut memory = match self.memory.take() {
            Some(memory) => memory,
            None => self.remember().await?,
        };
        if self.store.secrets_changed() {
            let noted = tracked::note(self.context, self.subjects, &memory.state, &mut memory.held.history).await;
            if noted.inspect_err(|_| self.store.look_at_secrets())? {
                memory.state.put(self.context, VALUES, Some(&memory.held.history)).await?;
            }
        }
        let automatic = self.context.settings.rollout == Rollout::Automatic;
        self.held_back.retain(|_, (until, _)| now() < *until + MAX_SAID);
        let mut seen = self.look(&memory.held, automatic, pods).await?;
        let planned = if automatic {
            self.plan(&mut seen).await?
        } else {
            Plan { next: Next::Wait(Seconds::MAX), waiting: BTreeMap::new(), wants_credential: false }
        };
        self.context
            .login_wanted
            .send_if_modified(|wanted| std::mem::replace(wanted, planned.wants_credential) != planned.wants_credential);
        StatusPublisher::count(self.context, &seen, &planned.waiting);
        let again = self.reporter.publish(self.context, &seen, &planned.waiting).await?;
        self.reporter.tell(self.context, &self.known, &seen, &planned.waiting).await;
        let idle = match planned.next {
            Next::Do(action, ledger) => {
                let acted = carry_out(self.context, &mut memory.state, &action, &ledger).await?;
                memory.held.ledger = ledger;
                self.note(&action, acted).await;
                ACT_DELAY
            }
            Next::Prove(_) => POLL_INTERVAL,
            Next::Wait(_) if again || !planned.waiting.is_empty() => POLL_INTERVAL,
            Next::Wait(until) => wait(until),
        };
        self.memory = Some(memory);
        Ok(Requeue::After(idle))
    }

    async fn remember(&self) -> Result<LocalState, ClusterError> {
        let state = State::open(self.context).await?;
        // Without what was remembered everything has to be looked at.
        self.store.look_at_secrets();
        let held = Persisted::of(&state, &self.subjects.injector);
        Ok(LocalState { state, held })
    }

    /// Puts the snapshot together.
    async fn look(&mut self, held: &Persisted, automatic: bool, pods: Vec<PodFacts>) -> Result<Snapshot, ClusterError> {
        let Persisted { history, ledger, settings } = held;
        let (injector, cache) = (&self.subjects.injector, self.context.options.kubelet_cache);
        let by = Judgement { injector, history, ledger, settings, cache, automatic };
        let (pods, workloads) = self.known.judge(workloads(self.context), by, pods).await?;
        let absent = self.required.absent(self.context, &pods).await?;
        let health = self.context.health.borrow().clone();
        Ok(Snapshot {
            doubts: doubts(&self.context.settings, injector, &health, history, now()),
            pods,
            absent,
            workloads,
            cache,
            history: history.clone(),
            ledger: ledger.clone(),
            settings: settings.clone(),
            held_back: self.held_back.clone(),
            ..Snapshot::default()
        })
    }

    /// Plans, and shows that the webhook injects where the plan asks for it.
    async fn plan(&mut self, seen: &mut Snapshot) -> Result<Plan, ClusterError> {
        seen.proofs = self.proofs.now();
        let planned = plan(seen, now());
        let Next::Prove(services) = &planned.next else { return Ok(planned) };
        self.proofs.show(self.context, &self.subjects.injector, services).await?;
        seen.proofs = self.proofs.now();
        Ok(plan(seen, now()))
    }

    /// Takes note of how an act went.
    async fn note(&mut self, action: &Action, acted: Executed) {
        let workload = match action {
            Action::Replace { workload, uid, .. } => {
                if !matches!(acted, Executed::Refused(_)) {
                    self.store.taken(uid);
                }
                workload
            }
            Action::Restart { workload, .. } => workload,
            Action::Remember => return,
        };
        if !matches!(acted, Executed::Refused(_)) {
            self.held_back.remove(workload);
        }
        if matches!(action, Action::Restart { .. }) {
            self.known.forget_state(workload);
        }
        match acted {
            Executed::Done => self.reporter.acted(self.context, &self.known, action).await,
            Executed::Gone => {}
            Executed::Refused(why) => {
                tracing::info!(%workload, why, "refused; trying again later");
                self.held_back.insert(workload.clone(), (now() + LEAVE_DELAY, why));
            }
        }
    }
}

impl Reconciler for RolloutReconciler<'_> {
    const NAME: &'static str = "rollout";
    const BACKOFF: Delays = Delays { first: FIRST_DELAY, longest: LONGEST_DELAY };
    const GATHER: Duration = GATHER;

    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        self.pass().await.map_err(|error| {
            // What is remembered may be what failed to be written.
            self.memory = None;
            error.into()
        })
    }

    fn stand_by(&mut self) {
        // Somebody else writes: what is remembered here is out of date from now on.
        self.memory = None;
        state::forget(self.context);
        StatusPublisher::nothing_seen(self.context);
        self.context.consumers.send_replace(Consumers::Unknown);
    }
}

fn wait(until: Seconds) -> Duration {
    let seconds = u64::try_from(until.saturating_sub(now())).unwrap_or(0);
    Duration::from_secs(seconds).clamp(Duration::from_millis(250), RESYNC_INTERVAL)
}

#[cfg(test)]
mod tests;
