//! Port-forwarding: the way to a pod for whoever is not in its network.

use super::AccessError;
use crate::cluster::{Cause, ClusterError, call_within};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// To get through the API server and the kubelet to the pod.
const LIMIT: Duration = Duration::from_secs(10);

/// A listener on this machine's loopback whose connections end in a pod. It ends when it is dropped.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    /// What went wrong behind the listener, where a client only sees a connection that breaks.
    trouble: Arc<Mutex<Option<String>>>,
    task: JoinHandle<()>,
}

impl Forward {
    /// Opens the way to this port of a pod.
    ///
    /// # Errors
    /// This account may not, or the pod can't be reached.
    pub async fn open(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Self, AccessError> {
        let way = Way {
            pods: Api::namespaced(client.clone(), namespace),
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            port,
        };
        // Once before anybody connects: what is wrong is said here, and not by a connection that breaks.
        let first = way.stream().await?;
        let file = |error| AccessError::Said(format!("listening on 127.0.0.1 for port-forwarding: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(file)?;
        let address = listener.local_addr().map_err(file)?;
        let trouble = Arc::new(Mutex::new(None));
        let task = tokio::spawn(serve(listener, way, first, Arc::clone(&trouble)));
        Ok(Self { address, trouble, task })
    }

    /// Where to connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went wrong last behind the listener.
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
}

impl Way {
    async fn stream(&self) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ClusterError> {
        let (namespace, pod, port) = (&self.namespace, &self.pod, self.port);
        let what = format!("port-forwarding to {port} of pod {namespace}/{pod}");
        let forwarded = call_within(LIMIT, &what, self.pods.portforward(pod, &[port])).await;
        let mut forwarded = forwarded.map_err(|error| match error.cause {
            Cause::Forbidden(message) => {
                let needed = format!(
                    "{message}; it needs get and create on pods/portforward in namespace {namespace}, or an address of \
                     Argo CD that can be reached from here (--argocd-url)"
                );
                ClusterError { cause: Cause::Forbidden(needed), ..error }
            }
            _ => error,
        })?;
        forwarded.take_stream(port).ok_or(ClusterError { what, cause: Cause::Unreadable })
    }
}

async fn serve<S>(listener: TcpListener, way: Way, first: S, trouble: Arc<Mutex<Option<String>>>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut first = Some(first);
    while let Ok((tcp, _)) = listener.accept().await {
        if let Some(stream) = first.take() {
            tokio::spawn(bridge(tcp, stream));
            continue;
        }
        let (way, trouble) = (way.clone(), Arc::clone(&trouble));
        tokio::spawn(async move {
            match way.stream().await {
                Ok(stream) => bridge(tcp, stream).await,
                Err(error) => *trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string()),
            }
        });
    }
}

/// How it ends is seen by both ends.
async fn bridge(mut tcp: TcpStream, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = copy_bidirectional(&mut tcp, &mut stream).await;
}
