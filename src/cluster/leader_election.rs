//! Leader election: a Lease that at most one process holds.
//!
//! Works like Kubernetes' own leader election: a process that has seen the Lease unchanged for its duration,
//! by its own clock, may take it. Clocks of different processes are never compared.
//!
//! No library, because those at hand (`kubert`, `kube-lease-manager`) compare the Lease's times with the
//! local clock, and tell whether a process leads, but not until when it may begin a write.

use super::error::{CALL_TIMEOUT, Cause, ClusterError};
use super::objects::{ensure_with_owner, find};
use super::write::{FIELD_MANAGER, merge_if};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use k8s_openapi::jiff::Timestamp;
use kube::{Api, Client};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How long other candidates wait after the last renewal; written as `leaseDurationSeconds`.
const LEASE_DURATION: Duration = Duration::from_secs(15);
/// The delay between two renewals.
const RENEW_INTERVAL: Duration = Duration::from_secs(5);
/// The delay after a failed renewal. A candidate looks at the Lease at twice this delay.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// How long after a renewal a write may begin. What has begun by then ends within [`LEASE_DURATION`].
const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// The longest `leaseDurationSeconds` of another holder that is believed. Other processes of this program
/// write [`LEASE_DURATION`]; four times that leaves room for another version. An absurd one, which anybody
/// who may patch the Lease can write, holds us up for a minute instead of forever.
const MAX_DURATION: Duration = Duration::from_mins(1);
/// The label that, with value [`FIELD_MANAGER`], marks an object as a release's of ours. No other Lease is
/// adopted.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

const _: () = assert!(
    RENEW_INTERVAL.as_secs() + CALL_TIMEOUT.as_secs() < RENEW_DEADLINE.as_secs(),
    "a renewal ends while writes may begin"
);
const _: () = assert!(
    RENEW_DEADLINE.as_secs() + CALL_TIMEOUT.as_secs() < LEASE_DURATION.as_secs(),
    "a write ends before the Lease does"
);

/// Whether this process leads, and so may write. Clones follow the same [`LeaderElector`].
#[derive(Clone, Debug)]
pub struct Leadership(watch::Receiver<Option<Instant>>);

