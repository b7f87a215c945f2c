//! What a token claims about itself: a JWT, read without checking its signature.
//!
//! Only Argo CD can say whether a token is valid. But most of what people put in its place by mistake can be
//! recognised and named. Nothing here keeps or quotes the token; only its claims are kept, which are no
//! secret.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use std::fmt;

/// The `iss` of every token that Argo CD issues.
pub const ISSUER: &str = "argocd";
/// The clock skew that is tolerated, in seconds, before a token counts as not yet valid.
const MAX_SKEW: i64 = 60;
/// How many characters of a claim are shown.
const MAX_SHOWN: usize = 100;

/// Whose token it is, from its `sub` claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An account's API key, `ACCOUNT:apiKey`. A subject without suffix or with any but `login` counts as one
    /// too, as in Argo CD.
    ApiKey {
        /// The account's name.
        account: String,
    },
    /// An account's session, `ACCOUNT:login`: what a login returns. By default Argo CD's expire after 24
    /// hours.
    Session {
        /// The account's name.
        account: String,
    },
    /// A project role's token, `proj:PROJECT:ROLE`.
    Project {
        /// The project's name.
        project: String,
        /// The role's name.
        role: String,
    },
}

impl Subject {
    fn read(subject: &str) -> Self {
        let owned = |text: &str| text.to_owned();
        let mut parts = subject.splitn(3, ':');
        match (parts.next().unwrap_or_default(), parts.next(), parts.next()) {
            ("proj", Some(project), Some(role)) => Self::Project { project: owned(project), role: owned(role) },
            (account, Some("login"), _) => Self::Session { account: owned(account) },
            (account, ..) => Self::ApiKey { account: owned(account) },
        }
    }

    /// The account's name; `None` for a project role's token.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::ApiKey { account } | Self::Session { account } => Some(account),
            Self::Project { .. } => None,
        }
    }
}

/// The claims of a token. Times are seconds since 1970; a claim that is absent or of another type is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `iss`: who issued it.
    pub issuer: Option<String>,
    /// `sub`: whose it is.
    pub subject: Subject,
    /// `jti`: the id under which the account lists its keys.
    pub id: Option<String>,
    /// `iat`: when it was issued.
    pub issued_at: Option<i64>,
    /// `nbf`: from when it is valid.
    pub not_before: Option<i64>,
    /// `exp`; `None` for a token that never expires.
    pub expires_at: Option<i64>,
}

/// Why a text isn't an API key that never expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is nothing but white space.
    Empty,
    /// A token with white space or a newline before or after it.
    SpaceAround,
    /// A token in quotation marks.
    Quoted,
    /// A token that was encoded in base64 once more than needed.
    Base64Twice,
    /// It is no JWT; the reason.
    NotJwt(&'static str),
    /// Its issuer isn't Argo CD; its `iss`, if it has one.
    OtherIssuer(Option<String>),
    /// It is an account's session, which expires.
    Session {
        /// The account's name.
        account: String,
    },
    /// It is a project role's token.
    Project {
        /// The project's name.
        project: String,
        /// The role's name.
        role: String,
    },
    /// It has no `jti`, so nobody can list or revoke it.
    NoId,
    /// It has expired.
    Expired {
        /// Its `exp`, in seconds since 1970.
        at: i64,
    },
    /// It will expire, but is valid until then.
    Expiring {
        /// Its `exp`, in seconds since 1970.
        at: i64,
    },
    /// It isn't valid yet, by more than the tolerated clock skew.
    NotYetValid {
        /// Its `nbf`, in seconds since 1970.
        from: i64,
    },
}

impl Claims {
    /// Reads a token as it stands in a Secret or a file.
    ///
    /// # Errors
    /// What the text is instead of a bare JWT: [`Flaw::Empty`], [`Flaw::SpaceAround`], [`Flaw::Quoted`],
    /// [`Flaw::Base64Twice`] or [`Flaw::NotJwt`].
    pub fn read(token: &[u8]) -> Result<Self, Flaw> {
        let inner = token.trim_ascii();
        if inner.is_empty() {
            return Err(Flaw::Empty);
        }
        match Self::decode(inner) {
            Ok(_) if inner.len() < token.len() => Err(Flaw::SpaceAround),
            Ok(claims) => Ok(claims),
            Err(why) => Err(Self::wrapped(inner).unwrap_or(Flaw::NotJwt(why))),
        }
    }

