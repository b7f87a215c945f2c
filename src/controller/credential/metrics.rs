//! The metrics of the credential.

use super::action::{CredentialStatus, MintReason};
use crate::argocd::Cause;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

type Label = [(&'static str, &'static str); 1];

/// The calls to Argo CD, as values of a label.
const CALLS: [&str; 6] = ["version", "login", "userinfo", "account", "create", "delete"];
/// Upper bounds of the buckets in seconds: from a call on the same node to the longest login.
const EDGES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];

/// Metrics of the credential. Label values come from code only.
#[derive(Debug)]
pub struct CredentialMetrics {
    success: Gauge,
    valid: Gauge,
    expiry: Gauge,
    state: Family<Label, Gauge>,
    superseded: Gauge,
    regenerations: Family<Label, Counter>,
    retired: Counter,
    lost: Counter,
    /// When the current good state stops being fresh, in seconds since 1970.
    fresh_until: AtomicI64,
    errors: Family<Label, Counter>,
    calls: Family<Label, Histogram, fn() -> Histogram>,
}

impl CredentialMetrics {
    /// Creates the metrics and registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            success: Gauge::default(),
            valid: Gauge::default(),
            expiry: Gauge::default(),
            state: Family::default(),
            superseded: Gauge::default(),
            regenerations: Family::default(),
            retired: Counter::default(),
            lost: Counter::default(),
            fresh_until: AtomicI64::new(i64::MAX),
            errors: Family::default(),
            calls: Family::new_with_constructor(|| Histogram::new(EDGES)),
        };
        for name in CredentialStatus::NAMES {
            drop(metrics.state.get_or_create(&[("state", name)]));
        }
        for reason in MintReason::LABELS {
            drop(metrics.regenerations.get_or_create(&[("reason", reason)]));
        }
        for kind in Cause::KINDS {
            drop(metrics.errors.get_or_create(&[("kind", kind)]));
        }
        for call in CALLS {
            drop(metrics.calls.get_or_create(&[("call", call)]));
        }
        let success = "When the credential was last seen to work, in seconds since 1970; 0 for never";
        registry.register("credential_last_success_timestamp_seconds", success, metrics.success.clone());
        let valid = "Whether the credential worked at the last look";
        registry.register("credential_valid", valid, metrics.valid.clone());
        let expiry = "When the key expires, in seconds since 1970; 0 where it doesn't";
        registry.register("credential_expiry_timestamp_seconds", expiry, metrics.expiry.clone());
        let state = "1 for the state that the credential is in";
        registry.register("credential_state", state, metrics.state.clone());
        let superseded = "Keys of ours in Argo CD besides the current one";
        registry.register("credential_superseded_keys", superseded, metrics.superseded.clone());
        let regenerations = "Keys that were made and written, by what was wrong before";
        registry.register("credential_regenerations", regenerations, metrics.regenerations.clone());
        registry.register("credential_retired_keys", "Keys that were deleted in Argo CD", metrics.retired.clone());
        let lost = "Keys that vanished from Argo CD though nobody here had retired them";
        registry.register("credential_lost_keys", lost, metrics.lost.clone());
        registry.register("argocd_errors", "Calls to Argo CD that failed, by kind", metrics.errors.clone());
        let calls = "Calls to Argo CD, with the time until their answer";
        registry.register("argocd_call_duration_seconds", calls, metrics.calls.clone());
        metrics
    }

    pub(super) fn called(&self, call: &'static str, took: Duration, failed: Option<&Cause>) {
        self.calls.get_or_create(&[("call", call)]).observe(took.as_secs_f64());
        if let Some(cause) = failed {
            self.errors.get_or_create(&[("kind", cause.kind())]).inc();
        }
    }

    pub(super) fn made(&self, why: &MintReason) {
        self.regenerations.get_or_create(&[("reason", why.label())]).inc();
    }

    pub(super) fn retired(&self) {
        self.retired.inc();
    }

    pub(super) fn lost(&self) {
        self.lost.inc();
    }

    /// Replaces a good state that is no longer fresh by `unverified`. To be called before each export.
    pub(in crate::controller) fn forget_stale(&self, now: i64) {
        if self.valid.get() == 1 && now >= self.fresh_until.load(Ordering::Relaxed) {
            self.valid.set(0);
            for name in CredentialStatus::NAMES {
                let stale = i64::from(name == CredentialStatus::UNVERIFIED);
                self.state.get_or_create(&[("state", name)]).set(stale);
            }
        }
    }

    /// Sets the state of the credential, which is fresh for `fresh_for` seconds.
    pub(super) fn is(&self, state: &CredentialStatus, now: i64, fresh_for: i64) {
        self.fresh_until.store(now.saturating_add(fresh_for), Ordering::Relaxed);
        self.valid.set(i64::from(state.works()));
        if state.works() {
            self.success.set(now);
            self.expiry.set(if let CredentialStatus::Expires(when) = state { *when } else { 0 });
        }
        for name in CredentialStatus::NAMES {
            self.state.get_or_create(&[("state", name)]).set(i64::from(name == state.name()));
        }
    }

    pub(super) fn superseded(&self, keys: usize) {
        self.superseded.set(i64::try_from(keys).unwrap_or(i64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_good_state_is_exported_only_while_it_is_fresh() {
        let mut registry = Registry::default();
        let metrics = CredentialMetrics::register(&mut registry);
        let state = |name| metrics.state.get_or_create(&[("state", name)]).get();
        metrics.is(&CredentialStatus::Valid, 1000, 300);
        metrics.forget_stale(1299);
        assert_eq!((metrics.valid.get(), state("valid"), state("unverified")), (1, 1, 0));
        metrics.forget_stale(1300);
        assert_eq!((metrics.valid.get(), state("valid"), state("unverified")), (0, 0, 1));
        assert_eq!(metrics.success.get(), 1000);
        metrics.is(&CredentialStatus::Valid, 1400, 300);
        metrics.forget_stale(1400);
        assert_eq!((metrics.valid.get(), state("unverified")), (1, 0));
        metrics.is(&CredentialStatus::NoApiKey, 1500, 300);
        metrics.forget_stale(9999);
        assert_eq!((state("no_api_key"), state("unverified")), (1, 0), "what is bad stays said");
    }
}
