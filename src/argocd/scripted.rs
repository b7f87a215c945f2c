//! A scripted Argo CD for tests: one account, with its keys in memory. It signs nothing; a token is accepted
//! if this server made it and its key is still listed.

use super::connect::Proxies;
use super::{Base, Server, Target};
use crate::time::{Seconds, now};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The account's password.
pub const PASSWORD: &str = "correct-horse";
/// The account's name.
pub const ACCOUNT: &str = "admin";

/// What a script has a call answered with.
pub enum Answer {
    /// This status and body; nothing is done.
    Says(u16, Value),
    /// It is done, and somebody on the way answers with a page of this status.
    Rewritten(u16),
    /// It is done, and the connection breaks before the answer.
    Lost,
    /// Nothing is done, and the connection breaks.
    Broken,
}

type Script = Box<dyn FnMut(&str, &str, &Value) -> Option<Answer> + Send>;

#[derive(Default)]
struct Inner {
    /// The ids of the account's keys.
    keys: Vec<String>,
    /// Each call as `METHOD /path`.
    calls: Vec<String>,
    script: Option<Script>,
    /// The answer to the call that was just taken up; nothing where its connection breaks.
    answer: Option<ResponseTemplate>,
}

/// A running server on a local port.
pub struct ArgoCd {
    mock: MockServer,
    inner: Arc<Mutex<Inner>>,
}

/// A token in Argo CD's form, made now, with a signature that isn't one.
pub fn token(kind: &str, id: &str) -> String {
    token_made(kind, id, now())
}

/// The same, made then.
pub fn token_made(kind: &str, id: &str, at: Seconds) -> String {
    let claims = json!({ "iss": "argocd", "sub": format!("{ACCOUNT}:{kind}"), "jti": id, "iat": at, "nbf": at });
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
        let peer = Arc::clone(&inner);
        let breaks = move |request: &Request| peer.lock().unwrap().take_up(request);
        let broken = |_: &Request| io::Error::from(io::ErrorKind::ConnectionReset);
        Mock::given(breaks).respond_with_err(broken).mount(&mock).await;
        Mock::given(any()).respond_with(Responder(Arc::clone(&inner))).mount(&mock).await;
        Self { mock, inner }
    }

    pub fn url(&self) -> String {
        self.mock.uri()
    }

    /// A client of this server.
    pub fn client(&self) -> Server {
        client_of(&self.url())
    }

    /// Shows each call from now on (method, path, body) to `script` first, which may answer it.
    pub fn script(&self, mut script: impl FnMut(&str, &str, &Value) -> Option<(u16, Value)> + Send + 'static) {
        self.interfere(move |method, path, body| {
            script(method, path, body).map(|(status, body)| Answer::Says(status, body))
        });
    }

    /// Like [`Self::script`], where a call may also be carried out and its answer lost or rewritten.
    pub fn interfere(&self, script: impl FnMut(&str, &str, &Value) -> Option<Answer> + Send + 'static) {
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
    fn respond(&self, _: &Request) -> ResponseTemplate {
        self.0.lock().unwrap().answer.take().expect("it was taken up before")
    }
}

fn client_of(url: &str) -> Server {
    Server::new(Target { proxies: Proxies::none(), ..Target::new(Base::parse(url).unwrap()) }).unwrap()
}

/// A client of an address where nobody listens, as long as the socket is held.
pub fn nobody() -> (Server, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (client_of(&format!("http://{}", socket.local_addr().unwrap())), socket)
}

/// A client of a server that answers one call, with its version; after that nobody listens there.
pub async fn gone_after_its_version() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client_of(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.unwrap();
        drop(listener);
        let _ = connection.read(&mut [0; 4096]).await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        connection.write_all(format!("{head}{}", json!({ "Version": "v3" })).as_bytes()).await.unwrap();
    });
    client
}

impl Inner {
    /// Does what is asked, and has the answer ready. Says whether the connection breaks instead.
    fn take_up(&mut self, request: &Request) -> bool {
        let (method, path) = (request.method.as_str(), request.url.path());
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        self.calls.push(format!("{method} {path}"));
        let scripted = self.script.as_mut().and_then(|script| script(method, path, &body));
        let bearer = request.headers.get("authorization").and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        let says = |(status, body)| Some(ResponseTemplate::new(status).set_body_json::<Value>(body));
        self.answer = match scripted {
            None => says(self.answer(method, path, &body, bearer)),
            Some(Answer::Says(status, body)) => says((status, body)),
            Some(Answer::Rewritten(status)) => {
                self.answer(method, path, &body, bearer);
                let page = ResponseTemplate::new(status).set_body_raw("<html></html>", "text/html");
                Some(page.insert_header("location", "https://login.example.com/"))
            }
            Some(Answer::Lost) => {
                self.answer(method, path, &body, bearer);
                None
            }
            Some(Answer::Broken) => None,
        };
        self.answer.is_none()
    }

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
