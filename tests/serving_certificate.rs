//! Where the serving certificate comes from, and what it takes to replace it.

mod support {
    pub mod decision;
    pub mod serving;
}

use argocd_auth_webhook::webhook::{
    CertificateError, CertificateSource, DevelopmentCertificate, Server, ServingCertificate,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::SystemTime;
use support::serving;
use support::serving::client::{Client, trusting};
use support::serving::{Running, development, eventually, files, injector, long_bounds, options};

fn write(folder: &Path, made: &DevelopmentCertificate) {
    fs::write(folder.join("tls.crt"), &made.cert_pem).unwrap();
    fs::write(folder.join("tls.key"), &made.key_pem).unwrap();
}

/// Waits until the server shows the leaf that this CA signed.
async fn shown(server: &Running, made: &DevelopmentCertificate) {
    let handshake = async || Client::tls(server.address, trusting(&made.ca_pem)).await.is_ok();
    eventually("the new certificate is served", handshake).await;
}

/// A self-signed leaf that was valid in these years only.
fn between(begin: i32, end: i32) -> (String, String) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(begin, 1, 1), date_time_ymd(end, 1, 1));
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn read(cert: &str, key: &str) -> Result<ServingCertificate, CertificateError> {
    ServingCertificate::from_pem(cert.as_bytes(), key.as_bytes(), SystemTime::now())
}

#[test]
fn a_pair_that_can_not_be_served_is_refused_for_its_reason() {
    let (made, other) = (development(), development());
    let (cert, key) = (made.cert_pem.as_str(), made.key_pem.as_str());
    let pem = |label: &str, text: &str| format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
    for (cert, key, reason) in [
        ("", key, CertificateError::NoCertificate),
        (key, key, CertificateError::NoCertificate),
        (&pem("CERTIFICATE", "!!!!"), key, CertificateError::NoCertificate),
        (&pem("CERTIFICATE", "AAAA"), key, CertificateError::NotX509),
        (cert, "", CertificateError::NoKey),
        (cert, cert, CertificateError::NoKey),
        (cert, &key[..key.len() / 2], CertificateError::NoKey),
        (cert, &pem("PRIVATE KEY", "AAAA"), CertificateError::UnusableKey),
        (cert, other.key_pem.as_str(), CertificateError::WrongKey),
    ] {
        assert_eq!(read(cert, key).unwrap_err(), reason);
    }
    let (cert, key) = between(2000, 2001);
    assert_eq!(read(&cert, &key).unwrap_err(), CertificateError::Expired("2001-01-01T00:00:00Z".into()));
    let (cert, key) = between(3000, 3001);
    assert_eq!(read(&cert, &key).unwrap_err(), CertificateError::NotYetValid("3000-01-01T00:00:00Z".into()));
}

#[test]
fn keys_are_not_shown() {
    let made = development();
    let pair = read(&made.cert_pem, &made.key_pem).unwrap();
    let secret = made.key_pem.lines().nth(1).unwrap();
    assert!(!format!("{made:?}{pair:?}{pair}").contains(secret));
    assert!(!format!("{made:?}").contains("PRIVATE"));
    assert!(pair.fingerprint().len() == "sha256:".len() + 16, "{pair}");
}

#[tokio::test]
async fn a_bad_pair_ends_the_start_and_names_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let start = async || Server::bind(options(long_bounds(), files(folder.path())), injector()).await.err().unwrap();
    let missing = start().await.to_string();
    assert!(missing.contains("tls.crt") && missing.contains("--tls-cert"), "{missing}");
    write(folder.path(), &development());
    fs::write(folder.path().join("tls.key"), &development().key_pem).unwrap();
    let wrong = start().await.to_string();
    assert!(wrong.contains("tls.crt") && wrong.contains("tls.key") && wrong.contains("made together"), "{wrong}");
}

