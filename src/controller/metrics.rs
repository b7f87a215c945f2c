//! The metrics of the controller's process and of its certificates.

use crate::cluster::Cause;
use crate::cluster::leader_election::Leadership;
use crate::controller::certificates::RotationStep;
use crate::controller::credential::CredentialMetrics;
use crate::controller::rollout::PodMetrics;
use crate::telemetry::metrics::LinesLeftOut;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::OnceLock;

type Label = [(&'static str, &'static str); 1];

/// What a metric of certificates is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// The CA.
    Ca,
    /// The serving certificate.
    Leaf,
    /// The `caBundle` of the webhook configuration.
    Bundle,
}

impl CertificateKind {
    const fn label(self) -> Label {
        [(
            "what",
            match self {
                Self::Ca => "ca",
                Self::Leaf => "leaf",
                Self::Bundle => "bundle",
            },
        )]
    }
}

/// All metrics of the controller. Label values come from code only.
#[derive(Debug)]
pub struct ControllerMetrics {
    registry: Registry,
    expiry: Family<Label, Gauge>,
    rotations: Family<Label, Counter>,
    repairs: Family<Label, Counter>,
    errors: Family<Label, Counter>,
    step: Gauge,
    unmoved: Gauge,
    lease: Gauge,
    leadership: OnceLock<Leadership>,
    /// Metrics of the credential.
    pub credential: CredentialMetrics,
    /// Metrics of the rollout.
    pub pods: PodMetrics,
}

impl Default for ControllerMetrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("argocd_auth_webhook");
        let metrics = Self {
            expiry: Family::default(),
            rotations: Family::default(),
            repairs: Family::default(),
            errors: Family::default(),
            step: Gauge::default(),
            unmoved: Gauge::default(),
            lease: Gauge::default(),
            leadership: OnceLock::new(),
            credential: CredentialMetrics::register(&mut registry),
            pods: PodMetrics::register(&mut registry),
            registry: Registry::default(),
        };
        for what in [CertificateKind::Ca, CertificateKind::Leaf, CertificateKind::Bundle] {
            let label = what.label();
            drop(metrics.repairs.get_or_create(&label));
            if what != CertificateKind::Bundle {
                drop(metrics.rotations.get_or_create(&label));
                drop(metrics.expiry.get_or_create(&label));
            }
        }
        for kind in Cause::KINDS.into_iter().chain([OTHER]) {
            drop(metrics.errors.get_or_create(&[("kind", kind)]));
        }
        let certificates = "When the CA and the serving certificate expire, 0 where there is none or it isn't known";
        registry.register("certificate_expiry_timestamp_seconds", certificates, metrics.expiry.clone());
        registry.register("rotations", "CAs and serving certificates that were made", metrics.rotations.clone());
        registry.register("repairs", "Repairs of what nobody planned to change", metrics.repairs.clone());
        registry.register("errors", "What failed and is tried again, by kind", metrics.errors.clone());
        let steps = "0 idle, 1 trusting, 2 propagating, 3 signing, 4 proving, 5 settling, 6 dropping";
        registry.register("rotation_step", steps, metrics.step.clone());
        let unmoved = "Endpoints that have not shown a certificate of the new CA; a rotation waits for them";
        registry.register("rotation_unmoved_endpoints", unmoved, metrics.unmoved.clone());
        registry.register_collector(Box::new(LinesLeftOut));
        registry.register("lease_held", "Whether this process may write", metrics.lease.clone());
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        Self { registry, ..metrics }
    }
}

/// The label of errors that aren't failed calls to the cluster.
const OTHER: &str = "other";

impl ControllerMetrics {
    /// Sets when a certificate expires, in seconds since 1970.
    pub fn expires(&self, what: CertificateKind, when: i64) {
        self.expiry.get_or_create(&what.label()).set(when);
    }

    /// Counts a CA or leaf that was created.
    pub fn rotated(&self, what: CertificateKind) {
        self.rotations.get_or_create(&what.label()).inc();
    }

    /// Counts a repair: something was missing or damaged.
    pub fn repaired(&self, what: CertificateKind) {
        self.repairs.get_or_create(&what.label()).inc();
    }

    /// Counts an error; `None` for one that isn't a failed call to the cluster.
    pub fn failed(&self, cause: Option<&Cause>) {
        self.errors.get_or_create(&[("kind", cause.map_or(OTHER, Cause::kind))]).inc();
    }

    /// Sets the step of the rotation.
    pub fn step(&self, step: RotationStep) {
        self.step.set(step as i64);
    }

    /// Sets how many endpoints the rotation waits for.
    pub fn unmoved(&self, endpoints: usize) {
        self.unmoved.set(i64::try_from(endpoints).unwrap_or(i64::MAX));
    }

    /// Exposes this leadership as `lease_held`.
    pub(super) fn follow(&self, leadership: Leadership) {
        // Only the first call counts: a process has one Lease.
        let _ = self.leadership.set(leadership);
    }

    /// All metrics as `OpenMetrics` text.
    ///
    /// # Errors
    /// A metric can't be formatted, which is a bug.
    pub fn text(&self) -> Result<String, fmt::Error> {
        // Read at each scrape: a Lease that wasn't renewed expires without any event.
        self.lease.set(i64::from(self.leadership.get().is_some_and(Leadership::may_write)));
        self.credential.forget_stale(crate::time::now());
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
