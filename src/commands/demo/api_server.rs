//! Plays the API server: one keep-alive connection, TLS, HTTP/1.1, and a review for each creation of a pod.

use crate::webhook_probe::{patched, review};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a review got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The connection failed.
    #[error("connecting to the demo's own server at {address}: {reason}")]
    Connect {
        /// The webhook's address.
        address: SocketAddr,
        /// Why it failed.
        reason: String,
    },
    /// There was no answer, or none that an API server would accept; why.
    #[error("calling the demo's own server: {0}")]
    Answer(String),
}

/// A review with its answer, and the pod that results.
pub(super) struct Reviewed {
    /// The review as it was sent.
    pub review: Value,
    /// The answer's body.
    pub answer: Value,
    /// The patch in the answer, decoded; `None` if there is none.
    pub patch: Option<Value>,
    /// The pod after the patch.
    pub pod: Value,
    /// The time from the first byte of the request to the last byte of the answer.
    pub took: Duration,
}

/// Plays the API server.
pub(super) struct ApiServer {
    sender: SendRequest<Full<Bytes>>,
    reviews: u32,
}

impl ApiServer {
    pub(super) async fn connect(address: SocketAddr, ca_pem: &str) -> Result<Self, CallError> {
        let failed = |reason: String| CallError::Connect { address, reason };
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|error| failed(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        roots.add(ca).map_err(|error| failed(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(address).await.map_err(|error| failed(error.to_string()))?;
        // As the API server does: a small write shouldn't wait until the previous one is acknowledged.
        tcp.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
        let name = ServerName::from(address.ip());
        let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
        let tls = tls.map_err(|error| failed(error.to_string()))?;
        let (sender, connection) = handshake(TokioIo::new(tls)).await.map_err(|error| failed(error.to_string()))?;
        // It ends when the sender is dropped; the request that meets an error reports it.
        tokio::spawn(connection);
        Ok(Self { sender, reviews: 0 })
    }

    /// Creates a pod: sends a review to the webhook and applies the patch.
    pub(super) async fn create(&mut self, pod: &Value) -> Result<Reviewed, CallError> {
        self.reviews += 1;
        let uid = format!("00000000-0000-0000-0000-{:012}", self.reviews);
        let review = review(&uid, pod);
        let request = Request::post("/mutate?timeout=5s")
            .header("Host", "argocd-auth-webhook")
            .header("User-Agent", "kube-apiserver-admission")
            .header("Content-Type", "application/json")
            .body(Full::from(review.to_string()))
            .map_err(wrong)?;
        let start = Instant::now();
        self.sender.ready().await.map_err(wrong)?;
        let response = self.sender.send_request(request).await.map_err(wrong)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(wrong)?.to_bytes();
        let took = start.elapsed();
        if status != 200 {
            return Err(CallError::Answer(format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
        let answer: Value = serde_json::from_slice(&body).map_err(wrong)?;
        if answer["response"]["uid"] != uid {
            return Err(CallError::Answer(format!("the answer is to {}, not to {uid}", answer["response"]["uid"])));
        }
        let (pod, patch) = patched(pod, &answer).map_err(CallError::Answer)?;
        Ok(Reviewed { review, answer, patch, pod, took })
    }
}

fn wrong(error: impl std::fmt::Display) -> CallError {
    CallError::Answer(error.to_string())
}
