//! Errors of Argo CD's API: what a person can do about them, and what a program can branch on.

use super::message::Message;
use std::fmt;
use std::time::Duration;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {cause}{}", advice(cause))]
pub struct ArgoCdError {
    /// What was tried, with method and URL.
    pub what: String,
    /// Why it failed.
    pub cause: Cause,
}

fn advice(cause: &Cause) -> String {
    cause.advice().map(|advice| format!("; to do: {advice}")).unwrap_or_default()
}

/// Why a call failed. Only JSON counts as Argo CD's own answer; anything else may come from a proxy or
/// gateway in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// 401: Argo CD doesn't accept the credential now. Its own configuration may be what is broken.
    Unauthorized(Message),
    /// 403: the account may not do this.
    Forbidden(Message),
    /// 404: there is no such object. A server with broken configuration answers this too.
    NotFound(Message),
    /// 409: another write came between.
    Conflict(Message),
    /// 429, from Argo CD or from something in front of it.
    TooManyRequests {
        /// The answer's `Retry-After`, if it has one.
        retry_after: Option<Duration>,
    },
    /// 400: the request itself is wrong.
    Invalid(Message),
    /// 500 with code 2 on the creation of an API key: the account lacks the capability `apiKey`.
    NoApiKeys(Message),
    /// 500 with code 2 on the creation of an API key: the account has a key with this id.
    IdTaken(Message),
    /// Any other 5xx, from Argo CD or from something in front of it.
    Server {
        /// The HTTP status.
        status: u16,
        /// Argo CD's message; empty if something else answered.
        message: Message,
    },
    /// A redirect, which is never followed.
    Redirect {
        /// The address in `Location`.
        to: String,
        /// How it differs from the address that was called.
        kind: RedirectKind,
    },
    /// An answer that isn't JSON, such as the page of a login proxy.
    NotArgoCd {
        /// The HTTP status.
        status: u16,
        /// The answer's content type; may be empty.
        content_type: String,
    },
    /// 415: something in between changes the request's content type.
    UnsupportedMedia,
    /// A status that Argo CD's API doesn't use.
    UnexpectedStatus(u16),
    /// An answer with status 2xx whose body can't be used; the reason.
    Unreadable(&'static str),
    /// No answer within the time limit. A write may have been done, or be done later.
    TimedOut(Duration),
    /// The connection broke before the answer was complete. A write may have been done.
    Broken(String),
    /// No connection, so nothing was sent.
    Unreachable(String),
    /// No connection through the proxy, so nothing was sent.
    Proxy(String),
    /// The TLS handshake failed, so nothing was sent.
    Tls(TlsFailure),
    /// The request couldn't be prepared on this side, so nothing was sent.
    Setup(String),
}

/// How the address in a redirect differs from the one that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedirectKind {
    /// https instead of http, on the same host.
    Tls,
    /// Another path on the same server.
    Path,
    /// Another host, or another port.
    Host,
}

/// Why the TLS handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFailure {
    /// No trusted CA signed the certificate.
    UnknownIssuer,
    /// The certificate is for other names; those.
    WrongName(String),
    /// The certificate has expired or isn't valid yet; which.
    OutOfTime(String),
    /// The server's certificate is a CA's that isn't itself trusted.
    CaAsLeaf,
    /// The server doesn't speak TLS.
    NoTls,
    /// Anything else.
    Other(String),
}

