//! The signature algorithms that are accepted. API servers use Go's crypto/x509, which knows more than ring:
//! ECDSA on P-521, and with SHA-512 on P-256 and P-384.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use ring::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring::default_provider};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use std::fmt;
use std::sync::LazyLock;

/// The crypto provider of every TLS connection and every verification of this program.
#[must_use]
pub fn provider() -> CryptoProvider {
    let algorithms = WebPkiSupportedAlgorithms { all: &ALL, mapping: &MAPPING };
    CryptoProvider { signature_verification_algorithms: algorithms, ..default_provider() }
}

/// Makes it the default of libraries that aren't given a provider. Does nothing if there is a default
/// already.
pub fn install() {
    let _ = provider().install_default();
}

type Known = &'static dyn SignatureVerificationAlgorithm;

static ALL: LazyLock<Vec<Known>> =
    LazyLock::new(|| [default_provider().signature_verification_algorithms.all, &OWN].concat());

/// The algorithms of a handshake. In TLS 1.2 the signature scheme doesn't determine the curve.
static MAPPING: LazyLock<Vec<(SignatureScheme, &'static [Known])>> = LazyLock::new(|| {
    let of_ring = default_provider().signature_verification_algorithms.mapping;
    [of_ring, &[(SignatureScheme::ECDSA_NISTP521_SHA512, &SHA512_OF_TLS12)]].concat()
});

static SHA512_OF_TLS12: [Known; 3] = [&P521_SHA512, &P384_SHA512, &P256_SHA512];
static OWN: [Known; 5] = [&P521_SHA512, &P521_SHA384, &P521_SHA256, &P384_SHA512, &P256_SHA512];

static P256_SHA512: Ecdsa = Ecdsa::new(Curve::P256, Hash::Sha512);
static P384_SHA512: Ecdsa = Ecdsa::new(Curve::P384, Hash::Sha512);
static P521_SHA256: Ecdsa = Ecdsa::new(Curve::P521, Hash::Sha256);
static P521_SHA384: Ecdsa = Ecdsa::new(Curve::P521, Hash::Sha384);
static P521_SHA512: Ecdsa = Ecdsa::new(Curve::P521, Hash::Sha512);

#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
    P521,
}

#[derive(Clone, Copy, Debug)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// ECDSA for combinations of curve and hash that ring lacks.
#[derive(Clone, Copy)]
struct Ecdsa {
    curve: Curve,
    hash: Hash,
}

impl Ecdsa {
    const fn new(curve: Curve, hash: Hash) -> Self {
        Self { curve, hash }
    }
}

impl fmt::Debug for Ecdsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ECDSA_{:?}_{:?}", self.curve, self.hash)
    }
}

/// Verifies a signature with the types of one curve's crate.
macro_rules! verify {
    ($curve:ident, $key:expr, $digest:expr, $signature:expr) => {{
        let key = $curve::ecdsa::VerifyingKey::from_sec1_bytes($key).map_err(|_| InvalidSignature)?;
        let signature = $curve::ecdsa::Signature::from_der($signature).map_err(|_| InvalidSignature)?;
        key.verify_prehash($digest, &signature).map_err(|_| InvalidSignature)
    }};
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let hash: &Algorithm = match self.hash {
            Hash::Sha256 => &SHA256,
            Hash::Sha384 => &SHA384,
            Hash::Sha512 => &SHA512,
        };
        let digest = digest(hash, message);
        match self.curve {
            Curve::P256 => verify!(p256, key, digest.as_ref(), signature),
            Curve::P384 => verify!(p384, key, digest.as_ref(), signature),
            Curve::P521 => {
                // The same number with leading zeros: the library wants at least half of the field's length.
                let mut padded = [0; P521_FIELD_BYTES];
                let from = P521_FIELD_BYTES - digest.as_ref().len();
                padded[from..].copy_from_slice(digest.as_ref());
                verify!(p521, key, &padded, signature)
            }
        }
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        match self.curve {
            Curve::P256 => alg_id::ECDSA_P256,
            Curve::P384 => alg_id::ECDSA_P384,
            Curve::P521 => alg_id::ECDSA_P521,
        }
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        match self.hash {
            Hash::Sha256 => alg_id::ECDSA_SHA256,
            Hash::Sha384 => alg_id::ECDSA_SHA384,
            Hash::Sha512 => alg_id::ECDSA_SHA512,
        }
    }
}

/// The length of a coordinate or scalar on P-521, in bytes.
const P521_FIELD_BYTES: usize = 66;
