//! The loop: look, plan, do the one thing, look again.

use super::action::{Next, Plan, Step};
use super::execute::{ExecuteError, Executor};
use super::lifetimes::Lifetimes;
use super::observe::{Objects, Observed, observe};
use super::plan::plan;
use super::snapshot::Snapshot;
use crate::cluster::{Cause, ClusterError, call, disown, endpoints, has_owner, merge_if, owner_reference, watch_named};
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue, drive};
use crate::controller::metrics::CertificateKind;
use crate::controller::{Certificates, Context};
use crate::pki::{self, peer_chain};
use crate::time;
use crate::time::Seconds;
use futures_util::StreamExt;
use futures_util::future::join_all;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::Notify;

/// For the handshake with an endpoint: it is in the same cluster.
const HANDSHAKE: Duration = Duration::from_secs(3);
/// How often endpoints are looked at while a rotation waits for them.
const POLL: Seconds = 2;
/// The longest time without a look, should a watch have missed something.
const RESYNC: Seconds = 60;
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(15);

impl Context {
    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    pub(super) async fn secret(&self, name: &str) -> Result<Option<Secret>, ClusterError> {
        let what = format!("reading Secret {}/{name}", self.options.namespace);
        call(&what, self.secrets().get_opt(name)).await
    }

    pub(super) async fn configuration(&self) -> Result<Option<MutatingWebhookConfiguration>, ClusterError> {
        let name = &self.options.webhook_configuration;
        let what = format!("reading MutatingWebhookConfiguration {name}");
        call(&what, self.configurations().get_opt(name)).await
    }

    /// The owner of what is made, if it can be found.
    pub(super) async fn owner(&self) -> Option<Value> {
        crate::controller::process::owner(&self.client, &self.options).await
    }

    /// Gives what was made without an owner, or for one that is gone, its owner.
    async fn adopt(&self, objects: &Objects) -> Result<(), ClusterError> {
        let Some(account) = &self.options.service_account else { return Ok(()) };
        let owner = match owner_reference(&self.client, &self.options.namespace, account).await {
            // Said where something is made; certificates don't wait for it.
            Err(error) if !matches!(error.cause, Cause::Unavailable(_)) => return Ok(()),
            owner => owner?,
        };
        for secret in [&objects.ca, &objects.serving].into_iter().flatten() {
            let name = secret.metadata.name.as_deref().unwrap_or_default();
            if !has_owner(&secret.metadata, &owner) && self.leadership.may_write() {
                let patch = json!({ "metadata": { "ownerReferences": [owner] } });
                let what = format!("giving Secret {}/{name} its owner", self.options.namespace);
                let version = secret.metadata.resource_version.as_deref();
                merge_if::<Secret>(&self.secrets(), &what, name, version, patch).await?;
            }
        }
        Ok(())
    }

    /// Gives up the ownership that writing `caBundle` brought, so that whoever applies the
    /// configuration can remove an entry of it.
    pub(super) async fn disown(&self, configuration: &MutatingWebhookConfiguration) -> Result<(), ClusterError> {
        let name = &self.options.webhook_configuration;
        let what = format!("giving up caBundle of MutatingWebhookConfiguration {name} to whoever applies it");
        if self.leadership.may_write() && disown(&self.configurations(), &what, name, &configuration.metadata).await? {
            tracing::debug!("caBundle stands there without an owner");
        }
        Ok(())
    }

    /// Rings whenever one of the objects changes; never ends.
    pub(super) async fn watch(&self, bell: &Notify) {
        let (ca, serving) = (self.options.ca_secret(), &self.options.serving_secret);
        let mut ca = pin!(watch_named(self.secrets(), &ca));
        let mut serving = pin!(watch_named(self.secrets(), serving));
        let mut configuration = pin!(watch_named(self.configurations(), &self.options.webhook_configuration));
        // Where somebody else makes the certificates there is no CA of ours, and no permission to look.
        let ours = matches!(self.options.certificates, Certificates::SelfManaged(_));
        loop {
            let failed = tokio::select! {
                Some(seen) = ca.next(), if ours => seen.err(),
                Some(seen) = serving.next() => seen.err(),
                Some(seen) = configuration.next() => seen.err(),
                else => return,
            };
            match failed {
                // Passes read by themselves, so that nothing is missed for long.
                Some(error) => {
                    self.metrics.failed(Some(&error.cause));
                    tracing::debug!(%error, "a watch broke; trying on");
                }
                None => bell.notify_one(),
            }
        }
    }
}

