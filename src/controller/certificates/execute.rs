//! Executes the actions of a plan; each is one write.

use super::action::{Action, Place, Reason};
use super::lifetimes::Lifetimes;
use super::observe::{CA, NEXT, Objects, Observed, SERVING, value};
use super::record;
use super::snapshot::RotationRecord;
use super::status::Reporter;
use crate::cluster::{ClusterError, FIELD_MANAGER, apply, merge_if};
use crate::controller::Context;
use crate::controller::context::is_empty;
use crate::controller::metrics::CertificateKind;
use crate::pki::{Authority, AuthorityError, Certificate, Id};
use crate::time::{Seconds, rfc3339};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

/// Why an action failed. The next pass plans it again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExecuteError {
    /// A call to the API server failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A certificate can't be created.
    #[error(transparent)]
    Make(#[from] AuthorityError),
    /// The action refers to something that doesn't exist, which is a bug.
    #[error("the plan names {0}, which is not there")]
    Missing(&'static str),
}

/// Executes one action on what was observed.
pub(super) struct Executor<'k> {
    pub context: &'k Context,
    pub terms: &'k Lifetimes,
    pub objects: &'k Objects,
    pub observed: &'k Observed,
    pub now: Seconds,
}

impl Executor<'_> {
    /// Executes the action and reports it in an Event.
    pub(super) async fn execute(&self, action: Action) -> Result<(), ExecuteError> {
        match action {
            Action::MakeCa(place, why) => self.make_ca(place, why).await,
            Action::MakeLeaf(place, why) => self.make_leaf(place, why).await,
            Action::WriteBundle(ids, damaged) => self.write_bundle(&ids, damaged).await,
            Action::Promote(place, why) => self.promote(place, why).await,
            Action::Remember(record, answered) => self.remember(&record, answered).await,
        }
    }

    async fn make_ca(&self, place: Place, why: Reason) -> Result<(), ExecuteError> {
        let options = &self.context.options;
        let name = format!("{}/{}", options.release, options.namespace);
        let made = Authority::make(&name, self.terms.ca, self.now)?;
        let ([cert, key], record) = match place {
            Place::Current => (CA, RotationRecord::default()),
            Place::Next => {
                (NEXT, RotationRecord { renew: self.observed.snapshot.record.renew, ..RotationRecord::default() })
            }
        };
        let mut data = json!({ cert: encoded(made.cert.as_bytes()), key: encoded(made.key.as_bytes()) });
        if place == Place::Current {
            for key in NEXT {
                data[key] = Value::Null;
            }
        }
        self.write_ca(json!({ "metadata": { "annotations": record::write(&record, true) }, "data": data })).await?;
        self.context.metrics.rotated(CertificateKind::Ca);
        let which = describe(&made.cert);
        let note = match place {
            Place::Current => format!("made a CA ({why}): {which}"),
            Place::Next => format!(
                "made a new CA ({why}); the one before stays in caBundle until every endpoint has moved: {which}"
            ),
        };
        self.reporter().report(CertificateKind::Ca, why.is_repair(), "CertificateAuthorityMade", note).await;
        Ok(())
    }

    async fn make_leaf(&self, place: Place, why: Reason) -> Result<(), ExecuteError> {
        let options = &self.context.options;
        let ca = self.objects.ca.as_ref();
        let keys = if place == Place::Current { CA } else { NEXT };
        let [cert, key] = keys.map(|key| value(ca, key).and_then(|pem| std::str::from_utf8(pem).ok()));
        let (Some(cert), Some(key)) = (cert, key) else { return Err(ExecuteError::Missing("a CA")) };
        let until = Certificate::first_from_pem(cert.as_bytes()).ok_or(ExecuteError::Missing("a CA"))?.validity.to;
        let until = until.min(self.now.saturating_add(self.terms.leaf));
        let made = Authority::from_pem(cert, key)?.sign(&options.service_names(), self.now, until)?;
        let patch = json!({ "data": {
            SERVING[0]: encoded(made.cert.as_bytes()),
            SERVING[1]: encoded(made.key.as_bytes()),
            "ca.crt": encoded(cert.as_bytes()),
        } });
        let name = &options.serving_secret;
        self.write_secret(name, self.objects.serving.as_ref(), patch).await?;
        self.context.metrics.rotated(CertificateKind::Leaf);
        let note = format!("made a serving certificate ({why}): {}", describe(&made.cert));
        self.reporter().report(CertificateKind::Leaf, why.is_repair(), "ServingCertificateMade", note).await;
        Ok(())
    }

    async fn write_bundle(&self, ids: &[Id], damaged: bool) -> Result<(), ExecuteError> {
        let Some(configuration) = &self.objects.configuration else {
            return Err(ExecuteError::Missing("the webhook configuration"));
        };
        let held: Option<Vec<String>> =
            ids.iter().map(|id| self.observed.certificates.get(id).map(Certificate::pem)).collect();
        let bundle = held.ok_or(ExecuteError::Missing("a CA"))?.concat();
        write_ca_bundle(self.context, configuration, bundle.as_bytes()).await?;
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let repaired = if damaged { "repaired: somebody had removed or changed it; " } else { "" };
        let note = format!("wrote caBundle ({repaired}CAs: {})", names.join(", "));
        self.reporter().report(CertificateKind::Bundle, damaged, "CaBundleWritten", note).await;
        Ok(())
    }

    async fn promote(&self, place: Place, why: Reason) -> Result<(), ExecuteError> {
        let ca = self.objects.ca.as_ref();
        let mut data = json!({ NEXT[0]: null, NEXT[1]: null });
        if place == Place::Next {
            for (to, from) in CA.iter().zip(NEXT) {
                data[*to] = encoded(value(ca, from).ok_or(ExecuteError::Missing("the next CA"))?).into();
            }
        }
        self.write_ca(json!({ "data": data })).await?;
        let note = match place {
            Place::Next => format!("the new CA took over ({why})"),
            Place::Current => format!("dropped what stood in the place of the next CA ({why})"),
        };
        self.reporter().report(CertificateKind::Ca, why.is_repair(), "CertificateAuthoritySettled", note).await;
        Ok(())
    }

    async fn remember(&self, record: &RotationRecord, answered: bool) -> Result<(), ExecuteError> {
        self.write_ca(json!({ "metadata": { "annotations": record::write(record, answered) } })).await?;
        if answered && record.renew.is_none() {
            let note = format!("{} is to be \"ca\" or \"leaf\"; it was removed", crate::controller::ROTATE);
            self.reporter().emit(CertificateKind::Ca, true, "UnknownRequest", note).await;
        }
        Ok(())
    }

    async fn write_ca(&self, patch: Value) -> Result<(), ExecuteError> {
        self.write_secret(&self.context.options.ca_secret(), self.objects.ca.as_ref(), patch).await
    }

    /// Patches a Secret if it is still as it was read. If it doesn't exist, creates an empty one and then
    /// fills it conditionally, so that of two processes only one can.
    async fn write_secret(&self, name: &str, read: Option<&Secret>, patch: Value) -> Result<(), ExecuteError> {
        let options = &self.context.options;
        let api = self.context.secrets();
        let what = format!("writing Secret {}/{name}", options.namespace);
        let made;
        let read = match read {
            Some(secret) if !is_empty(secret) => secret,
            found => {
                made = self.claim(&what, name, found).await?;
                &made
            }
        };
        // Another process has filled it since, which the plan doesn't know.
        let filled = |key: &&str| self.objects_lack(name) && value(Some(read), key).is_some();
        if [CA, NEXT, SERVING].as_flattened().iter().any(filled) {
            return Ok(());
        }
        self.context.may_write(&what)?;
        merge_if::<Secret>(&api, &what, name, read.metadata.resource_version.as_deref(), patch).await?;
        Ok(())
    }

    async fn claim(&self, what: &str, name: &str, found: Option<&Secret>) -> Result<Secret, ClusterError> {
        let rest = if name == self.context.options.serving_secret {
            // The API server requires both keys in a Secret of this type.
            json!({ "type": "kubernetes.io/tls", "data": { SERVING[0]: "", SERVING[1]: "" } })
        } else {
            json!({})
        };
        self.context.claim(what, name, found.cloned(), true, rest).await
    }

    fn objects_lack(&self, name: &str) -> bool {
        let ca = name == self.context.options.ca_secret();
        if ca { self.objects.ca.is_none() } else { self.objects.serving.is_none() }
    }

    const fn reporter(&self) -> Reporter<'_> {
        Reporter { context: self.context, objects: self.objects }
    }
}

/// Writes `caBundle` of every entry, and nothing else, if the configuration is still the one that was read.
pub(super) async fn write_ca_bundle(
    context: &Context,
    configuration: &MutatingWebhookConfiguration,
    bundle: &[u8],
) -> Result<(), ClusterError> {
    let name = &context.options.webhook_configuration;
    let entries = configuration.webhooks.iter().flatten();
    let entries: Vec<Value> =
        entries.map(|entry| json!({ "name": entry.name, "clientConfig": { "caBundle": encoded(bundle) } })).collect();
    let body = json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": { "name": name, "resourceVersion": configuration.metadata.resource_version },
        "webhooks": entries,
    });
    let what = format!("writing caBundle of MutatingWebhookConfiguration {name} as {FIELD_MANAGER}");
    context.may_write(&what)?;
    apply(&context.configurations(), &what, name, &body).await.map(drop)
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn describe(pem: &str) -> String {
    Certificate::first_from_pem(pem.as_bytes())
        .map_or_else(String::new, |made| format!("{}, expires {}", made.id, rfc3339(made.validity.to)))
}

#[cfg(test)]
mod tests;
