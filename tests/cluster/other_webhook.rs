//! Somebody else's mutating webhook, inside the test process: it keeps each review that it gets, and
//! can add a sidecar.

use crate::support::authority::Authority;
use crate::support::cluster::{Cluster, listen_host, webhook_host};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

type Reviews = Arc<Mutex<Vec<Vec<u8>>>>;

/// What it does with a pod.
#[derive(Clone, Copy)]
pub enum Habit {
    /// Only looks at it.
    Keep,
    /// Puts a container in front of the others, as service meshes do, so that their places shift.
    AddSidecar,
}

/// A registered, serving webhook; both end when this is dropped.
pub struct OtherWebhook {
    cluster: Cluster,
    name: String,
    serving: JoinHandle<()>,
    reviews: Reviews,
}

impl OtherWebhook {
    /// Serves, and registers for all pods of the namespaces. The API server asks webhooks in the
    /// order of their registrations' names.
    pub async fn start(cluster: &Cluster, name: &str, namespaces: &[String], habit: Habit) -> Self {
        let authority = Authority::new("other");
        let pair = authority.issue(&webhook_host());
        let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
        let tls = rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let listener = TcpListener::bind((listen_host(), 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let reviews = Reviews::default();
        let serving = tokio::spawn(serve(listener, TlsAcceptor::from(Arc::new(tls)), Arc::clone(&reviews), habit));

        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": "other.example.test",
                "clientConfig": {
                    "url": format!("https://{}:{port}/", webhook_host()),
                    "caBundle": STANDARD.encode(authority.pem()),
                },
                "namespaceSelector": { "matchExpressions": [
                    { "key": "kubernetes.io/metadata.name", "operator": "In", "values": namespaces } ] },
                "rules": [{
                    "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
            }],
        });
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
        cluster.create(path, &object).await.unwrap();
        let other = Self { cluster: cluster.clone(), name: name.to_owned(), serving, reviews };
        other.wait_until_asked(&namespaces[0]).await;
        other
    }

    /// The API server takes a moment to see the registration.
    async fn wait_until_asked(&self, namespace: &str) {
        let probe = super::served::pod("probe", &json!({}), "probe");
        let path = format!("{}?dryRun=All", crate::support::cluster::pods_path(namespace));
        crate::support::cluster::eventually("the API server asks the other webhook", async || {
            self.cluster.create(&path, &probe).await?;
            if self.take_reviews().is_empty() { Err("it was not asked".to_owned()) } else { Ok(()) }
        })
        .await;
    }

    /// The bodies of the reviews since the last time, as they came.
    pub fn take_reviews(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.reviews.lock().unwrap())
    }
}

impl Drop for OtherWebhook {
    fn drop(&mut self) {
        self.serving.abort();
        self.cluster.clean_up(&["mutatingwebhookconfiguration", &self.name]);
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, reviews: Reviews, habit: Habit) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, reviews) = (tls.clone(), Arc::clone(&reviews));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(|request| answer(request, &reviews, habit));
            // A connection that the API server closes is no failure.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    reviews: &Reviews,
    habit: Habit,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap();
    reviews.lock().unwrap().push(body.to_vec());
    let mut response = json!({ "uid": review["request"]["uid"], "allowed": true });
    let containers = review["request"]["object"]["spec"]["containers"].as_array().unwrap();
    let there = containers.iter().any(|container| container["name"] == "sidecar");
    if matches!(habit, Habit::AddSidecar) && !there {
        let sidecar = json!({ "name": "sidecar", "image": "none.example/sidecar:1" });
        let patch = json!([{ "op": "add", "path": "/spec/containers/0", "value": sidecar }]);
        response["patchType"] = json!("JSONPatch");
        response["patch"] = json!(STANDARD.encode(patch.to_string()));
    }
    let answer = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response });
    Ok(Response::builder().header("content-type", "application/json").body(Full::from(answer.to_string())).unwrap())
}
