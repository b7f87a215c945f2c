//! Whether a controller is running: one that leads renews its Lease every few seconds.

use crate::cluster::{ClusterError, FIELD_MANAGER, find_patiently};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use std::time::Duration;

/// A Lease whose last renewal is this many seconds old is observed for a while, since the clock here may be
/// wrong.
const MAX_RENEWAL_AGE: i64 = 60;
/// How long it is observed, and how often. A controller renews it every 5 s.
const MAX_PATIENCE: Duration = Duration::from_secs(12);
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// What the Lease says about the controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    /// A controller renews it; the holder's identity.
    There(String),
    /// Nobody renews it; when it was last renewed, in seconds since 1970.
    Gone(i64),
    /// There is no Lease.
    Never,
    /// The Lease can't be read; why.
    Unknown(String),
}

/// Reads the Lease, and observes it for some seconds if it seems old.
pub(super) async fn leader(client: &Client, namespace: &str, now: i64) -> Leader {
    observe(client, namespace, now).await.unwrap_or_else(|error| Leader::Unknown(error.to_string()))
}

async fn observe(client: &Client, namespace: &str, now: i64) -> Result<Leader, ClusterError> {
    let read = || find_patiently::<Lease>(client, namespace, FIELD_MANAGER);
    let Some(first) = read().await? else { return Ok(Leader::Never) };
    let renewed = renewed_at(&first);
    if (now - renewed).abs() < MAX_RENEWAL_AGE {
        return Ok(Leader::There(holder(&first)));
    }
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < MAX_PATIENCE {
        tokio::time::sleep(LOOK_INTERVAL).await;
        match read().await? {
            Some(next) if next.metadata.resource_version != first.metadata.resource_version => {
                return Ok(Leader::There(holder(&next)));
            }
            Some(_) => {}
            None => return Ok(Leader::Never),
        }
    }
    Ok(Leader::Gone(renewed))
}

fn renewed_at(lease: &Lease) -> i64 {
    let at = lease.spec.as_ref().and_then(|spec| spec.renew_time.as_ref());
    at.map(|time| time.0.as_second()).unwrap_or_default()
}

fn holder(lease: &Lease) -> String {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::scripted::{Answer, ApiServer, NAMESPACE};
    use crate::time::rfc3339;
    use serde_json::json;

    const NOW: i64 = 1_800_000_000;

    fn path() -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{FIELD_MANAGER}")
    }

    fn with_lease(renewed: i64) -> ApiServer {
        let server = ApiServer::default();
        let at = rfc3339(renewed).replace('Z', ".000000Z");
        server.put(&path(), json!({ "spec": { "holderIdentity": "hook-0", "renewTime": at } }));
        server
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_renewed_has_a_controller_whatever_the_clocks_say() {
        let there = Leader::There("hook-0".to_owned());
        assert_eq!(leader(&with_lease(NOW - 5).client(), NAMESPACE, NOW).await, there);
        for renewed in [NOW - 4000, NOW + 4000] {
            let server = with_lease(renewed);
            assert_eq!(leader(&server.client(), NAMESPACE, NOW).await, Leader::Gone(renewed));
            let mut reads = 0;
            server.script(move |call, objects| {
                reads += 1;
                if reads == 4 {
                    objects.merge(&call.path, &json!({ "spec": { "leaseTransitions": 1 } }));
                }
                None
            });
            assert_eq!(leader(&server.client(), NAMESPACE, NOW).await, there, "another clock");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_there_is_no_lease_or_none_may_be_read_that_is_said() {
        assert_eq!(leader(&ApiServer::default().client(), NAMESPACE, NOW).await, Leader::Never);
        let server = with_lease(NOW);
        server.script(|_, _| Some(Answer::Status(403, "not for you")));
        let Leader::Unknown(said) = leader(&server.client(), NAMESPACE, NOW).await else { panic!("it is known") };
        assert!(said.contains("reading Lease codefresh/argocd-auth-webhook") && said.contains("not allowed"), "{said}");
    }
}
