//! A scripted Argo CD for tests: one account, with its keys in memory. It signs nothing; a token is accepted
//! if this server made it and its key is still listed.

use super::connect::Proxies;
use super::{Base, Server, Target};
use crate::time::now;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The account's password.
pub const PASSWORD: &str = "correct-horse";
/// The account's name.
pub const ACCOUNT: &str = "admin";

/// Answers a call, given method, path and body, with a status and a body; `None` leaves it to the server.
type Script = Box<dyn FnMut(&str, &str, &Value) -> Option<(u16, Value)> + Send>;

#[derive(Default)]
struct Inner {
    /// The ids of the account's keys.
    keys: Vec<String>,
    /// Each call as `METHOD /path`.
    calls: Vec<String>,
    script: Option<Script>,
}

/// A running server on a local port.
pub struct ArgoCd {
    mock: MockServer,
    inner: Arc<Mutex<Inner>>,
}

/// A token in Argo CD's form, with a signature that isn't one.
pub fn token(kind: &str, id: &str) -> String {
    let now = now();
    let claims = json!({ "iss": "argocd", "sub": format!("{ACCOUNT}:{kind}"), "jti": id, "iat": now, "nbf": now });
    [json!({ "alg": "HS256", "typ": "JWT" }).to_string(), claims.to_string(), "signature".to_owned()]
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .join(".")
}

/// An error in Argo CD's form.
pub fn refusal(status: u16, message: &str) -> (u16, Value) {
    (status, json!({ "error": message, "code": 16, "message": message }))
}

impl ArgoCd {
    /// Starts a server whose account has keys with these ids.
    pub async fn start(keys: &[&str]) -> Self {
        let keys = keys.iter().map(|id| (*id).to_owned()).collect();
        let inner = Arc::new(Mutex::new(Inner { keys, ..Inner::default() }));
        let mock = MockServer::start().await;
        Mock::given(any()).respond_with(Responder(Arc::clone(&inner))).mount(&mock).await;
        Self { mock, inner }
    }

    pub fn url(&self) -> String {
        self.mock.uri()
    }

    /// A client of this server.
    pub fn client(&self) -> Server {
        let base = Base::parse(&self.url()).unwrap();
        Server::new(Target { proxies: Proxies::none(), ..Target::new(base) }).unwrap()
    }

    /// Shows each call from now on (method, path, body) to `script` first, which may answer it.
    pub fn script(&self, script: impl FnMut(&str, &str, &Value) -> Option<(u16, Value)> + Send + 'static) {
        self.inner.lock().unwrap().script = Some(Box::new(script));
    }

    /// The calls since the last time that this was asked, each as `METHOD /path`.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.inner.lock().unwrap().calls)
    }

    /// Removes the key with this id, as if somebody had revoked it.
    pub fn forget(&self, id: &str) {
        self.inner.lock().unwrap().keys.retain(|known| known != id);
    }

    /// The ids of the account's keys.
    pub fn keys(&self) -> Vec<String> {
        self.inner.lock().unwrap().keys.clone()
    }
}

struct Responder(Arc<Mutex<Inner>>);

impl Respond for Responder {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut inner = self.0.lock().unwrap();
        let (method, path) = (request.method.as_str(), request.url.path());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        inner.calls.push(format!("{method} {path}"));
        let scripted = inner.script.as_mut().and_then(|script| script(method, path, &body));
        let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let (status, answer) = scripted.unwrap_or_else(|| inner.answer(method, path, &body, bearer));
        ResponseTemplate::new(status).set_body_json(answer)
    }
}

impl Inner {
    fn answer(&mut self, method: &str, path: &str, body: &Value, bearer: &str) -> (u16, Value) {
        let taken = bearer == token_of_session() || self.keys.iter().any(|id| same(bearer, id));
        let account = format!("/api/v1/account/{ACCOUNT}");
        match (method, path) {
            ("POST", "/api/v1/session") if body["password"] == PASSWORD => {
                (200, json!({ "token": token_of_session() }))
            }
            ("POST", "/api/v1/session") => refusal(401, "Invalid username or password"),
            ("GET", "/api/v1/session/userinfo") if taken => {
                (200, json!({ "loggedIn": true, "username": ACCOUNT, "iss": "argocd" }))
            }
            ("GET", "/api/v1/session/userinfo") => (200, json!({})),
            _ if !taken => refusal(401, "no session information"),
            ("GET", path) if path == account => {
                let tokens: Vec<_> = self.keys.iter().map(|id| json!({ "id": id, "issuedAt": now() })).collect();
                let can = ["login", "apiKey"];
                (200, json!({ "name": ACCOUNT, "enabled": true, "capabilities": can, "tokens": tokens }))
            }
            ("POST", path) if path == format!("{account}/token") => {
                let id = body["id"].as_str().unwrap_or_default().to_owned();
                self.keys.push(id.clone());
                (200, json!({ "token": token("apiKey", &id) }))
            }
            ("DELETE", path) => {
                let id = path.rsplit('/').next().unwrap_or_default().to_owned();
                self.keys.retain(|known| *known != id);
                (200, json!({}))
            }
            _ => refusal(404, "not found"),
        }
    }
}

/// A session, as a login returns it.
pub fn token_of_session() -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({ "iss": "argocd", "sub": format!("{ACCOUNT}:login"), "jti": "session" });
    format!(
        "{}.{}.{}",
        part(json!({ "alg": "HS256", "typ": "JWT" })),
        part(claims),
        URL_SAFE_NO_PAD.encode("signature")
    )
}

/// Whether a token belongs to the key with this id.
fn same(bearer: &str, id: &str) -> bool {
    let claims = bearer.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<Value> = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    claims.is_some_and(|claims| claims["jti"] == id)
}
