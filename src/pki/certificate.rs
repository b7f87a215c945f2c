//! One certificate, read.

use crate::time::{Seconds, rfc3339};
use ring::digest::{SHA256, digest};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

/// What tells certificates apart: the SHA-256 of the whole certificate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub [u8; 32]);

impl Id {
    fn of(der: &[u8]) -> Self {
        let mut id = [0; 32];
        id.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(id)
    }

    /// The first 8 bytes: what `Display` shows.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.0.iter().take(8).fold(0, |short, byte| (short << 8) | u64::from(*byte))
    }
}

/// The first 16 digits, as `sha256:…`, like the webhook's readiness text.
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

/// From when to when, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// `notBefore`.
    pub from: Seconds,
    /// `notAfter`.
    pub to: Seconds,
}

impl Validity {
    /// Whether it holds then.
    #[must_use]
    pub const fn holds(&self, now: Seconds) -> bool {
        self.from <= now && now <= self.to
    }
}

/// What is wrong with a certificate, its key or the place where they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The certificate can't be read.
    Unreadable,
    /// There is no readable key with it.
    NoKey,
    /// The key is another certificate's.
    WrongKey,
    /// It is meant to be a CA and isn't one.
    NotACa,
    /// It lacks a name of the Service.
    WrongNames,
    /// It is over.
    Expired,
    /// It hasn't begun.
    NotYetValid,
    /// None of our CAs signed it.
    Foreign,
    /// It was there, and is gone.
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

/// A certificate that could be read.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The whole of it.
    pub der: CertificateDer<'static>,
    /// What tells it apart.
    pub id: Id,
    /// When it holds.
    pub validity: Validity,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// Its DNS names.
    pub names: Vec<String>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({}, expires {})", self.id, rfc3339(self.validity.to))
    }
}

impl Certificate {
    /// Reads one from DER.
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
        Some(Self {
            der: CertificateDer::from(der.to_vec()),
            id: Id::of(der),
            validity,
            is_ca: parsed.is_ca(),
            names: names.unwrap_or_default(),
        })
    }

    /// Reads a PEM text: every certificate that can be read, in order, and whether there was
    /// anything else.
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

    /// The first certificate of a PEM text: the leaf of a chain.
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

/// Whether the key is the certificate's.
///
/// # Errors
/// It isn't, or can't be read.
pub fn key_fits(certificate: &Certificate, key: &[u8]) -> Result<(), Flaw> {
    // The parsers' own errors are dropped: they can quote a line of the key.
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| Flaw::NoKey)?;
    match CertifiedKey::from_der(vec![certificate.der.clone()], key, &default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => Err(Flaw::WrongKey),
        Err(rustls::Error::InvalidCertificate(_)) => Err(Flaw::Unreadable),
        Err(_) => Err(Flaw::NoKey),
    }
}
