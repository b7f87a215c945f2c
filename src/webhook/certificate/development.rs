//! A certificate for development. No other program trusts its CA, and it is never rotated.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use std::fmt;
use std::time::{Duration, SystemTime};

/// The names of a certificate for which none are given.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A year: long enough to forget about, short enough not to be mistaken for a permanent one.
const VALID_FOR: Duration = Duration::from_hours(24 * 365);
/// How far back validity begins, for clients whose clock is behind.
const VALID_SINCE: Duration = Duration::from_hours(1);

/// A leaf, its key, and the CA that signed it, all PEM. The CA's private key isn't kept, so it signs nothing
/// else.
#[derive(Clone)]
pub struct DevelopmentCertificate {
    /// The CA's certificate, for clients and for a webhook configuration's `caBundle`.
    pub ca_pem: String,
    /// The leaf's certificate.
    pub cert_pem: String,
    /// The leaf's private key.
    pub key_pem: String,
}

impl fmt::Debug for DevelopmentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DevelopmentCertificate").field("cert_pem", &self.cert_pem).finish_non_exhaustive()
    }
}

/// Creates a CA and a leaf for these DNS names or IP addresses; without any, for `localhost` and its
/// addresses. Both are ECDSA on P-256 and valid for a year.
///
/// # Errors
/// A name is neither a DNS name nor an IP address.
#[expect(clippy::arithmetic_side_effects, reason = "a year around now")]
pub fn development_certificate(names: &[String]) -> Result<DevelopmentCertificate, rcgen::Error> {
    let now = SystemTime::now();
    let parameters = |names: Vec<String>, common_name: &str| {
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.not_before = (now - VALID_SINCE).into();
        parameters.not_after = (now + VALID_FOR).into();
        Ok::<_, rcgen::Error>(parameters)
    };
    let mut ca = parameters(Vec::new(), "argocd-auth-webhook development CA")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let ca_pem = ca.self_signed(&ca_key)?.pem();

    let names = if names.is_empty() { NAMES.map(str::to_owned).to_vec() } else { names.to_vec() };
    let mut leaf = parameters(names, "argocd-auth-webhook")?;
    leaf.use_authority_key_identifier_extension = true;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert_pem = leaf.signed_by(&key, &Issuer::new(ca, ca_key))?.pem();
    Ok(DevelopmentCertificate { ca_pem, cert_pem, key_pem: key.serialize_pem() })
}
