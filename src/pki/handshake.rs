//! Reads the certificate chain that a server presents.

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

/// Why no chain was presented.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No connection and handshake within the time limit, which is given: a firewall, a lost host, or another
    /// network.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The TCP connection failed.
    #[error("can't connect: {0}")]
    Connect(String),
    /// The TCP connection succeeded, but the TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
}

/// The chain, leaf first, that the server at `address` presents for the server name `name`. The server has
/// proved that it holds the leaf's key; whether the chain is trusted isn't checked.
///
/// # Errors
/// As [`connect`].
pub async fn peer_chain(
    address: SocketAddr,
    name: &str,
    limit: Duration,
) -> Result<Vec<CertificateDer<'static>>, HandshakeError> {
    connect(address, name, limit).await.map(|stream| chain(&stream))
}

/// Connects to `address` with TLS, as an API server does. Whether the [`chain`] is trusted isn't checked.
///
/// # Errors
/// There is no TCP connection, or no TLS, within `limit`.
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

/// The chain that the server presented, leaf first.
#[must_use]
pub fn chain(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.iter().map(|der| der.clone().into_owned()).collect()
}

/// The configuration of a TLS client that accepts any certificate, for HTTP/1.1.
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

/// Accepts every chain, since it is only to be looked at. Signatures are still verified, so that no server
/// can present a certificate whose key it lacks.
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
