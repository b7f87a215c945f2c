//! An X.509 certificate, parsed.

use crate::time::{Seconds, rfc3339};
use ring::digest::{SHA256, digest};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::ops::RangeInclusive;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Version};

/// The sizes of RSA keys with which ring verifies, in bits.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// The OID of Ed25519 (RFC 8410).
const ED25519: &str = "1.3.101.112";
/// The OIDs of P-256, P-384 and P-521.
const CURVES: [&str; 3] = ["1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"];

fn is_odd(key: &SubjectPublicKeyInfo<'_>) -> bool {
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    match key.parsed() {
        Ok(PublicKey::RSA(key)) => !RSA_BITS.contains(&key.key_size()),
        Ok(PublicKey::EC(_)) => !curve.is_some_and(|curve| CURVES.contains(&curve.to_id_string().as_str())),
        _ => key.algorithm.algorithm.to_id_string() != ED25519,
    }
}

/// The identity of a certificate: the SHA-256 of its DER form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 32]);

impl Id {
    /// The id of a certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(id)
    }

    /// The first 8 bytes as a number: those that `Display` shows.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0.iter().take(8).fold(0, |short, byte| (short << 8) | u64::from(*byte))
    }
}

/// The first 16 hexadecimal digits, as `sha256:…`, like the webhook's readiness text.
impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{:016x}", self.short())
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The period in which a certificate is valid, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub from: Seconds,
    /// `notAfter`.
    pub to: Seconds,
}

impl Validity {
    /// Whether the period includes `now`.
    #[must_use]
    pub const fn holds(&self, now: Seconds) -> bool {
        self.from <= now && now <= self.to
    }
}

/// What is wrong with a certificate, its key, or the Secret or files that hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The certificate can't be parsed.
    Unreadable,
    /// There is no key beside it, or one that can't be parsed.
    NoKey,
    /// The key belongs to another certificate.
    WrongKey,
    /// It should be a CA and isn't one.
    NotACa,
    /// It lacks a DNS name of the Service.
    WrongNames,
    /// Its validity is over.
    Expired,
    /// Its validity hasn't begun.
    NotYetValid,
    /// It wasn't signed by any of our CAs.
    Foreign,
    /// It was there before, and is gone.
    Lost,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the certificate can't be read",
            Self::NoKey => "there is no readable private key with it",
            Self::WrongKey => "the private key is not the certificate's",
            Self::NotACa => "the certificate is no CA",
            Self::WrongNames => "the certificate lacks names of the Service",
            Self::Expired => "the certificate expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::Foreign => "none of the CAs in use signed the certificate",
            Self::Lost => "it was removed",
        })
    }
}

/// The constraints on a certificate's use in a chain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Whether it may sign others: a CA whose key usage allows that. Before X.509 version 3 any certificate
    /// may.
    pub may_sign: bool,
    /// How many CAs may stand between it and a leaf (`pathLenConstraint`); `None` if that isn't limited.
    pub most_below: Option<u32>,
    /// Whether it may serve, or sign what serves: its extended key usage, if it has any, includes servers.
    pub for_servers: bool,
    /// Whether this program can't verify signatures with its key, because of the key's kind or size.
    pub odd_key: bool,
}

/// A certificate that was parsed.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Its DER form.
    pub der: CertificateDer<'static>,
    /// The SHA-256 of its DER form.
    pub id: Id,
    /// When it is valid.
    pub validity: Validity,
    /// Whether its basic constraints say that it is a CA.
    pub is_ca: bool,
    /// The constraints on its use in a chain.
    pub(super) limits: Limits,
    /// The DNS names among its subject alternative names.
    pub names: Vec<String>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, expires {})", self.id, rfc3339(self.validity.to))
    }
}

impl Certificate {
    /// Parses a certificate in DER; `None` if that fails.
    #[must_use]
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let (_, parsed) = parse_x509_certificate(der).ok()?;
        let validity =
            Validity { from: parsed.validity().not_before.timestamp(), to: parsed.validity().not_after.timestamp() };
        let names = parsed.subject_alternative_name().ok().flatten().map(|extension| {
            let names = extension.value.general_names.iter().filter_map(|name| match name {
                GeneralName::DNSName(name) => Some((*name).to_owned()),
                _ => None,
            });
            names.collect()
        });
        let usage = parsed.key_usage().ok().flatten();
        let constraints = parsed.basic_constraints().ok().flatten();
        let purposes = parsed.extended_key_usage().ok().flatten();
        Some(Self {
            der: CertificateDer::from(der.to_vec()),
            id: Id::of(der),
            validity,
            is_ca: parsed.is_ca(),
            limits: Limits {
                may_sign: (parsed.is_ca() || parsed.version() != X509Version::V3)
                    && usage.is_none_or(|usage| usage.value.key_cert_sign()),
                most_below: constraints.and_then(|constraints| constraints.value.path_len_constraint),
                odd_key: is_odd(parsed.public_key()),
                for_servers: purposes.is_none_or(|purposes| purposes.value.any || purposes.value.server_auth),
            },
            names: names.unwrap_or_default(),
        })
    }

    /// Parses the certificates of a PEM text, in order. The flag says whether any of them couldn't be parsed.
    #[must_use]
    pub fn all_from_pem(pem: &[u8]) -> (Vec<Self>, bool) {
        let mut read = Vec::new();
        let mut rest = false;
        for found in CertificateDer::pem_slice_iter(pem) {
            match found.ok().and_then(|der| Self::from_der(&der)) {
                Some(certificate) => read.push(certificate),
                None => rest = true,
            }
        }
        (read, rest)
    }

    /// Parses the first certificate of a PEM text, which is the leaf of a chain.
    #[must_use]
    pub fn first_from_pem(pem: &[u8]) -> Option<Self> {
        CertificateDer::from_pem_slice(pem).ok().and_then(|der| Self::from_der(&der))
    }

    /// The certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(&self.der);
        let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
        for (place, character) in text.chars().enumerate() {
            if place > 0 && place % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem.push_str("\n-----END CERTIFICATE-----\n");
        pem
    }
}

/// Checks that the PEM key belongs to the certificate.
///
/// # Errors
/// [`Flaw::WrongKey`] if it doesn't; [`Flaw::NoKey`] or [`Flaw::Unreadable`] if one of them can't be parsed.
pub fn key_fits(certificate: &Certificate, key: &[u8]) -> Result<(), Flaw> {
    // The parsers' errors are dropped, because they can quote a line of the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Flaw::NoKey)?;
    match CertifiedKey::from_der(vec![certificate.der.clone()], key, &default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(Flaw::WrongKey),
        Err(rustls::Error::InvalidCertificate(_)) => Err(Flaw::Unreadable),
        Err(_) => Err(Flaw::NoKey),
    }
}
