//! The CAs and the name by which an API server verifies the webhook.

use crate::pki::{Certificate, ChainVerdict, judge};
use crate::time::Seconds;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhook;
use rustls::pki_types::CertificateDer;

/// How an API server verifies the webhook that one entry of the configuration names.
pub struct Trust {
    /// The entry's name.
    pub name: String,
    /// The DNS name that the certificate must have: `SERVICE.NAMESPACE.svc`, or the host of the entry's
    /// `url`.
    pub server: String,
    cas: Vec<Certificate>,
}

impl Trust {
    /// Reads `clientConfig` of an entry. Certificates of its `caBundle` that can't be read are skipped.
    #[must_use]
    pub fn of(entry: &MutatingWebhook) -> Self {
        let client = &entry.client_config;
        let pem = client.ca_bundle.as_ref().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        let service = client.service.as_ref().map(|service| format!("{}.{}.svc", service.name, service.namespace));
        // With a URL, the API server asks for its host.
        let host = client.url.as_deref().and_then(|url| url.split("://").nth(1)).unwrap_or_default();
        let host = host.split(['/', ':', '?']).next().unwrap_or_default();
        Self {
            name: entry.name.clone(),
            server: service.unwrap_or_else(|| host.to_owned()),
            cas: Certificate::all_from_pem(pem).0,
        }
    }

    /// The verdict of an API server on this chain, leaf first.
    #[must_use]
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: Seconds) -> ChainVerdict {
        judge(chain, &self.cas, &self.server, now)
    }
}
