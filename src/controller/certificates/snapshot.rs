//! The state of the cluster as far as the plan depends on it: ids and validities instead of keys and bytes.

use crate::pki::{Flaw, Id, Validity};
use crate::time::Seconds;

/// A place for a certificate in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot<T> {
    /// There is neither certificate nor key.
    Empty,
    /// There is something that can't be parsed or isn't of the right kind.
    Broken(Flaw),
    /// There is a certificate.
    Holds(T),
}

impl<T> Slot<T> {
    /// The certificate, if there is one.
    pub const fn held(&self) -> Option<&T> {
        match self {
            Self::Holds(held) => Some(held),
            Self::Empty | Self::Broken(_) => None,
        }
    }

    /// Whether there is neither certificate nor key.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// A CA in the CA Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ca {
    /// The SHA-256 of its certificate.
    pub id: Id,
    /// When it is valid.
    pub validity: Validity,
    /// Why it can't sign; `None` if it can.
    pub flaw: Option<Flaw>,
}

/// The serving certificate in its Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The SHA-256 of the certificate.
    pub id: Id,
    /// When it is valid.
    pub validity: Validity,
    /// The CA in the snapshot that signed it, if any did.
    pub signer: Option<Id>,
    /// What is wrong with it, apart from its validity and signer.
    pub flaw: Option<Flaw>,
}

/// The `caBundle` of one entry of the webhook configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The distinct CAs in it, with their validity.
    pub cas: Vec<(Id, Validity)>,
    /// Whether it holds anything else: duplicates, leaves, or text that can't be parsed.
    pub rest: bool,
}

/// An endpoint of the webhook's Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The CAs in the snapshot that verify the chain it presents; empty if it can't be reached.
    pub verified_by: Vec<Id>,
}

/// What is remembered between steps, in annotations of the CA Secret. Times are seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationRecord {
    /// Since when this CA has been seen in the bundle.
    pub trusted: Option<(Id, Seconds)>,
    /// Since when every endpoint has been seen with a leaf of this CA.
    pub served: Option<(Id, Seconds)>,
    /// The leaf that is to be replaced at a person's request.
    pub renew: Option<Id>,
}

/// The value of the annotation `argocd-auth-webhook/rotate`, by which a person requests a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `ca`: a new CA.
    Ca,
    /// `leaf`: a new serving certificate.
    Leaf,
    /// Any other value, which means nothing.
    Unknown,
}

/// What a plan depends on: CAs, leaf, bundles and endpoints, as they were read in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `ca.crt` and `ca.key` of the CA Secret.
    pub current: Slot<Ca>,
    /// `next-ca.crt` and `next-ca.key` of the CA Secret.
    pub next: Slot<Ca>,
    /// `tls.crt` and `tls.key` of the serving Secret.
    pub serving: Slot<Leaf>,
    /// The bundle of each entry; `None` if there is no webhook configuration.
    pub bundles: Option<Vec<Bundle>>,
    /// What earlier passes recorded.
    pub record: RotationRecord,
    /// Whether there are annotations of the record that could not be used.
    pub has_stale_annotations: bool,
    /// The rotation that a person requests, if any.
    pub request: Option<Request>,
    /// The endpoints; `None` if they weren't asked in this pass.
    pub endpoints: Option<Vec<Endpoint>>,
}
