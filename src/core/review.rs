//! The wire types of `admission.k8s.io/v1`, as far as a mutating webhook needs them.
//!
//! Hand-written, because the types of existing crates serialize the patch as an array of numbers and can
//! answer with an empty uid. See
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>.

use super::lenient::{Obj, Shape, Str, bounded};
use super::pod::Pod;
use super::{Decision, Injector, Outcome};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";

/// Why a body gets HTTP status 400 instead of an `AdmissionReview`.
#[derive(Debug, thiserror::Error)]
pub enum Unanswerable {
    /// The body isn't JSON.
    #[error("the body is not JSON that can be read: {0}")]
    NotJson(#[from] serde_json::Error),
    /// The JSON is no `AdmissionReview` of version `admission.k8s.io/v1`.
    #[error("the body is not an AdmissionReview of admission.k8s.io/v1: kind is {kind}, apiVersion is {api_version}")]
    NotAReview {
        /// The body's `kind`.
        kind: Shown,
        /// The body's `apiVersion`.
        api_version: Shown,
    },
    /// `request.uid` is missing or empty, so that no answer can refer to it.
    #[error("the AdmissionReview has no request.uid, so no answer can name it")]
    NoUid,
    /// `request.uid` is longer than `MAX_UID_BYTES`; its length in bytes.
    #[error("the AdmissionReview's request.uid has {0} bytes, and at most {MAX_UID_BYTES} are answered")]
    LongUid(usize),
    /// A string with escapes is longer than `MAX_STRING_BYTES`.
    #[error("the body has a string with escapes of over {MAX_STRING_BYTES} bytes, which no pod can have")]
    LongString,
}

/// The longest uid that is answered, in bytes. The API server's have 36; an answer repeats the uid.
const MAX_UID_BYTES: usize = 256;
/// The longest string with escapes, in bytes: such a string is copied. Linux takes no argument or variable of
/// more than 128 KiB, Kubernetes allows annotations 256 KiB together, and escapes make that up to six times
/// longer.
const MAX_STRING_BYTES: usize = 2 << 20;

/// Text from a request, cut and quoted so that it can stand in an answer or a log line.
#[derive(Debug)]
pub struct Shown(String);

impl Shown {
    /// How many characters are shown: the longest object name of Kubernetes.
    const MAX_NAME: usize = 253;

    /// Cuts and quotes a text.
    #[must_use]
    pub fn new(text: Option<&str>) -> Self {
        Self(match text {
            None => "missing".to_owned(),
            Some(text) => format!("{:?}", text.chars().take(Self::MAX_NAME).collect::<String>()),
        })
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The request of an `AdmissionReview`, borrowed from the body.
#[derive(Debug)]
pub struct Review<'a> {
    request: Request<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    api_version: Str<'a>,
    #[serde(borrow)]
    kind: Str<'a>,
    #[serde(borrow)]
    request: Obj<Request<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow)]
    uid: Str<'a>,
    #[serde(borrow)]
    kind: Obj<GroupVersionKind<'a>>,
    #[serde(borrow)]
    sub_resource: Str<'a>,
    #[serde(borrow)]
    operation: Str<'a>,
    #[serde(borrow)]
    namespace: Str<'a>,
    #[serde(borrow)]
    name: Str<'a>,
    // Read in the same pass as the envelope; fields that decide nothing are skipped, not stored.
    #[serde(borrow)]
    object: Obj<Pod<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GroupVersionKind<'a> {
    #[serde(borrow)]
    group: Str<'a>,
    #[serde(borrow)]
    version: Str<'a>,
    #[serde(borrow)]
    kind: Str<'a>,
}

impl<'a> Review<'a> {
    /// Reads a review from a request's body, in one pass; only strings with escapes are copied.
    ///
    /// # Errors
    /// Why the body can't be answered with a review: see [`Unanswerable`].
    pub fn parse(body: &'a [u8]) -> Result<Self, Unanswerable> {
        if body.len() > MAX_STRING_BYTES && has_long_escaped_string(body) {
            return Err(Unanswerable::LongString);
        }
        let Envelope { api_version, kind, request } =
            bounded(|| serde_json::from_slice::<Obj<Envelope<'a>>>(body))?.value;
        if !kind.is(KIND) || !api_version.is(API_VERSION) {
            return Err(Unanswerable::NotAReview {
                kind: Shown::new(kind.get()),
                api_version: Shown::new(api_version.get()),
            });
        }
        match request.value.uid.get().map_or(0, str::len) {
            0 => return Err(Unanswerable::NoUid),
            length if length > MAX_UID_BYTES => return Err(Unanswerable::LongUid(length)),
            _ => {}
        }
        Ok(Self { request: request.value })
    }

    /// `request.uid`, which the answer must repeat. Never empty.
    #[must_use]
    pub fn uid(&self) -> &str {
        self.request.uid.get().unwrap_or_default()
    }

    /// `request.namespace`; `None` where it is missing.
    #[must_use]
    pub fn namespace(&self) -> Option<&str> {
        self.request.namespace.get()
    }

    /// `request.name`, or the pod's `generateName`: the API server sets the name only later.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.request.name.get().filter(|name| !name.is_empty()).or_else(|| self.request.object.value.name())
    }

