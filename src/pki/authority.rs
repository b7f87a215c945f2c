//! A certificate authority that creates itself and signs serving certificates.

use crate::time::Seconds;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// How many seconds before its creation a certificate's validity begins, for API servers whose clock is
/// behind. Five minutes is the skew that Kerberos allows by default.
pub const BACKDATED: Seconds = 300;

/// The longest common name that X.520 allows, in characters.
const MAX_COMMON_NAME: usize = 64;

/// A certificate and its private key, both as PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// Its private key, PKCS#8.
    pub key: String,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("cert", &self.cert).finish_non_exhaustive()
    }
}

/// Why a certificate can't be created. Never says anything about keys.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The CA's certificate or key can't be used for signing.
    #[error("the CA can't be used to sign: {0}")]
    Unusable(rcgen::Error),
    /// The certificate can't be created, for example for an invalid DNS name.
    #[error("can't make the certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The system's random number generator fails.
    #[error("the system gives no random numbers")]
    Random,
}

/// A CA that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// Creates a self-signed CA: ECDSA on P-256, valid for `lifetime` seconds from `now`. It may sign leaves
    /// only.
    ///
    /// # Errors
    /// [`AuthorityError::Random`] if there are no random numbers, [`AuthorityError::Make`] if the CA can't be
    /// created.
    pub fn make(name: &str, lifetime: Seconds, now: Seconds) -> Result<Pair, AuthorityError> {
        let mut ca = parameters(Vec::new(), name, now, now.saturating_add(lifetime))?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Pair { cert: ca.self_signed(&key)?.pem(), key: key.serialize_pem() })
    }

    /// Loads a CA that was created before.
    ///
    /// # Errors
    /// [`AuthorityError::Unusable`] if the certificate or its key can't be read.
    pub fn from_pem(cert: &str, key: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key).map_err(AuthorityError::Unusable)?;
        let issuer = Issuer::from_ca_cert_pem(cert, key).map_err(AuthorityError::Unusable)?;
        Ok(Self { issuer })
    }

    /// Signs a serving certificate with a new key for these DNS names. It is valid from `now` (minus
    /// [`BACKDATED`]) to `until`, in seconds since 1970.
    ///
    /// # Errors
    /// A name isn't a DNS name, the CA can't sign, or there are no random numbers.
    pub fn sign(&self, names: &[String], now: Seconds, until: Seconds) -> Result<Pair, AuthorityError> {
        let common_name = names.iter().max_by_key(|name| name.len() * usize::from(name.len() <= MAX_COMMON_NAME));
        let common_name = common_name.map_or("argocd-auth-webhook", String::as_str);
        let mut leaf = parameters(names.to_vec(), common_name, now, until)?;
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        Ok(Pair { cert: leaf.signed_by(&key, &self.issuer)?.pem(), key: key.serialize_pem() })
    }
}

fn parameters(
    names: Vec<String>,
    common_name: &str,
    from: Seconds,
    until: Seconds,
) -> Result<CertificateParams, AuthorityError> {
    let mut parameters = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, "argocd-auth-webhook");
    subject.push(DnType::CommonName, common_name.chars().take(MAX_COMMON_NAME).collect::<String>());
    parameters.distinguished_name = subject;
    parameters.serial_number = Some(serial()?);
    #[expect(clippy::arithmetic_side_effects, reason = "a SystemTime holds any i64 of seconds")]
    let at = |time: Seconds| UNIX_EPOCH + Duration::from_secs(u64::try_from(time).unwrap_or(0));
    parameters.not_before = at(from.saturating_sub(BACKDATED)).into();
    parameters.not_after = at(until).into();
    Ok(parameters)
}

/// A random serial number of 16 bytes. RFC 5280 requires a positive number of at most 20 bytes.
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| AuthorityError::Random)?;
    let [first, rest @ ..] = bytes;
    // The highest bit is the sign. The second highest is set, since DER forbids a leading zero byte.
    let mut serial = vec![(first & 0x7f) | 0x40];
    serial.extend_from_slice(&rest);
    Ok(SerialNumber::from(serial))
}
