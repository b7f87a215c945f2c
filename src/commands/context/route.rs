//! Connects to Argo CD as the settings say: directly, or by port-forwarding.

use super::forward::Forward;
use super::{CommandContext, ContextError};
use crate::argocd::{ArgoCdError, Base, Cause, Server, Target, TlsFailure, TlsTrust, is_inside};
use crate::cluster::{ServiceEndpoint, endpoints};
use crate::settings::Address;
use secrecy::SecretString;
use std::time::Duration;
use tokio::net::lookup_host;

/// Bounds one DNS lookup. An unknown name fails fast, except where a resolver tries many search domains.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// The environment variable that every pod has.
const IN_CLUSTER: &str = "KUBERNETES_SERVICE_HOST";

/// A connection to Argo CD. Port-forwarding ends when it is dropped.
#[derive(Debug)]
pub struct Route {
    /// The client of Argo CD's server.
    pub server: Server,
    forward: Option<(String, Forward)>,
}

impl Route {
    /// Argo CD's address and, if ports are forwarded, the pod; for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.forward {
            None => self.server.base().to_string(),
            Some((pod, _)) => format!("{}, port-forwarded to pod {pod}", self.server.base()),
        }
    }

    /// Logs in, if it is Argo CD that answers there. The session is the command's, and thrown away with it.
    ///
    /// # Errors
    /// Somebody else answers, or Argo CD refuses; with what went wrong on the way there.
    pub async fn log_in(&self, account: &str, password: &SecretString) -> Result<SecretString, ArgoCdError> {
        let session = async {
            self.server.identify().await?;
            self.server.login(account, password).await
        };
        session.await.map_err(|error| self.explain(error))
    }

    /// The error of a call; replaced by that of port-forwarding if it explains it.
    #[must_use]
    pub fn explain(&self, error: ArgoCdError) -> ArgoCdError {
        let trouble = self.forward.as_ref().and_then(|(_, forward)| forward.trouble());
        match (trouble, &error.cause) {
            (Some(trouble), Cause::Broken(_) | Cause::Unreachable(_) | Cause::Tls(TlsFailure::Other(_))) => {
                ArgoCdError { cause: Cause::Unreachable(trouble), ..error }
            }
            _ => error,
        }
    }
}

impl CommandContext {
    /// Argo CD's address: of the flag, or else of the settings.
    ///
    /// # Errors
    /// It can't be parsed.
    pub fn base(&self) -> Result<Base, ContextError> {
        if let Some(url) = &self.options.argocd_url {
            return Ok(Base::parse(url)?);
        }
        // The namespace of the flag takes precedence over that of the settings.
        Ok(Base::of(&self.settings().argocd.address, self.argocd_namespace())?)
    }

    /// Connects to Argo CD: directly if its name resolves here, else by port-forwarding.
    ///
    /// # Errors
    /// Neither is possible; the error says what was tried.
    pub async fn argocd(&self) -> Result<Route, ContextError> {
        let base = self.base()?;
        let mut target = Target { tls: self.trust().await?, ..Target::new(base.clone()) };
        let service = service_of(base.host(), self.argocd_namespace());
        let forward = match service {
            Some((service, namespace)) if !self.is_known(&base).await => {
                let (pod, port) = self.pod_of(&namespace, &service, base.port()).await?;
                let forward = Forward::open(self.client()?, &namespace, &pod, port).await?;
                target.resolve = Some(forward.address());
                Some((format!("{namespace}/{pod}"), forward))
            }
            _ => None,
        };
        Ok(Route { server: Server::new(target)?, forward })
    }

    /// Whether this machine may use the address directly: in a pod always; elsewhere, if the name resolves
    /// within [`LOOKUP_TIMEOUT`], and that of a Service only to addresses inside the cluster. A resolver that
    /// answers every name would otherwise get the password.
    async fn is_known(&self, base: &Base) -> bool {
        if std::env::var_os(IN_CLUSTER).is_some() {
            return true;
        }
        let is_service = base.is_inside() || self.options.argocd_url.is_none() && self.names_a_service();
        let host = base.host().to_owned();
        let Ok(Ok(found)) = tokio::time::timeout(LOOKUP_TIMEOUT, lookup_host((host, base.port()))).await else {
            return false;
        };
        let found: Vec<_> = found.collect();
        !found.is_empty() && (!is_service || found.iter().all(|address| is_inside(address.ip())))
    }

    fn names_a_service(&self) -> bool {
        !matches!(self.settings().argocd.address, Address::Url(_))
    }

