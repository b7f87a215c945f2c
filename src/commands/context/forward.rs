//! Port-forwarding to a pod, for commands that run outside of the cluster's network.

use super::ContextError;
use crate::cluster::{Cause, ClusterError, call_within};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bounds the opening of one stream, through the API server and the kubelet to the pod.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A listener on a free port of 127.0.0.1, whose connections are forwarded to a port of a pod until it is
/// dropped.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    /// The last error behind the listener; a client only sees that its connection breaks.
    trouble: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

impl Forward {
    /// Opens a stream to this port of the pod, and then a listener.
    ///
    /// # Errors
    /// This account may not forward ports, the pod can't be reached, or no port can be listened on.
    pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Self, ContextError> {
        let trouble = Arc::new(Mutex::new(None));
        let way = Way {
            pods: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            port,
            trouble: Arc::clone(&trouble),
        };
        // Once before anybody connects: what is wrong is said here, and not by a connection that breaks.
        let first = way.open().await?;
        let file = |error| ContextError::Other(format!("listening on 127.0.0.1 for port-forwarding: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(file)?;
        let address = listener.local_addr().map_err(file)?;
        let task = tokio::spawn(serve(listener, way, first));
        Ok(Self { address, trouble, task })
    }

    /// The listener's address, on 127.0.0.1.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last error behind the listener; `None` if there was none.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Way {
    pods: Api<Pod>,
    namespace: String,
    pod: String,
    port: u16,
    trouble: Arc<Mutex<Option<String>>>,
}

/// One stream to the pod, and the future of the kubelet's error about it; `None` if it ends without one.
struct Opened<S> {
    stream: S,
    said: BoxFuture<'static, Option<String>>,
}

impl Way {
    async fn open(&self) -> Result<Opened<impl AsyncRead + AsyncWrite + Unpin + Send + use<>>, ClusterError> {
        let (namespace, pod, port) = (&self.namespace, &self.pod, self.port);
        let what = format!("port-forwarding to {port} of pod {namespace}/{pod}");
        let forwarded = call_within(CONNECT_TIMEOUT, &what, self.pods.portforward(pod, &[port])).await;
        let mut forwarded = forwarded.map_err(|error| match error.cause {
            Cause::Forbidden(message) => {
                let needed = format!("{message}; needed: get and create on pods/portforward in namespace {namespace}");
                ClusterError { cause: Cause::Forbidden(needed), ..error }
            }
            _ => error,
        })?;
        match (forwarded.take_stream(port), forwarded.take_error(port)) {
            (Some(stream), Some(said)) => Ok(Opened { stream, said: said.boxed() }),
            _ => Err(ClusterError { what, cause: Cause::Unreadable }),
        }
    }

    /// Copies both ways until one end closes or the kubelet reports an error, which is kept.
    async fn bridge<S>(&self, mut tcp: TcpStream, opened: Opened<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Opened { mut stream, said } = opened;
        let said = async {
            match said.await {
                Some(said) => said,
                None => std::future::pending().await,
            }
        };
        // What the kubelet says is noted before the connection breaks.
        tokio::select! {
            biased;
            said = said => self.note(format!("port {} of pod {}/{}: {said}", self.port, self.namespace, self.pod)),
            _ = copy_bidirectional(&mut tcp, &mut stream) => {}
        }
    }

    fn note(&self, trouble: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }
}

async fn serve<S>(listener: TcpListener, way: Way, first: Opened<S>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut first = Some(first);
    while let Ok((tcp, _)) = listener.accept().await {
        let (way, opened) = (way.clone(), first.take());
        tokio::spawn(async move {
            if let Some(opened) = opened {
                return way.bridge(tcp, opened).await;
            }
            match way.open().await {
                Ok(opened) => way.bridge(tcp, opened).await,
                Err(error) => way.note(error.to_string()),
            }
        });
    }
}
