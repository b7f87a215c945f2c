//! A new certificate from a new CA while pods are created.

use super::served::{Served, app_proxy, has_token, token_settings};
use crate::support::authority::Authority;
use crate::support::cluster::{Cluster, eventually, pods_path, webhook_host};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whether a new connection gets a certificate of this CA.
async fn serves(port: u16, authority: &Authority) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let host = ServerName::try_from(webhook_host()).unwrap();
    match TlsConnector::from(Arc::new(config)).connect(host, stream).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Creates pods until it is told to stop, and fails with the first that is refused.
async fn create(cluster: Cluster, namespace: String, task: u32, created: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let pod = app_proxy(&format!("pod-{task}-{number}"));
        let pod = cluster.create(&pods_path(&namespace), &pod).await.unwrap();
        assert!(has_token(&pod));
        created.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_under_load_and_no_creation_fails() {
    const TASKS: u32 = 4;
    const EACH_PHASE: usize = 150;
    let mut scene = Served::new("rotated", &token_settings("")).await;
    let old = scene.authority.pem();
    let new = Authority::new("new");
    assert!(serves(scene.start.port, &new).await.is_err());

    let (created, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (created, stop) = (Arc::clone(&created), Arc::clone(&stop));
            tokio::spawn(create(scene.cluster.clone(), scene.namespace().to_owned(), task, created, stop))
        })
        .collect();
    let more = async || {
        let target = created.load(Ordering::Relaxed) + EACH_PHASE;
        eventually("more pods are created", async || {
            let number = created.load(Ordering::Relaxed);
            // A task ends early only when a creation failed; its panic is the better message.
            let failed = tasks.iter().any(tokio::task::JoinHandle::is_finished);
            if number >= target || failed { Ok(()) } else { Err(format!("{number} of {target}")) }
        })
        .await;
    };
    more().await;
    scene.registration.publish(&format!("{old}{}", new.pem())).await;
    more().await;
    scene.pair.replace(&new.issue(&webhook_host()));
    eventually("the new certificate is served", async || serves(scene.start.port, &new).await).await;
    more().await;
    scene.registration.publish(&new.pem()).await;
    more().await;
    stop.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let created = created.load(Ordering::Relaxed);
    assert!(created >= 4 * EACH_PHASE);
    crate::support::cluster::say(&format!("rotated: {created} pods were created meanwhile, and none was refused"));
}