    /// Decides about the pod to be created. Any other kind, operation or subresource is left unchanged.
    #[must_use]
    pub fn decide<'i>(&self, injector: &'i Injector) -> Decision<'i> {
        let Request { kind, sub_resource, operation, object, .. } = &self.request;
        let core_pod = kind.value.kind.is("Pod")
            && kind.value.version.is("v1")
            && kind.value.group.get().is_none_or(str::is_empty);
        let whole = sub_resource.get().is_none_or(str::is_empty);
        if !core_pod || !whole || !operation.is("CREATE") || object.shape != Shape::Expected {
            return Decision::unchanged(Outcome::NotAPodCreation);
        }
        injector.decide(&object.value)
    }
}

/// Whether a string with escapes is longer than [`MAX_STRING_BYTES`]. For text that isn't JSON the result
/// means nothing.
fn has_long_escaped_string(text: &[u8]) -> bool {
    let mut bytes = text.iter().enumerate();
    let mut begin = None;
    let mut escaped = false;
    while let Some((place, byte)) = bytes.next() {
        match (byte, begin) {
            (b'"', None) => (begin, escaped) = (Some(place), false),
            (b'"', Some(_)) => begin = None,
            (b'\\', Some(_)) => {
                escaped = true;
                bytes.next();
            }
            _ => {}
        }
        if escaped && begin.is_some_and(|begin| place - begin > MAX_STRING_BYTES) {
            return true;
        }
    }
    false
}

/// The `AdmissionReview` that answers the API server.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    audit_annotations: Audit<'a>,
}

#[derive(Debug, Serialize)]
struct Status<'a> {
    code: u16,
    reason: &'static str,
    message: &'a str,
}

#[derive(Debug)]
struct Audit<'a> {
    outcome: Outcome,
    service: Option<&'a str>,
}

impl Serialize for Audit<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.outcome.as_str())?;
        if let Some(service) = self.service {
            map.serialize_entry("service", service)?;
        }
        map.end()
    }
}

impl<'a> Answer<'a> {
    /// Answers the review with this uid. `patch` is the decision's patch, already encoded in base64.
    #[must_use]
    pub fn new(uid: &'a str, decision: &'a Decision<'_>, patch: Option<String>) -> Self {
        let status = decision.denied.as_deref().map(|message| Status { code: 403, reason: "Forbidden", message });
        Self {
            api_version: API_VERSION,
            kind: KIND,
            response: Response {
                uid,
                allowed: status.is_none(),
                status,
                patch_type: patch.is_some().then_some("JSONPatch"),
                patch,
                warnings: &decision.warnings,
                audit_annotations: Audit {
                    outcome: decision.outcome,
                    service: decision.service.map(|(_, service)| service.name.as_str()),
                },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn review(uid: &str, more: &str) -> String {
        format!("{{\"apiVersion\":\"{API_VERSION}\",\"kind\":\"{KIND}\",\"request\":{{\"uid\":\"{uid}\"{more}}}}}")
    }

    #[test]
    fn a_uid_is_answered_up_to_its_bound() {
        assert!(Review::parse(review(&"u".repeat(MAX_UID_BYTES), "").as_bytes()).is_ok());
        let long = review(&"u".repeat(MAX_UID_BYTES + 1), "");
        assert!(matches!(Review::parse(long.as_bytes()), Err(Unanswerable::LongUid(257))));
    }

    #[test]
    fn a_long_string_is_refused_where_it_would_be_copied() {
        let long = "x".repeat(MAX_STRING_BYTES + 1);
        assert!(Review::parse(review("u", &format!(",\"name\":\"{long}\"")).as_bytes()).is_ok());
        for text in [format!("\\n{long}"), format!("{long}\\\""), format!("{long}\\\\")] {
            let escaped = review("u", &format!(",\"name\":\"{text}\""));
            assert!(matches!(Review::parse(escaped.as_bytes()), Err(Unanswerable::LongString)), "{}", &text[..3]);
        }
        let short = review("u", &format!(",\"a\":\"\\n\",\"name\":\"{long}\",\"b\":\"\\n\""));
        assert!(Review::parse(short.as_bytes()).is_ok());
    }
}
