//! Something between the controller and Argo CD or the API server, which lets calls pass, keeps them,
//! or answers in their place.

use crate::support::cluster::Cluster;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What becomes of a call.
#[derive(Clone)]
pub enum Fate {
    Pass,
    /// It is passed on after this time.
    Slow(Duration),
    /// It is passed on, and this is done before the answer is.
    PassThen(Arc<dyn Fn() + Send + Sync>),
    /// It is passed on, and its answer breaks off in the middle.
    Cut,
    /// It is passed on, and answered with this status all the same.
    DoneBut(u16),
    /// It is answered with this status, and passed on later.
    LateBut(Duration, u16),
    /// Nobody answers, and nothing is passed on.
    Lost,
    /// It is passed on, and nobody answers.
    Unanswered,
    /// This is answered in its place: status, content type, body, and another header.
    Answer(u16, &'static str, String, Option<(&'static str, String)>),
}

type Request = hyper::Request<Incoming>;
type Rule = Box<dyn FnMut(&Method, &Uri) -> Fate + Send>;

enum Behind {
    Server(SocketAddr),
    Cluster(Box<kube::Client>),
}

struct Inner {
    behind: Behind,
    rule: Mutex<Rule>,
    seen: Mutex<Vec<String>>,
}

/// A proxy that listens.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    inner: Arc<Inner>,
}

impl Proxy {
    /// Before a server that speaks plain HTTP.
    pub async fn before(port: u16) -> Self {
        Self::new(Behind::Server(([127, 0, 0, 1], port).into())).await
    }

    /// Before the API server.
    pub async fn before_cluster(cluster: &Cluster) -> Self {
        Self::new(Behind::Cluster(Box::new(cluster.client()))).await
    }

    async fn new(behind: Behind) -> Self {
        let rule: Rule = Box::new(|_, _| Fate::Pass);
        let inner = Arc::new(Inner { behind, rule: Mutex::new(rule), seen: Mutex::new(Vec::new()) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let inner = Arc::clone(&serving);
                let service = service_fn(move |request| {
                    let inner = Arc::clone(&inner);
                    async move { Ok::<_, Infallible>(pass(inner, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, inner }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on calls are treated by this.
    pub fn rule(&self, rule: impl FnMut(&Method, &Uri) -> Fate + Send + 'static) {
        *self.inner.rule.lock().unwrap() = Box::new(rule);
    }

    /// The calls so far, as `METHOD PATH`.
    pub fn seen(&self) -> Vec<String> {
        self.inner.seen.lock().unwrap().clone()
    }

    /// How many calls there were of this beginning.
    pub fn count(&self, beginning: &str) -> usize {
        self.seen().iter().filter(|call| call.starts_with(beginning)).count()
    }

    /// A kubeconfig by which a process reaches the cluster through this.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("kubeconfig-{}", self.address.port()));
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: tests\n\
             clusters: [{{name: tests, cluster: {{server: \"{}\"}}}}]\n\
             users: [{{name: tests, user: {{}}}}]\n\
             contexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]\n",
            self.url()
        );
        std::fs::write(&path, text).unwrap();
        path
    }
}

async fn pass(inner: Arc<Inner>, request: Request) -> Response<Body> {
    let (method, uri) = (request.method().clone(), request.uri().clone());
    inner.seen.lock().unwrap().push(format!("{method} {}", uri.path()));
    let fate = (inner.rule.lock().unwrap())(&method, &uri);
    match fate {
        Fate::Pass => forward(&inner.behind, request).await,
        Fate::Slow(time) => {
            tokio::time::sleep(time).await;
            forward(&inner.behind, request).await
        }
        Fate::PassThen(then) => {
            let answer = forward(&inner.behind, request).await;
            tokio::task::block_in_place(|| then());
            answer
        }
        Fate::Cut => {
            let (mut parts, body) = forward(&inner.behind, request).await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            parts.headers.remove("content-length");
            Response::from_parts(parts, Body::from(body.slice(..body.len() / 2)))
        }
        Fate::DoneBut(status) => {
            drop(forward(&inner.behind, request).await.into_body().collect().await);
            failed(status)
        }
        Fate::LateBut(after, status) => {
            let inner = Arc::clone(&inner);
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                forward(&inner.behind, request).await.into_body().collect().await.map(drop)
            });
            failed(status)
        }
        Fate::Lost => pending().await,
        Fate::Unanswered => {
            // To its end, though nobody waits: as a server does whose client has left.
            let inner = Arc::clone(&inner);
            tokio::spawn(async move { forward(&inner.behind, request).await.into_body().collect().await.map(drop) });
            pending().await
        }
        Fate::Answer(status, kind, body, header) => {
            let mut answer = Response::builder().status(status).header("content-type", kind);
            if let Some((name, value)) = header {
                answer = answer.header(name, value);
            }
            answer.body(Body::from(body)).unwrap()
        }
    }
}

/// As Argo CD fails.
fn failed(status: u16) -> Response<Body> {
    let body = r#"{"error":"the tests","code":2,"message":"the tests"}"#;
    Response::builder().status(status).header("content-type", "application/json").body(Body::from(body)).unwrap()
}

async fn forward(behind: &Behind, request: Request) -> Response<Body> {
    let result = match behind {
        Behind::Server(address) => forward_to_server(*address, request).await,
        Behind::Cluster(client) => {
            let (mut parts, body) = request.into_parts();
            parts.headers.remove("host");
            let body = body.collect().await.unwrap().to_bytes();
            let request = hyper::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
            client.send(request).await.map(|answer| answer.map(Body::new)).map_err(|error| error.to_string())
        }
    };
    result.unwrap_or_else(|error| {
        Response::builder().status(StatusCode::BAD_GATEWAY).body(Body::from(format!("the proxy: {error}"))).unwrap()
    })
}

async fn forward_to_server(address: SocketAddr, mut request: Request) -> Result<Response<Body>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    // Only the path belongs into a request to a server.
    let path = request.uri().path_and_query().unwrap().to_string();
    *request.uri_mut() = path.parse().unwrap();
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    Ok(answer.map(Body::new))
}
