//! What stands in the cluster, as far as the plan looks at it: no keys, no bytes, only what decides.

use crate::pki::{Flaw, Id, Validity};
use crate::time::Seconds;

/// A place in a Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot<T> {
    /// Nothing is there.
    Empty,
    /// Something that can't be read at all.
    Broken(Flaw),
    /// Something that can.
    Holds(T),
}

impl<T> Slot<T> {
    /// What can be read of it.
    pub const fn held(&self) -> Option<&T> {
        match self {
            Self::Holds(held) => Some(held),
            Self::Empty | Self::Broken(_) => None,
        }
    }

    /// Whether nothing is there.
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// A CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ca {
    /// The SHA-256 of its certificate.
    pub id: Id,
    /// When it holds.
    pub validity: Validity,
    /// Why it can't sign, if it can't.
    pub flaw: Option<Flaw>,
}

/// The serving certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The SHA-256 of the certificate.
    pub id: Id,
    /// When it holds.
    pub validity: Validity,
    /// Which of the CAs in the snapshot signed it.
    pub signer: Option<Id>,
    /// What is wrong with it, but for its time and its signer.
    pub flaw: Option<Flaw>,
}

/// The `caBundle` of one entry of the webhook configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The CAs in it.
    pub cas: Vec<(Id, Validity)>,
    /// Whether there is anything else in it.
    pub rest: bool,
}

/// What an endpoint of the webhook's Service shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The CAs in the snapshot that its leaf verifies with; none if it can't be reached.
    pub verified_by: Vec<Id>,
}

/// What is remembered between steps, in annotations of the CA Secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RotationRecord {
    /// This CA has been seen in the bundle since then.
    pub trusted: Option<(Id, Seconds)>,
    /// Every endpoint has been seen with a leaf of this CA since then.
    pub served: Option<(Id, Seconds)>,
    /// This leaf is to be replaced, at a person's request.
    pub renew: Option<Id>,
}

/// What a person asks for with the annotation `argocd-auth-webhook/rotate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new CA.
    Ca,
    /// A new leaf.
    Leaf,
    /// Nothing that there is.
    Unknown,
}

/// What a plan depends on: the CAs, the leaf, the bundles and the endpoints, as they were read in one pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// `ca.crt` and `ca.key`.
    pub current: Slot<Ca>,
    /// `next-ca.crt` and `next-ca.key`.
    pub next: Slot<Ca>,
    /// `tls.crt` and `tls.key` of the serving Secret.
    pub serving: Slot<Leaf>,
    /// An entry each; `None` where there is no webhook configuration.
    pub bundles: Option<Vec<Bundle>>,
    /// What is remembered.
    pub marks: RotationRecord,
    /// Whether annotations of ours say something that means nothing any more.
    pub litter: bool,
    /// What a person asks for.
    pub request: Option<Request>,
    /// `None` where nobody looked.
    pub endpoints: Option<Vec<Endpoint>>,
}
