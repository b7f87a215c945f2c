//! The serving certificate: a checked pair, and the store from which every handshake takes it.

mod development;
mod files;
mod secret;

pub use development::{DevelopmentCertificate, development_certificate};
pub use files::{CertificateFiles, FilesError};
pub use secret::CertificateSecret;

use crate::pki::Id;
use crate::telemetry::metrics::CertificateMetrics;
use crate::time;
use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use x509_parser::parse_x509_certificate;
use x509_parser::time::ASN1Time;

/// Why a certificate and key can't be used for serving. Says nothing about the key's content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The PEM text has no certificate.
    #[error("there is no readable PEM certificate in it; give the leaf first and then its intermediates")]
    NoCertificate,
    /// The first certificate isn't valid X.509.
    #[error("its first certificate is not an X.509 certificate that can be read")]
    NotX509,
    /// The PEM text of the key has no private key.
    #[error("there is no readable PEM private key with it; give it unencrypted, as PKCS#8, SEC1 or PKCS#1")]
    NoKey,
    /// The TLS library doesn't support this kind of key.
    #[error("the private key can't be used; give an ECDSA key on P-256 or P-384, an Ed25519 key or an RSA key")]
    UnusableKey,
    /// The key belongs to another certificate.
    #[error("the private key is not the one of the first certificate; give the two that were made together")]
    WrongKey,
    /// The leaf has expired; when, as text.
    #[error("it expired at {0}; give a valid one")]
    Expired(String),
    /// The leaf isn't valid yet; from when, as text.
    #[error("it is valid from {0} only; wait until then, or set the clock right")]
    NotYetValid(String),
}

/// A certificate chain with its key. Checked when it was read: the key is the leaf's, and the leaf was valid.
#[derive(Clone)]
pub struct ServingCertificate {
    key: Arc<CertifiedKey>,
    fingerprint: String,
    expires: String,
    not_after: i64,
}

impl fmt::Debug for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServingCertificate({self})")
    }
}

impl fmt::Display for ServingCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, expires {}", self.fingerprint, self.expires)
    }
}

impl ServingCertificate {
    /// Reads a chain, leaf first, and its key, both PEM, and checks that they can be used for serving at
    /// `now`.
    ///
    /// # Errors
    /// Why they can't; see [`CertificateError`].
    pub fn from_pem(chain: &[u8], key: &[u8], now: SystemTime) -> Result<Self, CertificateError> {
        let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|_| CertificateError::NoCertificate)?;
        let leaf = chain.first().ok_or(CertificateError::NoCertificate)?;
        let (_, parsed) = parse_x509_certificate(leaf).map_err(|_| CertificateError::NotX509)?;
        let (not_before, not_after) = (parsed.validity().not_before, parsed.validity().not_after);
        let fingerprint = Id::of(leaf).to_string();

        // The parser's error is dropped, because it can quote a line of the key.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| CertificateError::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => CertificateError::WrongKey,
            rustls::Error::InvalidCertificate(_) => CertificateError::NotX509,
            _ => CertificateError::UnusableKey,
        })?;

        let now = time::at(now);
        if now > not_after.timestamp() {
            return Err(CertificateError::Expired(text(not_after)));
        }
        if now < not_before.timestamp() {
            return Err(CertificateError::NotYetValid(text(not_before)));
        }
        Ok(Self { key: Arc::new(key), fingerprint, expires: text(not_after), not_after: not_after.timestamp() })
    }

    /// The first 16 hexadecimal digits of the leaf's SHA-256, as `sha256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// `notAfter` of the leaf, in seconds since 1970.
    #[must_use]
    pub const fn not_after(&self) -> i64 {
        self.not_after
    }
}

/// A time in RFC 3339, such as `2026-03-21T08:05:00Z`.
fn text(time: ASN1Time) -> String {
    let time = time.to_datetime();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", time.hour(), time.minute(), time.second())
}

/// The certificate being served, from whatever source; there may be none yet. Handshakes read it without a
/// lock, and a new one is used from the next handshake on.
#[derive(Default)]
pub struct CertificateStore {
    current: ArcSwapOption<ServingCertificate>,
    waiting_for: ArcSwap<Option<String>>,
    metrics: CertificateMetrics,
}

impl CertificateStore {
    /// An empty store.
    #[must_use]
    pub fn new(metrics: CertificateMetrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Serves this certificate from now on.
    pub fn store(&self, certificate: ServingCertificate) {
        tracing::info!(%certificate, "serving with a new certificate");
        self.metrics.serves(&certificate.fingerprint, certificate.not_after);
        self.metrics.loaded.inc();
        self.current.store(Some(Arc::new(certificate)));
    }

    /// Counts and logs a certificate that can't be used. The current one stays in use.
    pub fn refuse(&self, why: &dyn std::error::Error) {
        let stays = if self.current().is_some() { "; the one before stays in use" } else { "" };
        tracing::error!(error = %why, "refused a new serving certificate{stays}");
        self.metrics.refused.inc();
    }

    /// Sets the reason why there is no certificate yet, for `/readyz`.
    pub(crate) fn wait_for(&self, what: String) {
        self.waiting_for.store(Arc::new(Some(what)));
    }

    /// The reason why there is no certificate yet; `None` if none was set.
    pub(crate) fn waiting_for(&self) -> Option<String> {
        self.waiting_for.load().as_ref().clone()
    }

    /// The certificate being served; `None` if there is none yet.
    #[must_use]
    pub fn current(&self) -> Option<Arc<ServingCertificate>> {
        self.current.load_full()
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CertificateStore").field(&self.current()).finish()
    }
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load().as_ref().map(|certificate| Arc::clone(&certificate.key))
    }
}
