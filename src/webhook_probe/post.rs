//! Posts a review to an endpoint, as an API server does.

use super::{Trust, review};
use crate::pki::{ChainVerdict, chain, connect};
use crate::time::now;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// Bounds connection and TLS handshake; the webhook is in the same cluster.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Bounds the request and its answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// How many bytes of an answer are read. Ours has a few hundred.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// Why an endpoint gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallError {
    /// No connection, or no TLS, within `CONNECT_TIMEOUT`.
    Unreachable(String),
    /// A connection, but API servers would refuse its certificate, or the answer is missing or unusable.
    Invalid(String),
}

/// Posts a review of this pod to the endpoint at `address` and returns the body of the answer.
///
/// # Errors
/// [`CallError::Unreachable`] if there is no TLS endpoint, [`CallError::Invalid`] if API servers would refuse its
/// certificate or it doesn't answer with status 200 and JSON.
pub async fn post(address: SocketAddr, trust: &Trust, uid: &str, pod: &Value) -> Result<Value, CallError> {
    let stream = connect(address, &trust.server, CONNECT_TIMEOUT).await;
    let stream = stream.map_err(|error| CallError::Unreachable(error.to_string()))?;
    // If the verdict is unknown, go on: only the API server can tell.
    if let ChainVerdict::Refused(reason) = trust.judge(&chain(&stream), now()) {
        let why = format!("API servers refuse its certificate by caBundle of {}: {reason}", trust.name);
        return Err(CallError::Invalid(why));
    }
    ask(stream, trust, uid, pod).await.map_err(CallError::Invalid)
}

async fn ask(stream: TlsStream<TcpStream>, trust: &Trust, uid: &str, pod: &Value) -> Result<Value, String> {
    let request = Request::post("/mutate?timeout=5s")
        .header("Host", &trust.server)
        .header("User-Agent", concat!("argocd-auth-webhook/", env!("CARGO_PKG_VERSION")))
        .header("Content-Type", "application/json")
        .body(Full::<Bytes>::from(review(uid, pod).to_string()))
        .map_err(|error| error.to_string())?;
    let asking = async {
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let answering = async {
            let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| error.to_string())?.to_bytes();
            drop(sender);
            if status != 200 {
                return Err(format!("it answers with status {status}"));
            }
            serde_json::from_slice(&body).map_err(|_| "its answer is not JSON".to_owned())
        };
        // The connection makes progress only while it is polled.
        let (answer, _) = tokio::join!(answering, connection);
        answer
    };
    timeout(ANSWER_TIMEOUT, asking).await.unwrap_or_else(|_| Err(format!("no answer within {ANSWER_TIMEOUT:?}")))
}