impl Cause {
    /// A label for metrics; see [`Cause::KINDS`].
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Conflict(_) => "conflict",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::Invalid(_) => "invalid",
            Self::NoApiKeys(_) => "no_api_keys",
            Self::IdTaken(_) => "id_taken",
            Self::Server { .. } => "server",
            Self::Redirect { .. } => "redirect",
            Self::NotArgoCd { .. } => "not_argocd",
            Self::UnsupportedMedia => "unsupported_media",
            Self::UnexpectedStatus(_) => "unexpected_status",
            Self::Unreadable(_) => "unreadable",
            Self::TimedOut(_) => "timed_out",
            Self::Broken(_) => "broken",
            Self::Unreachable(_) => "unreachable",
            Self::Proxy(_) => "proxy",
            Self::Tls(_) => "tls",
            Self::Setup(_) => "setup",
        }
    }

    /// Every label that [`Cause::kind`] gives.
    pub const KINDS: [&str; 20] = [
        "unauthorized",
        "forbidden",
        "not_found",
        "conflict",
        "too_many_requests",
        "invalid",
        "no_api_keys",
        "id_taken",
        "server",
        "redirect",
        "not_argocd",
        "unsupported_media",
        "unexpected_status",
        "unreadable",
        "timed_out",
        "broken",
        "unreachable",
        "proxy",
        "tls",
        "setup",
    ];

    /// Whether a write that failed like this may have been done all the same, or may still be.
    #[must_use]
    pub const fn may_have_been_done(&self) -> bool {
        matches!(
            self,
            Self::Server { .. } | Self::TimedOut(_) | Self::Broken(_) | Self::Unreadable(_) | Self::NotArgoCd { .. }
        ) || matches!(self, Self::UnexpectedStatus(_))
    }

    /// Whether it is certain that the request reached nobody.
    #[must_use]
    pub const fn was_not_sent(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Proxy(_) | Self::Tls(_) | Self::Setup(_))
    }

    /// Whether Argo CD itself answered, as far as that can be told: with JSON, and a status that concerns the
    /// call.
    #[must_use]
    pub const fn is_argocds_word(&self) -> bool {
        matches!(
            self,
            Self::Unauthorized(_) | Self::Forbidden(_) | Self::NotFound(_) | Self::Conflict(_) | Self::Invalid(_)
        )
    }

    /// What a person can do about it; `None` where the error says it all.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Forbidden(_) => "give the account what it needs in argocd-rbac-cm",
            Self::NoApiKeys(_) => "give the account `apiKey` in argocd-cm (account enable does it)",
            Self::Redirect { kind: RedirectKind::Tls, .. } => {
                "Argo CD speaks TLS here: set argocd.url to its https address, with tls.caSecretKeyRef where its \
                 certificate is of a private CA"
            }
            Self::Redirect { kind: RedirectKind::Path, .. } => "set the root path (server.rootpath) as in the address",
            Self::Redirect { kind: RedirectKind::Host, .. } => {
                "set the address of Argo CD itself, not of what stands before it"
            }
            Self::NotArgoCd { .. } => {
                "look whether the address and the root path are those of Argo CD, and what stands before it"
            }
            Self::UnsupportedMedia => "look at what stands before Argo CD: it changes the header Content-Type",
            Self::Server { status: 502..=504, .. } | Self::TimedOut(_) => "look whether Argo CD's server is ready",
            Self::Server { .. } => "look at the log of Argo CD's server",
            Self::Unreachable(_) => "look whether the address is right, and whether a network policy is in the way",
            Self::Proxy(_) => "look at HTTPS_PROXY and NO_PROXY",
            Self::Tls(failure) => failure.advice(),
            _ => return None,
        })
    }
}

impl TlsFailure {
    const fn advice(&self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "give the certificate of its CA in argocd.tls.caSecretKeyRef or caConfigMapKeyRef (Argo CD's own \
                 default certificate is tls.crt of Secret argocd-server-tls, or argocd-secret)"
            }
            Self::WrongName(_) => "use one of the certificate's names as the address",
            Self::OutOfTime(_) => "renew Argo CD's certificate, or set the clocks right",
            Self::CaAsLeaf => {
                "give that certificate itself in argocd.tls.caSecretKeyRef or caConfigMapKeyRef, or let Argo CD serve \
                 with one that is no CA's"
            }
            Self::NoTls => "use an http address: Argo CD runs with --insecure",
            Self::Other(_) => {
                "use an http address if Argo CD runs with --insecure; else look at its certificate and at its log"
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unauthorized(message) => write!(f, "Argo CD says no (401){message}"),
            Self::Forbidden(message) => write!(f, "not allowed (403){message}"),
            Self::NotFound(message) => write!(f, "not there (404){message}"),
            Self::Conflict(message) => write!(f, "somebody else wrote meanwhile (409){message}"),
            Self::TooManyRequests { retry_after: None } => f.write_str("too many requests (429)"),
            Self::TooManyRequests { retry_after: Some(wait) } => {
                write!(f, "too many requests (429), again in {} s", wait.as_secs())
            }
            Self::Invalid(message) => write!(f, "Argo CD doesn't take this (400){message}"),
            Self::NoApiKeys(message) => write!(f, "the account may have no API keys{message}"),
            Self::IdTaken(message) => write!(f, "the id is taken{message}"),
            Self::Server { status, message } => write!(f, "Argo CD can't answer now ({status}){message}"),
            Self::Redirect { to, .. } => write!(f, "it is at {to} (a redirect, not followed)"),
            Self::NotArgoCd { status, content_type } if content_type.is_empty() => {
                write!(f, "the answer ({status}) isn't Argo CD's")
            }
            Self::NotArgoCd { status, content_type } => {
                write!(f, "the answer ({status}, {content_type}) isn't Argo CD's, which speaks JSON")
            }
            Self::UnsupportedMedia => f.write_str("Argo CD doesn't take the content type (415)"),
            Self::UnexpectedStatus(status) => write!(f, "an answer with the status {status}"),
            Self::Unreadable(why) => write!(f, "the answer can't be read: {why}"),
            Self::TimedOut(limit) => write!(f, "no answer within {limit:?}"),
            Self::Broken(reason) => write!(f, "the connection broke: {reason}"),
            Self::Unreachable(reason) => write!(f, "no connection: {reason}"),
            Self::Proxy(reason) => write!(f, "no connection through the proxy: {reason}"),
            Self::Tls(failure) => write!(f, "TLS failed: {failure}"),
            Self::Setup(reason) => f.write_str(reason),
        }
    }
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("nobody who is trusted has signed its certificate"),
            Self::WrongName(reason) | Self::OutOfTime(reason) | Self::Other(reason) => f.write_str(reason),
            Self::CaAsLeaf => {
                f.write_str("it serves with the certificate of a CA, which isn't itself one that is trusted")
            }
            Self::NoTls => f.write_str("the other side speaks no TLS"),
        }
    }
}
