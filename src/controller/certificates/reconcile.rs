//! Reconciles certificates that this controller creates: observe, plan, execute one action, observe again.

use super::action::{NextStep, Plan};
use super::execute::{ExecuteError, Executor};
use super::lifetimes::Lifetimes;
use super::objects::{adopt, release_field_ownership, watch};
use super::observe::{Objects, Observed, observe, probe_endpoints, read};
use super::plan::plan;
use super::status::{count_expiry, count_progress};
use crate::controller::Context;
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue, drive};
use crate::time;
use crate::time::Seconds;
use rustls::pki_types::CertificateDer;
use std::time::Duration;
use tokio::sync::Notify;

/// How often endpoints are polled while a rotation waits for them.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The longest time between two passes, in case a watch missed something.
const RESYNC_INTERVAL: Duration = Duration::from_mins(1);
/// The first delay after a failed pass, doubled up to the longest.
const FIRST_DELAY: Duration = Duration::from_millis(500);
/// The longest delay after failed passes: an API server that is back is noticed within it.
const LONGEST_DELAY: Duration = Duration::from_secs(15);

/// The backoff for certificates, whoever creates them.
pub(super) const BACKOFF: Delays = Delays { first: FIRST_DELAY, longest: LONGEST_DELAY };

/// Runs a reconciler forever, woken when one of the objects changes.
pub(super) async fn run<R: Reconciler>(context: &Context, mut reconciler: R) {
    let wake = Notify::new();
    tokio::select! {
        () = drive(context, &mut reconciler, &wake) => {}
        () = watch(context, &wake) => {}
    }
}

impl From<ExecuteError> for ReconcileError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Cluster(error) => error.into(),
            error => Self::other(error),
        }
    }
}

/// Creates, renews and rotates the webhook's certificates.
pub struct CertificateReconciler {
    context: Context,
    terms: Lifetimes,
}

impl CertificateReconciler {
    /// A reconciler with these lifetimes.
    #[must_use]
    pub const fn new(context: Context, terms: Lifetimes) -> Self {
        Self { context, terms }
    }

    /// Runs forever, while this process leads.
    pub async fn run(self) {
        let context = self.context.clone();
        Box::pin(run(&context, self)).await;
    }

    /// Observes, and executes at most one action. If there is none, mends owner references and field
    /// ownership.
    async fn pass(&self) -> Result<Requeue, ExecuteError> {
        let context = &self.context;
        let objects = read(context).await?;
        // Taken after reading: whatever is recorded as seen since then was there then.
        let now = time::now();
        let observed = self.observe(&objects, None, now);
        count_expiry(&context.metrics, &observed.snapshot);
        let mut planned = plan(&observed.snapshot, &self.terms, now);
        let mut observed = observed;
        if planned.next == NextStep::ProbeEndpoints {
            let shown = probe_endpoints(context).await?;
            let now = time::now();
            observed = self.observe(&objects, Some(&shown), now);
            planned = plan(&observed.snapshot, &self.terms, now);
        }
        let Plan { step, next, target } = planned;
        count_progress(&context.metrics, step, target, &observed.snapshot);
        tracing::debug!(?step, ?next, "planned");
        match next {
            NextStep::Execute(action) => {
                let (terms, now) = (&self.terms, time::now());
                Executor { context, terms, objects: &objects, observed: &observed, now }.execute(action).await?;
                Ok(Requeue::Now)
            }
            NextStep::ProbeEndpoints => Ok(Requeue::After(FIRST_DELAY)),
            NextStep::WaitUntil(until, poll) => {
                adopt(context, &objects).await?;
                if let Some(configuration) = &objects.configuration {
                    release_field_ownership(context, configuration).await?;
                }
                Ok(Requeue::until(until, if poll { POLL_INTERVAL } else { RESYNC_INTERVAL }))
            }
        }
    }

    fn observe(
        &self,
        objects: &Objects,
        shown: Option<&[Option<Vec<CertificateDer<'static>>>]>,
        now: Seconds,
    ) -> Observed {
        let options = &self.context.options;
        observe(objects, shown, &options.service_names(), &options.server_name(), now)
    }
}

impl Reconciler for CertificateReconciler {
    const NAME: &'static str = "certificates";
    const BACKOFF: Delays = BACKOFF;

    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        Ok(self.pass().await?)
    }

    fn stand_by(&mut self) {}
}

#[cfg(test)]
mod tests;