    async fn trust(&self) -> Result<TlsTrust, ContextError> {
        if self.options.insecure_skip_verify {
            return Ok(TlsTrust::Insecure);
        }
        if let Some(path) = &self.options.ca_file {
            let read = std::fs::read(path);
            let what = "reading the CA of Argo CD's certificate from";
            return read.map(TlsTrust::Ca).map_err(|error| ContextError::File { what, path: path.clone(), error });
        }
        let tls = &self.settings().argocd.tls;
        Ok(self.resolver().trust(tls).await??)
    }

    async fn pod_of(&self, namespace: &str, service: &str, port: u16) -> Result<(String, u16), ContextError> {
        let client = self.client().map_err(|error| {
            ContextError::Other(format!(
                "Argo CD's Service {namespace}/{service} can't be reached from here, and there is no cluster to \
                 port-forward through: {error}; give an address that can be reached with --argocd-url"
            ))
        })?;
        let found = endpoints(client, namespace, service, port).await?;
        choose(found).ok_or_else(|| {
            ContextError::Other(format!(
                "Argo CD's Service {namespace}/{service} can't be reached from here, and none of its endpoints on port \
                 {port} is a pod to port-forward to"
            ))
        })
    }
}

/// The pod and port of the first endpoint that is a pod; ready ones come first. One that isn't ready is
/// better than none, as its answer may say why.
fn choose(mut found: Vec<ServiceEndpoint>) -> Option<(String, u16)> {
    found.sort_by_key(|endpoint| !endpoint.ready);
    found.into_iter().find_map(|endpoint| Some((endpoint.pod?, endpoint.address.port())))
}

/// The name and namespace of the Service that a host may mean: `name` (in `namespace`), `name.namespace`, or
/// `name.namespace.svc` with any suffix. `None` for addresses and other names. `name.namespace` may also be a
/// name outside of the cluster; it is used as a Service only if it doesn't resolve.
pub(super) fn service_of(host: &str, namespace: &str) -> Option<(String, String)> {
    let host = host.trim_end_matches('.');
    if host.eq_ignore_ascii_case("localhost") || host.starts_with('[') || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let mut labels = host.split('.');
    let name = labels.next().filter(|name| !name.is_empty())?;
    match (labels.next(), labels.next()) {
        (None, _) => Some((name.to_owned(), namespace.to_owned())),
        (Some(namespace), None | Some("svc")) => Some((name.to_owned(), namespace.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::argocd::scripted::{ACCOUNT, ArgoCd, PASSWORD};

    #[tokio::test]
    async fn a_password_is_sent_only_where_argo_cd_answers() {
        let argocd = ArgoCd::start(&[]).await;
        let route = Route { server: argocd.client(), forward: None };
        let password = SecretString::from(PASSWORD);
        route.log_in(ACCOUNT, &password).await.unwrap();
        assert!(argocd.calls().iter().any(|call| call.starts_with("POST ")));
        argocd.script(|_, path, _| (path == "/api/version").then(|| (200, serde_json::json!("a page of somebody's"))));
        assert!(route.log_in(ACCOUNT, &password).await.is_err());
        let calls = argocd.calls();
        assert!(!calls.is_empty() && !calls.iter().any(|call| call.starts_with("POST ")), "{calls:?}");
    }

    #[test]
    fn a_service_is_read_out_of_its_name() {
        let of = |host: &str| service_of(host, "codefresh").map(|(name, namespace)| format!("{namespace}/{name}"));
        assert_eq!(of("argocd-server").as_deref(), Some("codefresh/argocd-server"));
        assert_eq!(of("argocd-server.argocd").as_deref(), Some("argocd/argocd-server"));
        assert_eq!(of("argocd-server.argocd.svc").as_deref(), Some("argocd/argocd-server"));
        assert_eq!(of("argocd-server.argocd.svc.cluster.local.").as_deref(), Some("argocd/argocd-server"));
        for host in ["localhost", "127.0.0.1", "[::1]", "argocd.example.com", "a.b.c.d"] {
            assert_eq!(of(host), None, "{host}");
        }
    }

    #[test]
    fn only_a_pod_can_be_forwarded_to_and_a_ready_one_is_chosen() {
        let endpoint = |address: &str, pod: Option<&str>, ready: bool| ServiceEndpoint {
            address: address.parse().unwrap(),
            pod: pod.map(str::to_owned),
            ready,
        };
        let nobody = endpoint("10.0.0.1:8080", None, true);
        let (ending, there) =
            (endpoint("10.0.0.2:8080", Some("old"), false), endpoint("10.0.0.3:8081", Some("new"), true));
        assert_eq!(choose(vec![nobody.clone(), ending.clone(), there]), Some(("new".to_owned(), 8081)));
        assert_eq!(choose(vec![nobody.clone(), ending]), Some(("old".to_owned(), 8080)));
        assert_eq!(choose(vec![nobody]), None);
    }
}