    fn decode(token: &[u8]) -> Result<Self, &'static str> {
        let token = std::str::from_utf8(token).map_err(|_| "it isn't text")?;
        if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("it has white space in it");
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err("it does not have three parts with dots between them");
        };
        object(header).ok_or("its first part is no JSON in base64")?;
        let claims = object(claims).ok_or("its second part is no JSON in base64")?;
        if URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| !signature.is_empty()) {
            Self::from_object(&claims).ok_or("it names no subject")
        } else {
            Err("its third part is no signature")
        }
    }

    fn from_object(claims: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let time = |name: &str| claims.get(name).and_then(seconds);
        Some(Self {
            issuer: text("iss"),
            subject: Subject::read(&text("sub").filter(|subject| !subject.is_empty())?),
            id: text("jti").filter(|id| !id.is_empty()),
            issued_at: time("iat"),
            not_before: time("nbf"),
            expires_at: time("exp"),
        })
    }

    /// Whether the text is a token in quotation marks or in another layer of base64.
    fn wrapped(text: &[u8]) -> Option<Flaw> {
        let inside = |quote: u8| text.strip_prefix(&[quote]).and_then(|text| text.strip_suffix(&[quote]));
        if inside(b'"').or_else(|| inside(b'\'')).is_some_and(|inner| Self::decode(inner).is_ok()) {
            return Some(Flaw::Quoted);
        }
        // `base64` breaks its output into lines.
        let whole: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let decoded = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD].iter().find_map(|e| e.decode(&whole).ok());
        decoded.is_some_and(|inner| Self::decode(inner.trim_ascii()).is_ok()).then_some(Flaw::Base64Twice)
    }

    /// The first reason why this isn't an API key that never expires, at `now` (seconds since 1970). The more
    /// fundamental reasons come first: issuer, kind, id, then times.
    #[must_use]
    pub fn flaw(&self, now: i64) -> Option<Flaw> {
        if self.issuer.as_deref() != Some(ISSUER) {
            return Some(Flaw::OtherIssuer(self.issuer.clone()));
        }
        match self.subject.clone() {
            Subject::Session { account } => return Some(Flaw::Session { account }),
            Subject::Project { project, role } => return Some(Flaw::Project { project, role }),
            Subject::ApiKey { .. } if self.id.is_none() => return Some(Flaw::NoId),
            Subject::ApiKey { .. } => {}
        }
        match (self.expires_at, self.not_before) {
            (Some(at), _) if at <= now => Some(Flaw::Expired { at }),
            (_, Some(from)) if from > now.saturating_add(MAX_SKEW) => Some(Flaw::NotYetValid { from }),
            (Some(at), _) => Some(Flaw::Expiring { at }),
            (None, _) => None,
        }
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A JWT's `NumericDate`, which may have a fraction; that is cut off.
#[expect(clippy::cast_possible_truncation, reason = "a cast from a float stops at the ends of i64")]
fn seconds(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
}

impl Flaw {
    /// Whether Argo CD may accept such a token for now: it is no API key as wanted, but not dead either.
    #[must_use]
    pub const fn is_usable(&self) -> bool {
        matches!(self, Self::Expiring { .. } | Self::NotYetValid { .. })
    }

    /// A stable name for reports, such as `not_jwt`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::SpaceAround => "space_around",
            Self::Quoted => "quoted",
            Self::Base64Twice => "base64_twice",
            Self::NotJwt(_) => "not_jwt",
            Self::OtherIssuer(_) => "other_issuer",
            Self::Session { .. } => "session",
            Self::Project { .. } => "project",
            Self::NoId => "no_id",
            Self::Expired { .. } => "expired",
            Self::Expiring { .. } => "expiring",
            Self::NotYetValid { .. } => "not_yet_valid",
        }
    }

    /// What the reader can do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::SpaceAround => "write it again without (printf instead of echo, or kubectl create --from-literal)",
            Self::Quoted => "write it again without them",
            Self::Base64Twice => {
                "encode it once: `data` takes base64, `stringData` and --from-literal the token itself"
            }
            Self::Session { .. } => "make an API key: a session ends after a day",
            Self::Project { .. } => "make an API key of an account: a project's token can't do what the Runtime does",
            Self::NotYetValid { .. } => "set the clocks right",
            Self::Expiring { .. } => "replace it by one without expiry before it ends",
            Self::Empty | Self::NotJwt(_) | Self::OtherIssuer(_) | Self::NoId | Self::Expired { .. } => {
                "make an API key in Argo CD and put it in its place"
            }
        }
    }
}

/// Leaves out times: this module knows no calendar, so callers add them.
impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::SpaceAround => f.write_str("it has white space or a newline before or after it"),
            Self::Quoted => f.write_str("it stands in quotation marks"),
            Self::Base64Twice => f.write_str("it is encoded in base64 twice"),
            Self::NotJwt(why) => write!(f, "it is no token of Argo CD: {why}"),
            Self::OtherIssuer(None) => f.write_str("it is no token of Argo CD: it names no issuer"),
            Self::OtherIssuer(Some(issuer)) => {
                write!(f, "it is no token of Argo CD's own: its issuer is {}", shown(issuer))
            }
            Self::Session { account } => write!(f, "it is a session of the account {}, no API key", shown(account)),
            Self::Project { project, role } => write!(
                f,
                "it is a token of role {} in project {}, and no account's API key",
                shown(role),
                shown(project)
            ),
            Self::NoId => f.write_str("it has no id, so that nobody can list or revoke it"),
            Self::Expired { .. } => f.write_str("it has expired"),
            Self::Expiring { .. } => f.write_str("it expires"),
            Self::NotYetValid { .. } => f.write_str("it is not valid yet"),
        }
    }
}

/// A claim, cut and cleaned: whoever made the token chose its text.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(MAX_SHOWN).collect();
    format!("{cut:?}")
}

#[cfg(test)]
mod tests;
