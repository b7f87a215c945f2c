//! The way to a server: whose certificate is believed, and where a proxy stands.

use crate::{PASSWORD, cause, raw, secret};
use argocd_auth_webhook::argocd::{Cause, Proxies, Server, Target, TlsFailure, TlsTrust};
use argocd_auth_webhook::pki::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::MockServer;

async fn tls_server(names: &[String], from: i64, to: i64) -> (SocketAddr, String) {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    let made = Authority::make("argocd", 1_000_000, now).unwrap();
    let leaf = Authority::from_pem(&made.cert, &made.key).unwrap().sign(names, now + from, now + to).unwrap();
    let chain = CertificateDer::pem_slice_iter(leaf.cert.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => request.push(byte),
                        Err(_) => return,
                    }
                }
                let text = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{\"Version\":\"v3\"}";
                let _ = stream.write_all(text.as_bytes()).await;
            });
        }
    });
    (address, made.cert)
}

#[tokio::test]
async fn tls_is_believed_by_its_ca_and_its_name_and_each_failure_is_named() {
    const NAME: &str = "argo-cd-server.argocd.svc";
    let (address, ca) = tls_server(&[NAME.to_owned()], -100, 1000).await;
    let at = |url: &str, tls: TlsTrust| {
        let target = Target { tls, resolve: Some(address), ..crate::target(url) };
        Server::new(target).unwrap()
    };
    let (right, wrong) = (format!("https://{NAME}"), "https://argocd.example.com");
    let ca = || TlsTrust::Ca(ca.clone().into_bytes());
    assert_eq!(at(&right, ca()).version().await, Ok("v3".to_owned()));
    assert_eq!(at(wrong, TlsTrust::Insecure).version().await, Ok("v3".to_owned()));
    assert!(matches!(cause(at(wrong, ca()).version().await), Cause::Tls(TlsFailure::WrongName(_))));
    let (_, other) = tls_server(&[NAME.to_owned()], -100, 1000).await;
    let found = cause(at(&right, TlsTrust::Ca(other.into_bytes())).version().await);
    assert_eq!(found, Cause::Tls(TlsFailure::UnknownIssuer));

    let (expired, its_ca) = tls_server(&[NAME.to_owned()], -1000, -500).await;
    let target = Target { tls: TlsTrust::Ca(its_ca.into_bytes()), resolve: Some(expired), ..crate::target(&right) };
    assert!(matches!(cause(Server::new(target).unwrap().version().await), Cause::Tls(TlsFailure::OutOfTime(_))));

    let mock = MockServer::start().await;
    let plain = mock.uri().replace("http://", "https://");
    assert_eq!(
        cause(Server::new(Target { tls: TlsTrust::Insecure, ..crate::target(&plain) }).unwrap().version().await),
        Cause::Tls(TlsFailure::NoTls)
    );

    for bad in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = Server::new(Target { tls: TlsTrust::Ca(bad.into()), ..crate::target(&right) }).unwrap_err();
        assert!(matches!(error.cause, Cause::Setup(_)), "{error}");
    }
}

/// Accepts connections and writes down the first line of each, then closes.
async fn recording_proxy() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (send, receive) = tokio::sync::mpsc::unbounded_channel();
    let address = raw(move |mut stream| {
        let send = send.clone();
        async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read_u8().await {
                    Ok(byte) => head.push(byte),
                    Err(_) => return,
                }
            }
            let _ = send.send(String::from_utf8_lossy(&head).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 503 no\r\n\r\n").await;
        }
    })
    .await;
    (address, receive)
}

#[tokio::test]
async fn a_proxy_stands_on_the_way_to_https_outside_of_the_cluster_only() {
    let (proxy, mut seen) = recording_proxy().await;
    let proxies = || Proxies::new(&format!("http://user:pw@{proxy}"), "quiet.example.com");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let by_proxy = |url: &str| {
        let target = Target { proxies: proxies(), tls: TlsTrust::Insecure, ..crate::target(url) };
        Server::new(target).unwrap()
    };
    let found = cause(by_proxy("https://argocd.example.com").login("admin", &secret(PASSWORD)).await);
    assert!(matches!(found, Cause::Proxy(_)), "{found:?}");
    let head = seen.recv().await.unwrap();
    assert!(head.starts_with("CONNECT argocd.example.com:443 ") && head.contains("Basic "), "{head}");
    assert!(!head.contains(PASSWORD));

    let direct = [
        format!("http://127.0.0.1:{closed}"),
        format!("https://127.0.0.1:{closed}"),
        format!("https://localhost:{closed}"),
        "http://argocd.invalid".to_owned(),
        "https://argo-cd.argocd.svc".to_owned(),
        "https://argo-cd".to_owned(),
    ];
    for url in direct {
        let found = cause(by_proxy(&url).login("admin", &secret(PASSWORD)).await);
        assert!(matches!(found, Cause::Unreachable(_)), "{url}: {found:?}");
    }
    assert!(seen.try_recv().is_err(), "the proxy has seen something else");
    let socks =
        Target { proxies: Proxies::new("socks5://127.0.0.1:1", ""), ..crate::target("https://argocd.example.com") };
    let error = Server::new(Target { tls: TlsTrust::Insecure, ..socks }).unwrap().version().await.unwrap_err();
    assert!(matches!(error.cause, Cause::Proxy(_)), "{error}");
}
