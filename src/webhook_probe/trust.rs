//! What an API server trusts.

use crate::pki::{Certificate, Verdict, judge};
use crate::time::Seconds;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhook;
use rustls::pki_types::CertificateDer;

/// What an API server trusts, for one entry of the configuration.
pub struct Trust {
    /// The entry's name.
    pub name: String,
    /// The name that it asks for.
    pub server: String,
    cas: Vec<Certificate>,
}

impl Trust {
    /// What this entry says.
    #[must_use]
    pub fn of(entry: &MutatingWebhook) -> Self {
        let client = &entry.client_config;
        let pem = client.ca_bundle.as_ref().map(|bytes| bytes.0.as_slice()).unwrap_or_default();
        let service = client.service.as_ref().map(|service| format!("{}.{}.svc", service.name, service.namespace));
        // By URL it asks for the URL's host.
        let host = client.url.as_deref().and_then(|url| url.split("://").nth(1)).unwrap_or_default();
        let host = host.split(['/', ':', '?']).next().unwrap_or_default();
        Self {
            name: entry.name.clone(),
            server: service.unwrap_or_else(|| host.to_owned()),
            cas: Certificate::all_from_pem(pem).0,
        }
    }

    /// What it makes of this chain, leaf first.
    #[must_use]
    pub fn judge(&self, chain: &[CertificateDer<'_>], now: Seconds) -> Verdict {
        judge(chain, &self.cas, &self.server, now)
    }
}
