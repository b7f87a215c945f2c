//! The endpoints behind a Service.

use super::error::{ClusterError, call};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// One endpoint of a Service, ready or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServiceEndpoint {
    /// The address and port that its pod listens on.
    pub address: SocketAddr,
    /// The pod's name; `None` if the endpoint isn't a pod.
    pub pod: Option<String>,
    /// Whether the endpoint takes new connections.
    pub ready: bool,
}

impl ServiceEndpoint {
    /// `POD (ADDRESS)`, or the address if the endpoint isn't a pod.
    #[must_use]
    pub fn name(&self) -> String {
        self.pod.as_ref().map_or_else(|| self.address.to_string(), |pod| format!("{pod} ({})", self.address))
    }
}

/// The endpoints behind this port of a Service, whether ready, unready or terminating.
///
/// # Errors
/// The Service or its EndpointSlices can't be read.
pub async fn endpoints(
    client: &Client,
    namespace: &str,
    service: &str,
    port: u16,
) -> Result<Vec<ServiceEndpoint>, ClusterError> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let found = call(&format!("reading Service {namespace}/{service}"), services.get(service)).await?;
    let ports = found.spec.and_then(|spec| spec.ports).unwrap_or_default();
    // EndpointSlices refer to a port by its name, which may be missing if the Service has one port.
    let name = ports.iter().find(|candidate| candidate.port == i32::from(port)).map(|port| port.name.clone());
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let what = format!("listing the EndpointSlices of Service {namespace}/{service}");
    let slices = call(&what, slices.list(&of_service)).await?;

    let mut found = BTreeSet::new();
    for slice in slices {
        let ports = slice.ports.unwrap_or_default();
        let number = match ports.as_slice() {
            [only] => only.port,
            several => {
                let same = |port: &&k8s_openapi::api::discovery::v1::EndpointPort| {
                    name.as_ref()
                        .is_some_and(|name| name.as_deref().unwrap_or("") == port.name.as_deref().unwrap_or(""))
                };
                several.iter().find(same).and_then(|port| port.port)
            }
        };
        let Some(number) = number.and_then(|number| u16::try_from(number).ok()) else { continue };
        for endpoint in slice.endpoints.unwrap_or_default() {
            let pod = endpoint.target_ref.filter(|target| target.kind.as_deref() == Some("Pod"));
            let pod = pod.and_then(|target| target.name);
            // The API says to take an unknown condition for ready.
            let ready = endpoint.conditions.and_then(|conditions| conditions.ready).unwrap_or(true);
            // All addresses of an endpoint belong to one pod; the API says to use the first.
            if let Some(address) = endpoint.addresses.first().and_then(|text| text.parse::<IpAddr>().ok()) {
                found.insert(ServiceEndpoint { address: SocketAddr::new(address, number), pod, ready });
            }
        }
    }
    Ok(found.into_iter().collect())
}
