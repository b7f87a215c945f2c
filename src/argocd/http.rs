//! One request and its answer, directly over hyper. A pooling client would follow redirects and choose the
//! connection; here one connection means one replica of Argo CD, and a redirect is reported.

use super::base::Base;
use super::connect::{Connector, Sender};
use super::error::{ArgoCdError, Cause, RedirectKind};
use super::lenient::LenientText;
use super::message::Message;
use crate::core::text;
use crate::core::text::innermost;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use hyper::{Method, Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Mutex;

/// How many bytes of an answer are read. Its largest part is an account's list of tokens, which Argo CD keeps
/// in a Secret, and that holds less.
const MAX_ANSWER_BYTES: usize = 1 << 20;
/// How many sent secrets are remembered, because a later answer may quote them.
const MAX_REMEMBERED: usize = 16;
/// How long an idle connection is reused. An older one may be about to be closed by the server, and then
/// nobody could say whether a write was done.
const MAX_IDLE: Duration = Duration::from_secs(10);
/// How many characters of a header's value are shown.
const MAX_SHOWN: usize = 120;

/// One call of the API.
pub(super) struct Call<'a> {
    /// What it does, for error messages.
    pub(super) what: &'a str,
    pub(super) method: Method,
    /// The path below the base URL's root path, with its slash.
    pub(super) path: &'a str,
    pub(super) body: Option<Value>,
    pub(super) token: Option<&'a SecretString>,
    /// Another secret in the request that answers may quote, such as a password.
    pub(super) secret: Option<&'a SecretString>,
    pub(super) limit: Duration,
}

/// Makes calls one after the other over one connection while it lasts. Behind a load balancer that keeps a
/// connection at one replica, their answers can be compared.
#[derive(Debug)]
pub(super) struct Http {
    base: Base,
    connector: Connector,
    idle: Mutex<Option<(Sender, Instant)>>,
    sent: std::sync::Mutex<VecDeque<SecretString>>,
}

impl Http {
    pub(super) fn new(base: Base, connector: Connector) -> Self {
        Self { base, connector, idle: Mutex::new(None), sent: std::sync::Mutex::default() }
    }

    /// Makes a call and reads the fields of `T` from its answer; other fields are skipped.
    pub(super) async fn call<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, ArgoCdError> {
        self.remember([call.token, call.secret].into_iter().flatten());
        let answer = tokio::time::timeout(call.limit, self.exchange(call)).await;
        answer.unwrap_or(Err(Cause::TimedOut(call.limit))).map_err(|cause| {
            let method = &call.method;
            ArgoCdError { what: format!("{} ({method} {}{})", call.what, self.base, call.path), cause }
        })
    }

    /// Text of the server's as one line of at most `most` characters; hidden if it quotes a secret that was
    /// sent.
    pub(super) fn line(&self, text: &str, most: usize) -> String {
        self.with_secrets(|secrets| text::line(text, most, secrets))
    }

    fn message(&self, text: &str) -> Message {
        self.with_secrets(|secrets| Message::new(text, secrets))
    }

    fn with_secrets<T>(&self, with: impl FnOnce(&[&str]) -> T) -> T {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        with(&sent.iter().map(ExposeSecret::expose_secret).collect::<Vec<_>>())
    }

