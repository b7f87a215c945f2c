//! Reconciles the rollout: observe, plan, execute one change, observe again.

use super::action::{Action, NextStep, Plan};
use super::execute::{Executed, carry_out, workloads};
use super::observe::{JudgedBy, WorkloadCache};
use super::persisted::StoredState;
use super::plan::plan;
use super::probe::ProbeResults;
use super::required::Required;
use super::snapshot::{Snapshot, WorkloadId};
use super::status::StatusPublisher;
use super::store::Store;
use super::tracked::{self, VALUES_ENTRY};
use super::verified::doubts;
use crate::cluster::ClusterError;
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue, drive};
use crate::controller::state::{self, StateSecret};
use crate::controller::{Consumers, Context};
use crate::drift::{PodFacts, TrackedKeys};
use crate::settings::Rollout;
use crate::time::{Seconds, now};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long changes are gathered before a pass, because they come in bursts.
const DEBOUNCE: Duration = Duration::from_millis(200);
/// The delay between two changes.
const ACT_DELAY: Duration = Duration::from_millis(100);
/// The longest time between two passes.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
/// The delay between two passes while something is waited for that no watch reports.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// For how many seconds a workload is left alone after a change to it was refused.
const REFUSED_DELAY: Seconds = 10;
/// For how many seconds after that the refusal is still reported, if the change isn't tried again.
const REFUSAL_REPORT_TIME: Seconds = 60;
/// The first delay after a failed pass, doubled up to the longest.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay after failed passes: an API server that is back is noticed within it.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// Runs the rollout's reconciler forever, while this process leads.
pub(in crate::controller) async fn run(context: Context) {
    let store = Store::default();
    let subjects = TrackedKeys::new(&context.settings);
    let mut reconciler = RolloutReconciler::new(&context, &subjects, &store);
    tokio::select! {
        () = store.follow(&context, &subjects) => {}
        () = Box::pin(drive(&context, &mut reconciler, &store.wake)) => {}
    }
}

struct RolloutMemory {
    state: StateSecret,
    held: StoredState,
}

struct RolloutReconciler<'k> {
    context: &'k Context,
    subjects: &'k TrackedKeys,
    store: &'k Store,
    memory: Option<RolloutMemory>,
    known: WorkloadCache,
    required: Required,
    proofs: ProbeResults,
    publisher: StatusPublisher,
    held_back: BTreeMap<WorkloadId, (Seconds, String)>,
}

impl<'k> RolloutReconciler<'k> {
    /// A reconciler that has observed nothing yet.
    fn new(context: &'k Context, subjects: &'k TrackedKeys, store: &'k Store) -> Self {
        Self {
            context,
            subjects,
            store,
            memory: None,
            known: WorkloadCache::default(),
            required: Required::default(),
            proofs: ProbeResults::default(),
            publisher: StatusPublisher::default(),
            held_back: BTreeMap::new(),
        }
    }

    /// Observes, and executes at most one change.
    async fn pass(&mut self) -> Result<Requeue, ClusterError> {
        let Some(pods) = self.store.pods(self.subjects.injector.services().len()) else {
            return Ok(Requeue::After(POLL_INTERVAL));
        };
        let mut memory = match self.memory.take() {
            Some(memory) => memory,
            None => self.load_memory().await?,
        };
        if self.store.secrets_changed() {
            let noted = tracked::note(self.context, self.subjects, &memory.state, &mut memory.held.history).await;
            if noted.inspect_err(|_| self.store.mark_secrets_changed())? {
                memory.state.put(self.context, VALUES_ENTRY, Some(&memory.held.history)).await?;
            }
        }
        let automatic = self.context.settings.rollout == Rollout::Automatic;
        self.held_back.retain(|_, (until, _)| now() < *until + REFUSAL_REPORT_TIME);
        let mut seen = self.observe(&memory.held, automatic, pods).await?;
        let planned = if automatic {
            self.plan(&mut seen).await?
        } else {
            Plan { next: NextStep::WaitUntil(Seconds::MAX), waiting: BTreeMap::new(), wants_credential: false }
        };
        self.context
            .login_wanted
            .send_if_modified(|wanted| std::mem::replace(wanted, planned.wants_credential) != planned.wants_credential);
        StatusPublisher::count(self.context, &seen, &planned.waiting);
        let again = self.publisher.publish(self.context, &seen, &planned.waiting).await?;
        self.publisher.report(self.context, &self.known, &seen, &planned.waiting).await;
        let requeue = match planned.next {
            NextStep::Execute(action, record) => {
                let acted = carry_out(self.context, &mut memory.state, &action, &record).await?;
                memory.held.record = record;
                self.note(&action, acted).await;
                Requeue::After(ACT_DELAY)
            }
            NextStep::ProbeWebhook(_) => Requeue::After(POLL_INTERVAL),
            NextStep::WaitUntil(_) if again || !planned.waiting.is_empty() => Requeue::After(POLL_INTERVAL),
            NextStep::WaitUntil(until) => Requeue::until(until, RESYNC_INTERVAL),
        };
        self.memory = Some(memory);
        Ok(requeue)
    }

    async fn load_memory(&self) -> Result<RolloutMemory, ClusterError> {
        let state = StateSecret::open(self.context).await?;
        // Without what was remembered, all Secrets have to be read again.
        self.store.mark_secrets_changed();
        let held = StoredState::of(&state, &self.subjects.injector);
        Ok(RolloutMemory { state, held })
    }

    /// Makes a snapshot of the watched pods and everything that they depend on.
    async fn observe(
        &mut self,
        held: &StoredState,
        automatic: bool,
        pods: Vec<PodFacts>,
    ) -> Result<Snapshot, ClusterError> {
        let StoredState { history, record, settings } = held;
        let (injector, cache) = (&self.subjects.injector, self.context.options.kubelet_cache);
        let by = JudgedBy { injector, history, record, settings, cache, automatic };
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
            record: record.clone(),
            settings: settings.clone(),
            held_back: self.held_back.clone(),
            ..Snapshot::default()
        })
    }

    /// Plans; if the plan asks for a probe of the webhook, probes and plans again.
    async fn plan(&mut self, seen: &mut Snapshot) -> Result<Plan, ClusterError> {
        seen.proofs = self.proofs.now();
        let planned = plan(seen, now());
        let NextStep::ProbeWebhook(services) = &planned.next else { return Ok(planned) };
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
            Executed::Done => self.publisher.acted(self.context, &self.known, action).await,
            Executed::Gone => {}
            Executed::Refused(why) => {
                tracing::info!(%workload, why, "refused; trying again later");
                self.held_back.insert(workload.clone(), (now() + REFUSED_DELAY, why));
            }
        }
    }
}

impl Reconciler for RolloutReconciler<'_> {
    const NAME: &'static str = "rollout";
    const BACKOFF: Delays = Delays { first: FIRST_DELAY, longest: LONGEST_DELAY };
    const DEBOUNCE: Duration = DEBOUNCE;

    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        self.pass().await.map_err(|error| {
            // What is held in memory may be what couldn't be written.
            self.memory = None;
            error.into()
        })
    }

    fn stand_by(&mut self) {
        // Another process may write from now on, so what is remembered here may be outdated.
        self.memory = None;
        state::forget(self.context);
        StatusPublisher::nothing_seen(self.context);
        self.context.consumers.send_replace(Consumers::Unknown);
    }
}

#[cfg(test)]
mod tests;
