//! A client that sends what it is told, byte for byte.

use super::PATIENCE;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

pub struct Client {
    stream: BufReader<Box<dyn Stream>>,
    /// The leaf that the server showed, as DER.
    pub leaf: Vec<u8>,
    pub alpn: Option<Vec<u8>>,
    pub version: Option<rustls::ProtocolVersion>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// What the API server's client does: this CA, and HTTP/1.1 alone in ALPN.
pub fn trusting(ca: &str) -> ClientConfig {
    speaking(ca, rustls::DEFAULT_VERSIONS, &["http/1.1"])
}

pub fn speaking(ca: &str, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

async fn connect(from: IpAddr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((from, 0)))?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Client {
    pub async fn plain(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream: BufReader::new(Box::new(stream)), leaf: Vec::new(), alpn: None, version: None }
    }

    pub async fn tls(address: SocketAddr, config: ClientConfig) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let stream = timeout(PATIENCE, handshake).await.expect("no handshake")?;
        let session = stream.get_ref().1;
        let leaf = session.peer_certificates().unwrap()[0].to_vec();
        let (alpn, version) = (session.alpn_protocol().map(<[u8]>::to_vec), session.protocol_version());
        Ok(Self { stream: BufReader::new(Box::new(stream)), leaf, alpn, version })
    }

    /// From one of this host's addresses.
    pub async fn plain_from(from: IpAddr, address: SocketAddr) -> io::Result<Self> {
        let stream = connect(from, address).await?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), leaf: Vec::new(), alpn: None, version: None })
    }

    /// The same, for a client that doesn't care what the server shows.
    pub async fn tls_from(from: IpAddr, address: SocketAddr, config: ClientConfig) -> io::Result<Self> {
        let stream = connect(from, address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), leaf: Vec::new(), alpn: None, version: None })
    }

    /// Sends, or fails where the other side has gone.
    pub async fn try_send(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(text.as_bytes()).await?;
        self.stream.flush().await
    }

    pub async fn send(&mut self, text: &str) {
        timeout(PATIENCE, self.try_send(text)).await.expect("nobody reads").unwrap();
    }

    /// The next response.
    pub async fn reply(&mut self) -> Reply {
        timeout(PATIENCE, self.read_reply()).await.expect("no reply").unwrap()
    }

    pub async fn read_reply(&mut self) -> io::Result<Reply> {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let status = head[0].split(' ').nth(1).unwrap().parse().unwrap();
        let pair = |line: &String| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = head[1..].iter().map(|line| pair(line).unwrap()).collect();
        let mut reply = Reply { status, headers, body: String::new() };
        let mut body = vec![0; reply.header("content-length").unwrap().parse().unwrap()];
        self.stream.read_exact(&mut body).await?;
        reply.body = String::from_utf8(body).unwrap();
        Ok(reply)
    }

    /// Waits for the server to end the connection, which it must do without another byte.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        // An error is an end as well: a reset, or an end without TLS's goodbye.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("still open");
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}
