//! What reconcilers work with in tests: a scripted API server, and a Lease that the test grants and takes.

use super::consumers::Consumers;
use super::context::Context;
use super::metrics::ControllerMetrics;
use super::options::{Certificates, Options};
use crate::cluster::leader_election::Leadership;
use crate::cluster::scripted::{ApiServer, NAMESPACE};
use crate::server::Loops;
use crate::settings::{File, Overrides, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// The Lease, controlled by the test. Held at first.
pub struct Lease(watch::Sender<Option<Instant>>);

impl Lease {
    /// Lets another process take the Lease.
    pub fn lose(&self) {
        self.0.send_replace(None);
    }
}

/// A controller of release `rel` that holds the Lease, in password mode, with these additional settings
/// (lines of our own configuration file).
pub fn context(server: &ApiServer, settings: &str) -> (Context, Lease) {
    context_of(server, &format!("auth: {{ type: password }}\n{settings}"))
}

/// Like [`context`], with a complete configuration file.
pub fn context_of(server: &ApiServer, config: &str) -> (Context, Lease) {
    let (until, leadership) = Leadership::scripted();
    until.send_replace(Some(Instant::now() + Duration::from_hours(1)));
    let file = File::Config("settings.yaml".into());
    let settings = Settings::from_text(&file, config, Overrides::default()).unwrap();
    let context = Context {
        client: server.client(),
        options: Arc::new(Options {
            namespace: NAMESPACE.to_owned(),
            release: "rel".to_owned(),
            serving_secret: "rel-serving".to_owned(),
            service: "hook".to_owned(),
            service_port: 443,
            webhook_configuration: "rel-codefresh".to_owned(),
            service_account: None,
            certificates: Certificates::External { publish: true },
            kubelet_cache: 60,
            admin_listen: "127.0.0.1:0".parse().unwrap(),
        }),
        settings: Arc::new(settings),
        metrics: Arc::new(ControllerMetrics::default()),
        leadership,
        instance: "test".to_owned(),
        remembered: Arc::default(),
        published: Arc::default(),
        consumers: Arc::new(watch::Sender::new(Consumers::Unknown)),
        health: Arc::default(),
        login_wanted: Arc::default(),
        loops: Loops::default(),
    };
    (context, Lease(until))
}

/// The time limit of every scenario: one that takes longer hangs.
pub async fn bounded<T>(scenario: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_mins(1), scenario).await.expect("the scenario hangs")
}
