//! Whether a client trusts a certificate chain, judged as an API server's verifier does: Go's crypto/x509.
//!
//! webpki builds the paths and verifies the signatures. Where it is stricter or looser than crypto/x509, this
//! module follows crypto/x509; a test compares the two.

use super::{Certificate, provider};
use crate::time::Seconds;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, VerifiedPath, anchor_from_trusted_cert};

/// What a client with certain trusted roots does with a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainVerdict {
    /// The client continues the handshake.
    Trusted,
    /// The client ends the connection; why.
    Refused(Refusal),
    /// This program can't tell; why.
    Unknown(Doubt),
}

/// Why a chain is refused. Of several reasons, the last of this list is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// The server presented no certificate.
    Nothing,
    /// No trusted certificate signed it.
    UnknownIssuer,
    /// A certificate above it may not sign it: no CA, or one limited to other names or to shorter chains.
    BeyondItsCa,
    /// Its extended key usage excludes servers.
    NotForServers,
    /// It is for other names.
    WrongName,
    /// Its validity, or that of a certificate above it, hasn't begun.
    NotYetValid,
    /// Its validity, or that of a certificate above it, is over.
    Expired,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none was shown",
            Self::UnknownIssuer => "nothing there signed it",
            Self::BeyondItsCa => "a certificate above it may not sign it",
            Self::NotForServers => "it is not for servers",
            Self::WrongName => "it is for other names",
            Self::NotYetValid => "it is not valid yet, or what signed it isn't",
            Self::Expired => "it has expired, or what signed it has",
        })
    }
}

/// What this program's libraries can't judge, though an API server's may.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The server's certificate is a CA's that isn't itself trusted.
    #[error("it is the certificate of a CA")]
    CaAsLeaf,
    /// A kind of key or signature that isn't supported here.
    #[error("its signature, or one above it, is of a kind that can't be verified here")]
    Algorithm,
    /// Any other error of the parser or verifier.
    #[error("{0}")]
    Other(String),
}

