//! Looking at the certificate that somebody serves.

use super::provider;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why nothing was shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No answer in time: a firewall, a lost host, or a network that isn't this one.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// No connection.
    #[error("can't connect: {0}")]
    Connect(String),
    /// A connection, but no TLS.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
}

/// The chain, leaf first, that is served at `address` to a client that asks for `name`. The other
/// side has proved that it holds the leaf's key; whether the chain is to be trusted is left open.
///
/// # Errors
/// Nobody there, or no TLS, within `limit`.
pub async fn peer_chain(
    address: SocketAddr,
    name: &str,
    limit: Duration,
) -> Result<Vec<CertificateDer<'static>>, HandshakeError> {
    connect(address, name, limit).await.map(|stream| chain(&stream))
}

/// A connection to whoever is at `address`, as an API server makes it; whether [`chain`] is to be
/// trusted is left open.
///
/// # Errors
/// Nobody there, or no TLS, within `limit`.
pub async fn connect(address: SocketAddr, name: &str, limit: Duration) -> Result<TlsStream<TcpStream>, HandshakeError> {
    let connecting = async {
        let tcp = TcpStream::connect(address).await.map_err(|error| HandshakeError::Connect(error.to_string()))?;
        let failed = |error: &dyn std::fmt::Display| HandshakeError::Tls(error.to_string());
        let name = ServerName::try_from(name.to_owned()).map_err(|error| failed(&error))?;
        let config = unchecked().map_err(|error| failed(&error))?;
        TlsConnector::from(config).connect(name, tcp).await.map_err(|error| failed(&error))
    };
    timeout(limit, connecting).await.unwrap_or(Err(HandshakeError::Timeout(limit)))
}

/// The chain that the other side showed, leaf first.
#[must_use]
pub fn chain(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.iter().map(|der| der.clone().into_owned()).collect()
}

/// A client's side of TLS that takes any certificate, for HTTP/1.1.
pub(crate) fn unchecked() -> Result<Arc<ClientConfig>, Error> {
    let provider = Arc::new(provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAnyVerifier(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Lets every chain pass: it is here to be looked at. Signatures are verified all the same, so that
/// nobody shows a certificate whose key they lack.
#[derive(Debug)]
struct AcceptAnyVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAnyVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