    fn remember<'s>(&self, secrets: impl Iterator<Item = &'s SecretString>) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            sent.retain(|known| known.expose_secret() != secret.expose_secret());
            sent.push_front(secret.clone());
        }
        sent.truncate(MAX_REMEMBERED);
    }

    async fn exchange<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Cause> {
        let request = self.request(call)?;
        let kept =
            self.idle.lock().await.take().filter(|(sender, since)| since.elapsed() < MAX_IDLE && sender.is_ready());
        let mut sender = match kept {
            Some((sender, _)) => sender,
            None => self.connector.connect().await?,
        };
        let response = match sender.try_send_request(request).await {
            Ok(response) => response,
            Err(mut error) => match error.take_message() {
                // The server had closed the idle connection before a byte was sent.
                Some(request) => {
                    sender = self.connector.connect().await?;
                    sender.send_request(request).await.map_err(|error| broken(&error))?
                }
                None => return Err(broken(error.error())),
            },
        };
        let (head, body) = response.into_parts();
        let body = match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Cause::Unreadable("it is too long")),
            Err(_) if head.status.is_success() => return Err(Cause::Unreadable("it ends early")),
            Err(_) => Bytes::new(),
        };
        if sender.ready().await.is_ok() {
            *self.idle.lock().await = Some((sender, Instant::now()));
        }
        self.read(head.status, &head.headers, &body)
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Full<Bytes>>, Cause> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.base.root, call.path))
            .header(HOST, self.base.authority())
            .header(USER_AGENT, concat!("argocd-auth-webhook/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json");
        if call.method != Method::GET {
            // Argo CD refuses a content type with a charset.
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
                .map_err(|_| Cause::Setup("the token has characters that no header can have".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let body = call.body.as_ref().map(Value::to_string).unwrap_or_default();
        request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Cause::Setup(format!("no request can be made of this: {error}")))
    }

    fn read<T: DeserializeOwned>(&self, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<T, Cause> {
        let content_type = header(headers, &CONTENT_TYPE);
        let is_json = content_type.split(';').next().is_some_and(|kind| kind.trim() == "application/json");
        let not_argocd =
            || Cause::NotArgoCd { status: status.as_u16(), content_type: self.line(content_type, MAX_SHOWN) };
        if status.is_success() {
            if !is_json {
                return Err(not_argocd());
            }
            // serde would read a struct from a list, too.
            if !body.trim_ascii_start().starts_with(b"{") {
                return Err(Cause::Unreadable("it is no JSON object"));
            }
            return serde_json::from_slice(body).map_err(|error| {
                let field = "a field is not what it should be";
                Cause::Unreadable(if error.is_data() { field } else { "it is no JSON" })
            });
        }
        if status.is_redirection() {
            // What follows may be the ticket of a login page.
            return Err(self.redirect(header(headers, &LOCATION).split(['?', '#']).next().unwrap_or_default()));
        }
        let said = if is_json { serde_json::from_slice::<Said>(body).ok() } else { None };
        let said = said.and_then(|said| said.message.0.or(said.error.0));
        let message = self.message(said.as_deref().unwrap_or_default());
        Err(match status.as_u16() {
            429 => Cause::TooManyRequests { retry_after: retry_after(headers) },
            415 => Cause::UnsupportedMedia,
            status @ 500.. => Cause::Server { status, message },
            // From here on only an answer in Argo CD's JSON counts.
            _ if said.is_none() => not_argocd(),
            401 => Cause::Unauthorized(message),
            403 => Cause::Forbidden(message),
            404 => Cause::NotFound(message),
            409 => Cause::Conflict(message),
            400 => Cause::Invalid(message),
            status => Cause::UnexpectedStatus(status),
        })
    }

    /// Says how the target of a redirect differs from the base URL; a relative one is another path.
    fn redirect(&self, to: &str) -> Cause {
        let kind = match Base::parse(to) {
            Ok(there) if there.host != self.base.host => RedirectKind::Host,
            Ok(there) if there.https && !self.base.https => RedirectKind::Tls,
            Ok(there) if there.https != self.base.https || there.port != self.base.port => RedirectKind::Host,
            Ok(_) | Err(_) => RedirectKind::Path,
        };
        let to = if to.is_empty() { "an address that it doesn't name" } else { to };
        Cause::Redirect { to: self.line(to, MAX_SHOWN), kind }
    }
}

/// The error when a connection ends before its answer.
fn broken(error: &hyper::Error) -> Cause {
    if error.is_parse() {
        return Cause::Unreadable("it is no HTTP: perhaps TLS is spoken there");
    }
    Cause::Broken(innermost(error))
}

fn header<'h>(headers: &'h HeaderMap, name: &hyper::header::HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The body of an answer that isn't a success.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    message: LenientText,
    error: LenientText,
}

/// `Retry-After` in either of its forms, seconds or an HTTP date (RFC 9110).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}
