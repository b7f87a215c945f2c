//! `status`: what the controller last published about credential and pods, its latest Events, and whether it
//! is running.

mod events;
mod leader;
mod view;

pub use view::Status;

use crate::cluster::{find_patiently, watch_named};
use crate::commands::context::{CommandContext, ContextError};
use crate::time::now;
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

fn config_map(access: &CommandContext) -> String {
    format!("{}-status", access.release())
}

/// The status as it is now.
///
/// # Errors
/// The ConfigMap can't be read.
pub async fn status(access: &CommandContext) -> Result<Status, ContextError> {
    let (client, namespace, name) = (access.client()?, access.namespace(), config_map(access));
    let map = find_patiently(client, namespace, &name).await?;
    Ok(of(access, map.as_ref()).await)
}

/// The status now, and again whenever it changes, forever.
///
/// # Errors
/// There is no client of the cluster.
pub fn follow(access: &CommandContext) -> Result<impl Stream<Item = Result<Status, ContextError>> + '_, ContextError> {
    let maps: Api<ConfigMap> = Api::namespaced(access.client()?.clone(), access.namespace());
    let seen = watch_named(maps, &config_map(access));
    Ok(seen.then(async |map| Ok(of(access, map?.as_ref()).await)))
}

async fn of(access: &CommandContext, map: Option<&ConfigMap>) -> Status {
    let part = |name: &str| map.and_then(|map| map.data.as_ref()).and_then(|data| data.get(name)).map(String::as_str);
    let place = format!("{}/{}", access.namespace(), config_map(access));
    let events = match access.client() {
        Ok(client) => events::last(client, access.namespace()).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let leader = match access.client() {
        Ok(client) => leader::leader(client, access.namespace(), now()).await,
        Err(error) => leader::Leader::Unknown(error.to_string()),
    };
    let parts = ["credential.json", "pods.json", "webhook.json"].map(part);
    Status::new(place, map.is_some(), parts, events, now()).led_by(leader)
}