/// Judges a chain, leaf first, as a client that trusts `roots` and connects to `name` at `now`.
#[must_use]
pub fn judge(chain: &[CertificateDer<'_>], roots: &[Certificate], name: &str, now: Seconds) -> ChainVerdict {
    let Some((leaf, above)) = chain.split_first() else { return ChainVerdict::Refused(Refusal::Nothing) };
    let Ok(name) = ServerName::try_from(name) else { return ChainVerdict::Refused(Refusal::WrongName) };
    check(leaf, above, roots, &name, now)
}

/// Whether a client that trusts only `ca` accepts the chain.
#[must_use]
pub fn verifies(chain: &[CertificateDer<'_>], ca: &Certificate, name: &str, now: Seconds) -> bool {
    judge(chain, std::slice::from_ref(ca), name, now) == ChainVerdict::Trusted
}

fn check(
    leaf: &CertificateDer<'_>,
    above: &[CertificateDer<'_>],
    roots: &[Certificate],
    name: &ServerName<'_>,
    now: Seconds,
) -> ChainVerdict {
    let unreadable = |error: webpki::Error| ChainVerdict::Unknown(Doubt::Other(format!("it can't be read: {error:?}")));
    let Some(read) = Certificate::from_der(leaf) else { return unreadable(webpki::Error::BadDer) };
    let parsed = match EndEntityCert::try_from(leaf) {
        Ok(parsed) => parsed,
        Err(error) => return unreadable(error),
    };
    // No root can make up for these.
    let refused = if parsed.verify_is_valid_for_subject_name(name).is_err() {
        Some(Refusal::WrongName)
    } else {
        holds(&read, now)
    };
    if let Some(refused) = refused {
        return ChainVerdict::Refused(refused);
    }
    // A leaf that is itself trusted needs no signature, CA or not.
    if roots.iter().any(|root| root.der == *leaf) {
        return ChainVerdict::Trusted;
    }
    let mut worst = Refusal::UnknownIssuer;
    let mut doubt = None;
    // One root at a time: for several, the library reports the error of any of them.
    for root in roots {
        match by(&parsed, above, root, now) {
            ChainVerdict::Trusted => return ChainVerdict::Trusted,
            ChainVerdict::Refused(refusal) => worst = worst.max(refusal),
            ChainVerdict::Unknown(why) => doubt = Some(why),
        }
    }
    doubt.map_or(ChainVerdict::Refused(worst), ChainVerdict::Unknown)
}

/// The reason to refuse a certificate in whatever path it is.
fn holds(certificate: &Certificate, now: Seconds) -> Option<Refusal> {
    if now > certificate.validity.to {
        Some(Refusal::Expired)
    } else if now < certificate.validity.from {
        Some(Refusal::NotYetValid)
    } else if certificate.limits.for_servers {
        None
    } else {
        Some(Refusal::NotForServers)
    }
}

/// Whether this root vouches for the leaf.
fn by(leaf: &EndEntityCert<'_>, above: &[CertificateDer<'_>], root: &Certificate, now: Seconds) -> ChainVerdict {
    let Ok(anchor) = anchor_from_trusted_cert(&root.der) else { return ChainVerdict::Refused(Refusal::UnknownIssuer) };
    let anchors = [anchor];
    let algorithms = provider().signature_verification_algorithms.all;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
    // The library checks neither the roots themselves nor the key usage of intermediates.
    let allowed = |path: &VerifiedPath<'_>| {
        let mut below = 0;
        for on_the_way in path.intermediate_certificates() {
            let read = Certificate::from_der(&on_the_way.der()).ok_or(webpki::Error::BadDer)?;
            if !read.limits.may_sign || !read.limits.for_servers {
                return Err(webpki::Error::EndEntityUsedAsCa);
            }
            below += 1;
        }
        let fits = root.limits.most_below.is_none_or(|most| below <= most);
        if fits { Ok(()) } else { Err(webpki::Error::PathLenConstraintViolated) }
    };
    let allowed: Allowed<'_> = &allowed;
    match leaf.verify_for_usage(algorithms, &anchors, above, at, AnyUse, None, Some(allowed)) {
        Ok(_) if !root.limits.may_sign => ChainVerdict::Refused(Refusal::BeyondItsCa),
        Ok(_) => holds(root, now).map_or(ChainVerdict::Trusted, ChainVerdict::Refused),
        Err(error) => of_error(&error, root, above),
    }
}

type Allowed<'a> = &'a dyn Fn(&VerifiedPath<'_>) -> Result<(), webpki::Error>;

/// Accepts every extended key usage: that is checked in this module, where `any` counts too.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

fn of_error(error: &webpki::Error, root: &Certificate, above: &[CertificateDer<'_>]) -> ChainVerdict {
    use webpki::Error as E;
    ChainVerdict::Refused(match error {
        // The library's error is about one of the paths, and another may need that key.
        _ if is_odd(root, above) => return ChainVerdict::Unknown(Doubt::Algorithm),
        E::UnsupportedSignatureAlgorithmContext(_) => return ChainVerdict::Unknown(Doubt::Algorithm),
        // The last: the key is of another kind than the signature, so another key made it.
        E::UnknownIssuer | E::InvalidSignatureForPublicKey | E::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
            Refusal::UnknownIssuer
        }
        E::CertExpired { .. } => Refusal::Expired,
        E::CertNotValidYet { .. } => Refusal::NotYetValid,
        E::EndEntityUsedAsCa | E::PathLenConstraintViolated | E::NameConstraintViolation => Refusal::BeyondItsCa,
        E::CaUsedAsEndEntity => return ChainVerdict::Unknown(Doubt::CaAsLeaf),
        other => return ChainVerdict::Unknown(Doubt::Other(format!("{other:?}"))),
    })
}

fn is_odd(root: &Certificate, above: &[CertificateDer<'_>]) -> bool {
    root.limits.odd_key || above.iter().filter_map(|der| Certificate::from_der(der)).any(|read| read.limits.odd_key)
}

/// Verifies a server by given roots, as kubectl and Argo CD's command line do.
#[derive(Debug)]
pub(crate) struct GivenRoots {
    roots: Vec<Certificate>,
    provider: CryptoProvider,
}

impl GivenRoots {
    /// Parses the roots, given as DER; `None` if one can't be parsed.
    pub(crate) fn new<'d>(roots: impl IntoIterator<Item = &'d [u8]>) -> Option<Self> {
        let roots = roots.into_iter().map(Certificate::from_der).collect::<Option<_>>()?;
        Some(Self { roots, provider: provider() })
    }

    /// Whether there are no roots.
    pub(crate) const fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }
}

impl ServerCertVerifier for GivenRoots {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        time: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let now = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let read = || Certificate::from_der(leaf);
        let since = |at: Seconds| UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at).unwrap_or(0)));
        let reason = match check(leaf, above, &self.roots, name, now) {
            ChainVerdict::Trusted => return Ok(ServerCertVerified::assertion()),
            ChainVerdict::Refused(Refusal::WrongName) => CertificateError::NotValidForNameContext {
                expected: name.to_owned(),
                presented: read().map_or_else(Vec::new, |read| read.names),
            },
            ChainVerdict::Refused(Refusal::Expired) => match read().filter(|read| now > read.validity.to) {
                Some(read) => CertificateError::ExpiredContext { time, not_after: since(read.validity.to) },
                None => CertificateError::Expired,
            },
            ChainVerdict::Refused(Refusal::NotYetValid) => match read().filter(|read| now < read.validity.from) {
                Some(read) => CertificateError::NotValidYetContext { time, not_before: since(read.validity.from) },
                None => CertificateError::NotValidYet,
            },
            ChainVerdict::Refused(Refusal::UnknownIssuer | Refusal::Nothing) => CertificateError::UnknownIssuer,
            ChainVerdict::Refused(refusal) => {
                CertificateError::Other(OtherError(Arc::new(Doubt::Other(refusal.to_string()))))
            }
            ChainVerdict::Unknown(doubt) => CertificateError::Other(OtherError(Arc::new(doubt))),
        };
        Err(Error::InvalidCertificate(reason))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