impl Leadership {
    /// Whether a write may begin now.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.0.borrow().is_some_and(|until| Instant::now() < until)
    }

    /// Waits until a write may begin: until this process leads.
    pub async fn granted(&mut self) {
        while !self.may_write() {
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Leadership {
    /// A leadership that a test grants and takes away.
    #[cfg(test)]
    pub(crate) fn scripted() -> (watch::Sender<Option<Instant>>, Self) {
        let (until, granted) = watch::channel(None);
        (until, Self(granted))
    }

    /// Waits until no write may begin any more: the Lease was lost, or its renewals failed for too long.
    pub async fn lost(&mut self) {
        loop {
            let until = *self.0.borrow_and_update();
            let Some(until) = until.filter(|until| Instant::now() < *until) else { return };
            // A renewal moves the deadline. If the elector is gone, nobody renews any more.
            if let Ok(Err(_)) = timeout_at(until, self.0.changed()).await {
                return sleep_until(until).await;
            }
        }
    }
}

/// Acquires the Lease and keeps renewing it.
pub struct LeaderElector {
    client: Client,
    api: Api<Lease>,
    namespace: String,
    name: String,
    identity: String,
    metadata: Value,
    owner: Option<OwnerReference>,
    until: watch::Sender<Option<Instant>>,
    /// The Lease's `resourceVersion` last seen or written, and since when it has been that.
    seen: Option<(String, Instant)>,
    held: bool,
}

impl LeaderElector {
    /// An elector for the Lease that `metadata` names. Its labels and `owner` are for a Lease that has to be
    /// created.
    #[must_use]
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        metadata: Value,
        owner: Option<OwnerReference>,
    ) -> (Self, Leadership) {
        let (until, granted) = watch::channel(None);
        let elector = Self {
            api: Api::namespaced(client.clone(), namespace),
            client,
            namespace: namespace.to_owned(),
            name: metadata["name"].as_str().unwrap_or_default().to_owned(),
            identity,
            metadata,
            owner,
            until,
            seen: None,
            held: false,
        };
        (elector, Leadership(granted))
    }

    /// Runs the election forever: acquires the Lease when it is free, then renews it.
    pub async fn run(&mut self) {
        let mut failing = false;
        loop {
            let before = self.held;
            let delay = match self.round().await {
                Ok(()) => {
                    failing = false;
                    if self.held { RENEW_INTERVAL } else { RETRY_DELAY * 2 }
                }
                Err(error) => {
                    // Begin nothing until a renewal succeeds, though nobody else may begin either.
                    self.until.send_replace(None);
                    if !failing {
                        tracing::warn!(%error, lease = self.name, "can't renew the Lease; nothing is written meanwhile");
                    }
                    failing = true;
                    RETRY_DELAY
                }
            };
            if before != self.held {
                let what = if self.held { "took the Lease" } else { "lost the Lease; waiting for it" };
                tracing::info!(lease = self.name, identity = self.identity, "{what}");
            }
            sleep(delay).await;
        }
    }

    /// Gives up the Lease, so that a successor need not wait for it to expire.
    pub async fn release(&mut self) {
        self.until.send_replace(None);
        let Some((version, _)) = self.seen.take().filter(|_| self.held) else { return };
        self.held = false;
        let patch = json!({ "spec": { "holderIdentity": "", "leaseDurationSeconds": 1 } });
        let what = format!("releasing Lease {}/{}", self.namespace, self.name);
        match merge_if::<Lease>(&self.api, &what, &self.name, Some(&version), patch).await {
            Ok(_) => tracing::info!(lease = self.name, "released the Lease"),
            Err(error) => tracing::warn!(%error, "the Lease runs out by itself"),
        }
    }

    async fn round(&mut self) -> Result<(), ClusterError> {
        if self.held
            && let Some((version, _)) = self.seen.clone()
        {
            return match self.write(&version, false).await {
                Err(error) if error.cause == Cause::Conflict || error.cause == Cause::NotFound => {
                    // Another process wrote it. The next round finds out whether that one took it.
                    self.lose();
                    Ok(())
                }
                result => result,
            };
        }
        let lease = match find(&self.client, &self.namespace, &self.name).await? {
            Some(lease) => lease,
            None => self.make().await?,
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let labels = lease.metadata.labels.as_ref();
        if labels.and_then(|labels| labels.get(MANAGED_BY)).is_none_or(|manager| manager != FIELD_MANAGER) {
            let what = format!(
                "taking Lease {}/{}, which lacks the label {MANAGED_BY}={FIELD_MANAGER}",
                self.namespace, self.name
            );
            return Err(ClusterError { what, cause: Cause::NotOurs });
        }
        let since = match &self.seen {
            Some((known, since)) if *known == version => *since,
            _ => Instant::now(),
        };
        self.seen = Some((version.clone(), since));
        let spec = lease.spec.unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        let lasts = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        // At least what holders of this program rely on, whatever is written there.
        let lasts =
            lasts.map_or(LEASE_DURATION, |lasts| Duration::from_secs(lasts).clamp(LEASE_DURATION, MAX_DURATION));
        let over = since.elapsed() >= lasts;
        if holder.is_empty() || holder == self.identity || over {
            match self.write(&version, holder != self.identity).await {
                Err(error) if error.cause == Cause::Conflict => self.lose(),
                result => result?,
            }
        }
        Ok(())
    }

    fn lose(&mut self) {
        self.held = false;
        self.seen = None;
        self.until.send_replace(None);
    }

    async fn make(&self) -> Result<Lease, ClusterError> {
        let what = format!("making Lease {}/{}", self.namespace, self.name);
        ensure_with_owner(&self.api, &what, self.metadata.clone(), self.owner.clone(), json!({})).await
    }

    async fn write(&mut self, version: &str, taking: bool) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let now = format!("{:.6}", Timestamp::now());
        let mut patch = json!({ "spec": {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LEASE_DURATION.as_secs(),
            "renewTime": now,
        } });
        if taking {
            patch["spec"]["acquireTime"] = now.into();
        }
        let what = format!("renewing Lease {}/{}", self.namespace, self.name);
        let result = merge_if::<Lease>(&self.api, &what, &self.name, Some(version), patch).await;
        match result {
            Ok(lease) => {
                self.seen = Some((lease.metadata.resource_version.unwrap_or_default(), begun));
                self.held = true;
                self.until.send_replace(begun.checked_add(RENEW_DEADLINE));
                Ok(())
            }
            Err(error) => {
                // Once it has expired, another process may hold it.
                if self.held && self.seen.as_ref().is_none_or(|(_, since)| since.elapsed() >= LEASE_DURATION) {
                    self.lose();
                }
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
