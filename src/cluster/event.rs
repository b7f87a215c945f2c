//! Creates Events, which `kubectl describe` shows. kube's recorder isn't used: it also patches Events, which
//! the Role doesn't allow, and doesn't cut notes.

use super::error::{ClusterError, call};
use super::write::FIELD_MANAGER;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event as Entry;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};

/// The longest note that the API server takes in `events.k8s.io/v1`, in bytes.
const MAX_NOTE: usize = 1024;

/// An Event to be created.
#[derive(Clone, Debug)]
pub struct Event {
    /// Why it was emitted, in `CamelCase`, for programs.
    pub reason: &'static str,
    /// What was done, in `CamelCase`, for programs.
    pub action: &'static str,
    /// The text for people. Never holds a secret value.
    pub note: String,
    /// Whether its type is `Warning` instead of `Normal`.
    pub warning: bool,
}

/// Creates an Event about `about`, in that object's namespace. `instance` is the reporting process.
///
/// # Errors
/// The call failed.
pub async fn emit(client: &Client, about: ObjectReference, instance: &str, event: Event) -> Result<(), ClusterError> {
    let namespace = about.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let now = Timestamp::now();
    let name = format!("{}.{:x}", about.name.as_deref().unwrap_or(FIELD_MANAGER), now.as_nanosecond());
    let entry = Entry {
        metadata: ObjectMeta { name: Some(name), namespace: Some(namespace.clone()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        reporting_controller: Some(FIELD_MANAGER.to_owned()),
        reporting_instance: Some(instance.to_owned()),
        action: Some(event.action.to_owned()),
        reason: Some(event.reason.to_owned()),
        regarding: Some(about),
        note: Some(event.note[..event.note.floor_char_boundary(MAX_NOTE)].to_owned()),
        type_: Some(if event.warning { "Warning" } else { "Normal" }.to_owned()),
        ..Entry::default()
    };
    let api: Api<Entry> = Api::namespaced(client.clone(), &namespace);
    call("creating an Event", api.create(&PostParams::default(), &entry)).await.map(drop)
}
