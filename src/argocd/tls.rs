//! How Argo CD's certificate is verified.

use super::error::{Cause, TlsFailure};
use crate::pki::{Doubt, GivenRoots, provider, unchecked};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, ClientConfig, Error, OtherError, RootCertStore};
use std::sync::Arc;

/// How Argo CD's certificate is verified.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsTrust {
    /// Against the system's roots.
    #[default]
    SystemRoots,
    /// Against these CAs: PEM, one certificate or more.
    Ca(Vec<u8>),
    /// Not at all, so that anybody in between can read the password.
    Insecure,
}

impl TlsTrust {
    pub(super) fn config(&self) -> Result<Arc<ClientConfig>, Cause> {
        let config = ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Cause::Setup(format!("setting up TLS: {error}")))?;
        let config = match self {
            Self::Insecure => return unchecked().map_err(|error| Cause::Setup(format!("setting up TLS: {error}"))),
            Self::SystemRoots => config.with_root_certificates(system_roots()?),
            Self::Ca(pem) => config.dangerous().with_custom_certificate_verifier(Arc::new(given(pem)?)),
        };
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn system_roots() -> Result<RootCertStore, Cause> {
    let mut store = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(loaded.certs);
    if store.is_empty() {
        return Err(Cause::Setup(
            "this machine has no root certificates: name a file with SSL_CERT_FILE, or give Argo CD's CA".to_owned(),
        ));
    }
    Ok(store)
}

fn given(pem: &[u8]) -> Result<GivenRoots, Cause> {
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|_| Cause::Setup("the CA is no PEM certificate".to_owned()))?;
    let roots = GivenRoots::new(read.iter().map(AsRef::as_ref));
    let roots = roots.ok_or_else(|| Cause::Setup("the CA is a certificate that can't be read".to_owned()))?;
    if roots.is_empty() {
        return Err(Cause::Setup("the CA holds no PEM certificate".to_owned()));
    }
    Ok(roots)
}

/// Why a handshake failed.
pub(super) fn failure(error: &std::io::Error) -> TlsFailure {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(reason)) => match reason {
            // `BadSignature`: a CA of the same name with another key signed it.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFailure::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsFailure::WrongName(reason.to_string())
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => TlsFailure::OutOfTime(reason.to_string()),
            CertificateError::Other(OtherError(other)) => match other.downcast_ref::<Doubt>() {
                Some(Doubt::CaAsLeaf) => TlsFailure::CaAsLeaf,
                _ => TlsFailure::Other(other.to_string()),
            },
            other => TlsFailure::Other(other.to_string()),
        },
        Some(Error::InvalidMessage(_)) => TlsFailure::NoTls,
        Some(other) => TlsFailure::Other(other.to_string()),
        None => TlsFailure::Other(error.to_string()),
    }
}