/// The backoff of certificates, whoever makes them.
pub(super) const BACKOFF: Delays = Delays { first: FIRST_DELAY, longest: LONGEST_DELAY };

/// Reconciles, and wakes whenever one of the objects changes; never ends.
pub(super) async fn run<R: Reconciler>(context: &Context, mut reconciler: R) {
    let wake = Notify::new();
    tokio::select! {
        () = drive(context, &mut reconciler, &wake) => {}
        () = context.watch(&wake) => {}
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

/// Makes, renews and rotates the webhook's certificates.
pub struct CertificateReconciler {
    context: Context,
    terms: Lifetimes,
}

impl CertificateReconciler {
    /// With these terms.
    #[must_use]
    pub const fn new(context: Context, terms: Lifetimes) -> Self {
        Self { context, terms }
    }

    /// Reconciles while this process may write; never ends.
    pub async fn run(self) {
        let context = self.context.clone();
        Box::pin(run(&context, self)).await;
    }

    /// One observation and at most one write.
    async fn pass(&self) -> Result<Requeue, ExecuteError> {
        let context = &self.context;
        let options = &context.options;
        // One after the other, always fresh: a watch's copy could be behind what this process wrote.
        let objects = Objects {
            ca: context.secret(&options.ca_secret()).await?,
            serving: context.secret(&options.serving_secret).await?,
            configuration: context.configuration().await?,
        };
        // After the look: what is remembered as seen since then was there then.
        let now = time::now();
        let observed = self.observe(&objects, None, now);
        self.count(&observed);
        let mut planned = plan(&observed.snapshot, &self.terms, now);
        let mut observed = observed;
        if planned.next == Next::Look {
            let shown = self.look().await?;
            let now = time::now();
            observed = self.observe(&objects, Some(&shown), now);
            planned = plan(&observed.snapshot, &self.terms, now);
        }
        let Plan { step, next } = planned;
        context.metrics.step(step);
        context.metrics.unmoved(if step == Step::Proving { unmoved(&observed.snapshot) } else { 0 });
        tracing::debug!(?step, ?next, "planned");
        match next {
            Next::Do(action) => {
                if context.leadership.may_write() {
                    let terms = &self.terms;
                    let now = time::now();
                    Executor { context, terms, objects: &objects, observed: &observed, now }.execute(action).await?;
                }
                Ok(Requeue::Now)
            }
            Next::Look => Ok(Requeue::After(FIRST_DELAY)),
            Next::Wait(until, poll) => {
                context.adopt(&objects).await?;
                if let Some(configuration) = &objects.configuration {
                    context.disown(configuration).await?;
                }
                let longest = if poll { POLL } else { RESYNC };
                let seconds = (until.saturating_sub(time::now())).clamp(0, longest);
                Ok(Requeue::After(Duration::from_secs(u64::try_from(seconds).unwrap_or(0))))
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

    /// What every endpoint shows; nothing for one that can't be reached.
    async fn look(&self) -> Result<Vec<Option<Vec<CertificateDer<'static>>>>, ClusterError> {
        let options = &self.context.options;
        let found = endpoints(&self.context.client, &options.namespace, &options.service, options.service_port).await?;
        let name = options.server_name();
        let looking = found.iter().map(async |endpoint| match peer_chain(endpoint.address, &name, HANDSHAKE).await {
            Ok(chain) => Some(chain),
            Err(error) => {
                tracing::info!(endpoint = endpoint.name(), %error, "a rotation waits for an endpoint");
                None
            }
        });
        Ok(join_all(looking).await)
    }

    fn count(&self, observed: &Observed) {
        let metrics = &self.context.metrics;
        let snapshot = &observed.snapshot;
        let ca = snapshot.next.held().or(snapshot.current.held()).map_or(0, |ca| ca.validity.to);
        metrics.expires(CertificateKind::Ca, ca);
        metrics.expires(CertificateKind::Leaf, snapshot.serving.held().map_or(0, |leaf| leaf.validity.to));
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

/// How many endpoints show nothing of the CA that takes over.
fn unmoved(snapshot: &Snapshot) -> usize {
    let target = snapshot.next.held().or(snapshot.current.held()).map(|ca| ca.id);
    let moved = |ids: &[pki::Id]| target.is_some_and(|target| ids.contains(&target));
    snapshot.endpoints.iter().flatten().filter(|endpoint| !moved(&endpoint.verified_by)).count()
}
