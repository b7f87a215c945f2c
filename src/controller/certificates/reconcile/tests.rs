//! The reconciler against a scripted API server.

use super::*;
use crate::cluster::scripted::{ApiServer, secret};
use crate::cluster::{Cause, FIELD_MANAGER};
use crate::controller::scripted::context;
use crate::pki::Authority;
use serde_json::{Value, json};

const TERMS: Lifetimes = Lifetimes { ca: 100_000, leaf: 10_000, propagation: 60 };

fn encoded(text: &str) -> Value {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_secret_under_a_name_of_ours_is_neither_changed_nor_published() {
    let theirs = Authority::make("corporate", 100_000, time::now()).unwrap();
    for name in ["rel-ca", "rel-serving"] {
        for data in [
            json!({ "ca.crt": encoded(&theirs.cert), "ca.key": encoded(&theirs.key) }),
            json!({ "ca.crt": encoded("rubbish"), "ca.key": encoded("rubbish") }),
            json!({ "tls.crt": encoded(&theirs.cert), "tls.key": encoded(&theirs.key) }),
            json!({ "something": encoded("else") }),
        ] {
            let server = ApiServer::default();
            let (context, _lease) = context(&server, "");
            server.put(&secret(name), json!({ "data": data }));
            let reconciler = CertificateReconciler::new(context, TERMS);
            let Err(ExecuteError::Cluster(error)) = Box::pin(reconciler.pass()).await else { panic!("{name}: {data}") };
            assert_eq!(error.cause, Cause::NotOurs);
            assert!(error.to_string().contains(&format!("Secret codefresh/{name}")), "{error}");
            assert!(server.writes().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_secret_under_a_name_of_ours_becomes_ours() {
    let server = ApiServer::default();
    let (context, _lease) = context(&server, "");
    server.put(&secret("rel-ca"), json!({}));
    let reconciler = CertificateReconciler::new(context, TERMS);
    for _ in 0..3 {
        Box::pin(reconciler.pass()).await.unwrap();
    }
    let made = server.get(&secret("rel-ca"));
    assert!(made["data"]["ca.crt"].is_string());
    assert_eq!(made["metadata"]["labels"]["app.kubernetes.io/managed-by"], FIELD_MANAGER);
}
