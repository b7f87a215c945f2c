//! Helpers of the tests that serve: a server in this process with short bounds, a client that sees
//! every byte, and reviews.
#![allow(dead_code, reason = "each test file uses some of them")]

pub mod client;

use crate::support::decision;
use argocd_auth_webhook::core::Injector;
use argocd_auth_webhook::server::{Bounds, Shutdown, Trigger};
use argocd_auth_webhook::webhook::{
    CertificateFiles, CertificateSource, CertificateStore, DevelopmentCertificate, Options, ServeError, Server,
    ServingCertificate, development_certificate,
};
use client::Client;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Nothing in these tests takes nearly as long, unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A token that a person made, all services by their usual selectors.
pub fn injector() -> Injector {
    decision::injector("auth: { type: token, tokenSecretKeyRef: { name: credential, key: token } }")
}

/// A review of the creation of this object.
pub fn review(uid: &str, object: &Value) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": uid,
            "kind": { "group": "", "version": "v1", "kind": "Pod" },
            "resource": { "group": "", "version": "v1", "resource": "pods" },
            "operation": "CREATE",
            "namespace": "runtime",
            "object": object,
            "oldObject": null,
        },
    })
}

/// A review that gets a patch.
pub fn app_proxy(uid: &str) -> String {
    review(uid, &decision::pod("app-proxy", &json!([]))).to_string()
}

/// `POST /mutate` with this body.
pub fn post(body: &str) -> String {
    let head = "POST /mutate?timeout=10s HTTP/1.1\r\nHost: webhook\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Bounds that no test waits for unless it shortens one.
pub fn long_bounds() -> Bounds {
    Bounds { handshake_timeout: PATIENCE, header_timeout: PATIENCE, answer_timeout: PATIENCE, ..Bounds::default() }
}

pub fn development() -> DevelopmentCertificate {
    development_certificate(&[]).unwrap()
}

pub fn fixed(made: &DevelopmentCertificate) -> CertificateSource {
    let (cert, key) = (made.cert_pem.as_bytes(), made.key_pem.as_bytes());
    CertificateSource::Fixed(Box::new(ServingCertificate::from_pem(cert, key, SystemTime::now()).unwrap()))
}

/// Files that are looked at all the time.
pub fn files(folder: &Path) -> CertificateSource {
    let (cert, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    CertificateSource::Files(CertificateFiles { cert, key, poll: Duration::from_millis(5) })
}

pub fn options(bounds: Bounds, certificate: CertificateSource) -> Options {
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Options { listen: local, admin_listen: local, certificate, bounds, drain_delay: Duration::ZERO }
}

/// A server that runs.
pub struct Running {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    pub certificates: Arc<CertificateStore>,
    pub trigger: Trigger,
    pub ended: JoinHandle<Result<(), ServeError>>,
    pub ca: String,
}

impl Running {
    /// With these bounds and a certificate of its own.
    pub async fn start(bounds: Bounds) -> Self {
        let made = development();
        Self::with(options(bounds, fixed(&made)), &made.ca_pem).await
    }

    /// With these options; `ca` is what clients trust.
    pub async fn with(options: Options, ca: &str) -> Self {
        let server = Server::bind(options, injector()).await.unwrap();
        let (address, admin, certificates) = (server.address(), server.admin_address(), server.certificates());
        let (trigger, shutdown) = Shutdown::new();
        let ended = tokio::spawn(server.run(shutdown));
        Self { address, admin, certificates, trigger, ended, ca: ca.to_owned() }
    }

    /// A connection to the webhook, after its handshake.
    pub async fn connect(&self) -> Client {
        Client::tls(self.address, client::trusting(&self.ca)).await.unwrap()
    }

    /// The text of one of the admin listener's pages, with its status.
    pub async fn admin(&self, path: &str) -> (u16, String) {
        let mut client = Client::plain(self.admin).await;
        client.send(&format!("GET {path} HTTP/1.1\r\nHost: admin\r\n\r\n")).await;
        let reply = client.reply().await;
        (reply.status, reply.body)
    }

    /// Waits until the metrics have this line.
    pub async fn metric(&self, line: &str) {
        let line = format!("argocd_auth_webhook_{line}");
        eventually(&line, async || self.admin("/metrics").await.1.lines().any(|found| found == line)).await;
    }

    /// Waits until the server has ended by itself.
    pub async fn end(self) -> Result<(), ServeError> {
        timeout(PATIENCE, self.ended).await.expect("the server didn't end").unwrap()
    }
}

/// Waits until something is so.
pub async fn eventually(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < PATIENCE, "never so: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}