#[tokio::test]
async fn files_that_are_written_over_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (development(), development());
    write(folder.path(), &old);
    let server = Running::with(options(long_bounds(), files(folder.path())), &old.ca_pem).await;
    let mut pooled = server.connect().await;
    write(folder.path(), &new);
    shown(&server, &new).await;
    server.metric("certificate_reloads_total{result=\"loaded\"} 2").await;
    pooled.send(&serving::post(&serving::app_proxy("u"))).await;
    assert_eq!(pooled.reply().await.status, 200, "connections outlive the certificate");
}

#[tokio::test]
async fn a_mounted_secret_that_is_swapped_twice_is_seen_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path();
    // As the kubelet does it: a folder for each version, and one link that is renamed over.
    let swap = |version: &str, made: &DevelopmentCertificate| {
        fs::create_dir(mount.join(version)).unwrap();
        write(&mount.join(version), made);
        symlink(version, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    let first = development();
    swap("..1", &first);
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), mount.join(name)).unwrap();
    }
    let server = Running::with(options(long_bounds(), files(mount)), &first.ca_pem).await;
    for version in ["..2", "..3"] {
        let next = development();
        swap(version, &next);
        shown(&server, &next).await;
    }
    server.metric("certificate_reloads_total{result=\"loaded\"} 3").await;
    server.metric("certificate_reloads_total{result=\"refused\"} 0").await;
}

#[tokio::test]
async fn a_bad_pair_is_refused_and_the_old_one_serves_on() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (development(), development());
    write(folder.path(), &old);
    let server = Running::with(options(long_bounds(), files(folder.path())), &old.ca_pem).await;
    fs::write(folder.path().join("tls.key"), &new.key_pem).unwrap();
    server.metric("certificate_reloads_total{result=\"refused\"} 1").await;
    server.connect().await;
    assert_eq!(server.admin("/readyz").await.0, 200);

    let (cert, key) = between(2000, 2001);
    fs::write(folder.path().join("tls.crt"), cert).unwrap();
    fs::write(folder.path().join("tls.key"), key).unwrap();
    // Two, or three where the moment between the two files was seen twice.
    eventually("refused again", async || {
        let text = server.admin("/metrics").await.1;
        !text.contains("reloads_total{result=\"refused\"} 1\n")
            && !text.contains("reloads_total{result=\"refused\"} 0\n")
    })
    .await;
    server.connect().await;

    fs::remove_file(folder.path().join("tls.crt")).unwrap();
    server.connect().await;
    write(folder.path(), &new);
    shown(&server, &new).await;
    server.metric("certificate_reloads_total{result=\"loaded\"} 2").await;
}

#[tokio::test]
async fn without_a_certificate_the_server_is_not_ready() {
    let made = development();
    let server = Running::with(options(long_bounds(), CertificateSource::Later), &made.ca_pem).await;
    let not_ready = (503, "not ready: no serving certificate\n".to_owned());
    eventually("started", async || server.admin("/readyz").await == not_ready).await;
    assert!(Client::tls(server.address, trusting(&made.ca_pem)).await.is_err());
    let pair = read(&made.cert_pem, &made.key_pem).unwrap();
    let expiry = pair.not_after();
    server.certificates.store(pair);
    assert_eq!(server.admin("/readyz").await.0, 200);
    server.connect().await;
    server.metric(&format!("certificate_expiry_timestamp_seconds {expiry}")).await;
}

#[tokio::test]
async fn a_metric_and_the_readiness_name_the_certificate_that_is_served_and_none_before_it() {
    let (first, second) = (development(), development());
    let server = Running::with(options(long_bounds(), CertificateSource::Later), &first.ca_pem).await;
    for made in [&first, &second] {
        let pair = read(&made.cert_pem, &made.key_pem).unwrap();
        let name = pair.fingerprint().to_owned();
        server.certificates.store(pair);
        let (_, ready) = server.admin("/readyz").await;
        assert!(ready.contains(&name), "{ready}");
        let text = server.admin("/metrics").await.1;
        let found: Vec<_> = text.lines().filter(|line| line.contains("_certificate_served{")).collect();
        assert_eq!(found, [format!("argocd_auth_webhook_certificate_served{{fingerprint=\"{name}\"}} 1")]);
    }
}
