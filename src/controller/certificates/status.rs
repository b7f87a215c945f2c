//! What people are told of certificates: Events on their Secrets, and metrics.

use super::action::RotationStep;
use super::observe::Objects;
use super::snapshot::{Endpoint, Snapshot};
use crate::cluster::Event;
use crate::controller::Context;
use crate::controller::metrics::{CertificateKind, ControllerMetrics};
use crate::pki::Id;

/// Reports what was executed on these objects.
pub(super) struct Reporter<'k> {
    pub context: &'k Context,
    pub objects: &'k Objects,
}

impl Reporter<'_> {
    /// Creates an Event for a change, and counts it if it repairs what somebody broke.
    pub(super) async fn report(&self, what: CertificateKind, repair: bool, reason: &'static str, note: String) {
        if repair {
            self.context.metrics.repaired(what);
        }
        self.emit(what, repair, reason, note).await;
    }

    /// Creates an Event on the Secret that it is about; for the bundle, on the CA's.
    pub(super) async fn emit(&self, what: CertificateKind, warning: bool, reason: &'static str, note: String) {
        let options = &self.context.options;
        let (name, read) = match what {
            CertificateKind::Leaf => (options.serving_secret.clone(), &self.objects.serving),
            CertificateKind::Ca | CertificateKind::Bundle => (options.ca_secret(), &self.objects.ca),
        };
        let about = self.context.secret_reference(&name, read.as_ref());
        self.context.emit_event(about, Event { reason, action: "Keep", note, warning }).await;
    }
}

/// Exports when the newest CA and the serving certificate expire; 0 where there is none.
pub(super) fn count_expiry(metrics: &ControllerMetrics, snapshot: &Snapshot) {
    let ca = snapshot.next.held().or(snapshot.current.held()).map_or(0, |ca| ca.validity.to);
    metrics.expires(CertificateKind::Ca, ca);
    metrics.expires(CertificateKind::Leaf, snapshot.serving.held().map_or(0, |leaf| leaf.validity.to));
}

/// Exports the step of a rotation, and how many endpoints it still waits for.
pub(super) fn count_progress(metrics: &ControllerMetrics, step: RotationStep, target: Option<Id>, snapshot: &Snapshot) {
    metrics.step(step);
    metrics.unmoved(if step == RotationStep::Proving { endpoints_pending(target, snapshot) } else { 0 });
}

/// How many endpoints don't present a leaf of the CA that takes over.
fn endpoints_pending(target: Option<Id>, snapshot: &Snapshot) -> usize {
    let moved = |endpoint: &&Endpoint| target.is_some_and(|target| endpoint.verified_by.contains(&target));
    snapshot.endpoints.iter().flatten().filter(|endpoint| !moved(endpoint)).count()
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::{RotationRecord, Slot};
    use super::*;

    #[test]
    fn an_endpoint_is_waited_for_until_it_presents_a_leaf_of_the_ca_that_takes_over() {
        let id = |id| Id([id; 32]);
        let endpoint = |ids: &[u8]| Endpoint { verified_by: ids.iter().map(|byte| id(*byte)).collect() };
        let mut snapshot = Snapshot {
            current: Slot::Empty,
            next: Slot::Empty,
            serving: Slot::Empty,
            bundles: None,
            record: RotationRecord::default(),
            has_stale_annotations: false,
            request: None,
            endpoints: Some(vec![endpoint(&[1]), endpoint(&[2]), endpoint(&[1, 2]), endpoint(&[]), endpoint(&[])]),
        };
        assert_eq!(endpoints_pending(Some(id(2)), &snapshot), 3, "the first, and two that can't be reached");
        assert_eq!(endpoints_pending(Some(id(3)), &snapshot), 5);
        assert_eq!(endpoints_pending(None, &snapshot), 5, "there is no CA");
        snapshot.endpoints = None;
        assert_eq!(endpoints_pending(Some(id(2)), &snapshot), 0, "nobody asked");
    }
}
