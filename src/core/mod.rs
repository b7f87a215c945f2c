//! What a pod must carry, and the change that gets it there.
//!
//! Pure functions: no I/O, no clock, no async, no client. The only crates used here are serde, its
//! JSON format and base64. A review travels `review::Review::parse` → [`Injector::decide`] → [`Decision`];
//! the rest of the crate only carries bytes to and from that path.

mod auth;
mod carries;
mod container;
mod decide;
mod form;
mod injection;
mod lenient;
mod outcome;
mod patch;
mod pod;
pub mod review;
mod service;
pub(crate) mod text;
pub mod token;
mod variable;
mod volume;

pub use auth::{
    Auth, CHART_CONFIG_MAP, CHART_USERNAME_KEY, ConfigMapKeyRef, DEFAULT_USERNAME, GENERATED_TOKEN, INITIAL_PASSWORD,
    Mode, PLAIN_PASSWORD, PLAIN_TOKEN, SecretKeyRef, Username, WellKnown,
};
pub use decide::{Decision, Engine, Injector};
pub use injection::{Injection, MOUNT_PATH, Source, VOLUME_NAME, Wanted};
pub use outcome::Outcome;
pub use pod::Pod;
pub use service::{Delivery, LabelSelector, OnConflict, Operator, Reads, Requirement, Service, built_in_services};
pub use variable::Variable;

/// Label or annotation with which a pod opts out, when its value is `"false"`.
pub const INJECT: &str = "argocd-auth-webhook/inject";
/// Annotation of a mirror pod: the API's copy of a static pod, which the kubelet runs from a file.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
/// Annotation that says, for people, what was done to a pod. Never taken as proof.
pub const STATUS: &str = "argocd-auth-webhook/status";
