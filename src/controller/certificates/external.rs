//! Certificates that somebody else creates: only `caBundle` is maintained, if their CA is known.

use super::execute::{ExecuteError, write_ca_bundle};
use super::objects::release_field_ownership;
use super::observe::value;
use super::reconcile::{BACKOFF, run};
use crate::controller::Context;
use crate::controller::driver::{Delays, ReconcileError, Reconciler, Requeue};
use crate::controller::metrics::CertificateKind;
use crate::pki::{Certificate, ChainVerdict, Refusal};
use crate::time::{Seconds, now};
use crate::webhook_probe::Trust;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use std::time::Duration;

/// The longest time between two passes, in case a watch missed something.
const RESYNC_INTERVAL: Duration = Duration::from_mins(1);

/// Publishes the CA in the serving Secret as `caBundle`, and follows its changes.
pub struct ExternalReconciler {
    context: Context,
    publish: bool,
}

impl ExternalReconciler {
    /// Without `publish` it only records when certificates expire, and checks them.
    #[must_use]
    pub const fn new(context: Context, publish: bool) -> Self {
        Self { context, publish }
    }

    /// Runs forever, while this process leads.
    pub async fn run(self) {
        let context = self.context.clone();
        Box::pin(run(&context, self)).await;
    }

    async fn pass(&self) -> Result<Requeue, ExecuteError> {
        let context = &self.context;
        let serving = context.find(&context.options.serving_secret).await?;
        let expiry = value(serving.as_ref(), "tls.crt").and_then(Certificate::first_from_pem);
        context.metrics.expires(CertificateKind::Leaf, expiry.map_or(0, |leaf| leaf.validity.to));
        let configuration = context.configuration().await?;
        // Without `ca.crt` somebody else writes `caBundle`: cert-manager's injector, or a person.
        let Some(ca) = value(serving.as_ref(), "ca.crt") else {
            self.doubt(configuration.as_ref(), serving.as_ref());
            return Ok(Requeue::After(RESYNC_INTERVAL));
        };
        let (read, rest) = Certificate::all_from_pem(ca);
        if rest || read.is_empty() {
            tracing::warn!(
                secret = context.options.serving_secret,
                "ca.crt is not made of PEM certificates; caBundle stays as it is"
            );
            return Ok(Requeue::After(RESYNC_INTERVAL));
        }
        let expiry = read.iter().map(|ca| ca.validity.to).min().unwrap_or_default();
        context.metrics.expires(CertificateKind::Ca, expiry);
        if !self.publish {
            self.doubt(configuration.as_ref(), serving.as_ref());
            return Ok(Requeue::After(RESYNC_INTERVAL));
        }
        let Some(configuration) = configuration else { return Ok(Requeue::After(RESYNC_INTERVAL)) };
        let right = configuration
            .webhooks
            .iter()
            .flatten()
            .all(|entry| entry.client_config.ca_bundle.as_ref().is_some_and(|bundle| bundle.0 == ca));
        if right {
            self.doubt(Some(&configuration), serving.as_ref());
            release_field_ownership(context, &configuration).await?;
        } else {
            write_ca_bundle(context, &configuration, ca).await?;
            tracing::info!("wrote ca.crt of the serving Secret as caBundle");
            return Ok(Requeue::Now);
        }
        Ok(Requeue::After(RESYNC_INTERVAL))
    }

    /// Warns if API servers would refuse the certificate, which otherwise shows only when a pod can't be
    /// created.
    fn doubt(&self, configuration: Option<&MutatingWebhookConfiguration>, serving: Option<&Secret>) {
        if let Some((name, reason)) = configuration.and_then(|configuration| refused(configuration, serving, now())) {
            tracing::warn!(
                secret = self.context.options.serving_secret,
                "API servers refuse tls.crt for {name} by caBundle ({reason}), so that matching pods can't be created; \
                 to do: have the certificate made for that name, and put its CA into ca.crt or certificates.caBundle"
            );
        }
    }
}

impl Reconciler for ExternalReconciler {
    const NAME: &'static str = "certificates";
    const BACKOFF: Delays = BACKOFF;

    async fn reconcile(&mut self) -> Result<Requeue, ReconcileError> {
        Ok(self.pass().await?)
    }

    fn stand_by(&mut self) {}
}

/// The first name for which API servers refuse the Secret's certificate, and why; `None` if there is none.
fn refused(
    configuration: &MutatingWebhookConfiguration,
    serving: Option<&Secret>,
    now: Seconds,
) -> Option<(String, Refusal)> {
    let chain = Certificate::all_from_pem(value(serving, "tls.crt")?).0;
    let chain: Vec<_> = chain.into_iter().map(|certificate| certificate.der).collect();
    let mut entries = configuration.webhooks.iter().flatten().map(Trust::of);
    entries.find_map(|entry| match entry.judge(&chain, now) {
        ChainVerdict::Refused(reason) => Some((entry.server, reason)),
        ChainVerdict::Trusted | ChainVerdict::Unknown(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::Authority;
    use k8s_openapi::ByteString;
    use serde_json::json;

    #[test]
    fn what_api_servers_would_refuse_is_named() {
        const NOW: Seconds = 1_800_000_000;
        let (ca, other) = (Authority::make("ca", 1000, NOW).unwrap(), Authority::make("other", 1000, NOW).unwrap());
        let leaf = |name: &str| {
            let pair = Authority::from_pem(&ca.cert, &ca.key).unwrap().sign(&[name.to_owned()], NOW, NOW + 500);
            let data = [("tls.crt".to_owned(), ByteString(pair.unwrap().cert.into_bytes()))];
            Secret { data: Some(data.into()), ..Secret::default() }
        };
        let trusting = |cas: &str| -> MutatingWebhookConfiguration {
            let service = json!({ "name": "hook", "namespace": "codefresh" });
            let bundle = serde_json::to_value(ByteString(cas.as_bytes().to_vec())).unwrap();
            serde_json::from_value(json!({ "webhooks": [{
                "name": "a.b.c", "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": { "service": service, "caBundle": bundle },
            }] }))
            .unwrap()
        };
        let right = leaf("hook.codefresh.svc");
        let for_reason = |reason| Some(("hook.codefresh.svc".to_owned(), reason));
        assert_eq!(refused(&trusting(&ca.cert), Some(&right), NOW), None);
        assert_eq!(refused(&trusting(&format!("{}{}", other.cert, ca.cert)), Some(&right), NOW), None);
        assert_eq!(refused(&trusting(&ca.cert), None, NOW), None, "readiness says that there is none");
        assert_eq!(refused(&trusting(&other.cert), Some(&right), NOW), for_reason(Refusal::UnknownIssuer));
        assert_eq!(refused(&trusting(""), Some(&right), NOW), for_reason(Refusal::UnknownIssuer));
        assert_eq!(refused(&trusting(&ca.cert), Some(&leaf("hook")), NOW), for_reason(Refusal::WrongName));
        assert_eq!(refused(&trusting(&ca.cert), Some(&right), NOW + 501), for_reason(Refusal::Expired));
    }
}
