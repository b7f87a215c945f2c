//! The webhook as a process of its own.

use crate::support::cluster::{eventually, listen_host};
use crate::support::process::Process;
use std::path::PathBuf;

/// Longer than a creation takes on a machine that is busy, and no longer than tests need.
const DRAIN_DELAY: &str = "3s";

/// How a webhook is started.
#[derive(Clone)]
pub struct Start {
    pub config: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub port: u16,
    /// The folder for what it prints.
    pub output: PathBuf,
}

impl Start {
    /// Starts a webhook and waits until it says that it is ready.
    pub async fn run(&self) -> Process {
        let listen = format!("{}:{}", listen_host(), self.port);
        let [config, certificate, key] =
            [&self.config, &self.certificate, &self.key].map(|path| path.to_str().unwrap());
        let files = ["--config", config, "--tls-cert", certificate, "--tls-key", key];
        let arguments = [&["serve"][..], &files, &["--listen", &listen, "--drain-delay", DRAIN_DELAY]].concat();
        let webhook = Process::start(None, &self.output, &arguments).await;
        eventually("the webhook is ready", async || {
            let answer = webhook.readiness();
            if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") { Ok(()) } else { Err(answer) }
        })
        .await;
        webhook
    }
}

impl Process {
    /// What `/metrics` says about the reviews: one line a service and outcome, with its number.
    fn counted(&self) -> Vec<(String, u64)> {
        let metrics = self.metrics();
        assert!(metrics.contains("argocd_auth_webhook_"), "{metrics}");
        let reviews = metrics.lines().filter_map(|line| line.strip_prefix("argocd_auth_webhook_reviews_total{"));
        reviews
            .map(|line| {
                let (labels, number) = line.rsplit_once("} ").unwrap();
                (labels.to_owned(), number.parse().unwrap())
            })
            .collect()
    }

    /// How many reviews the webhook has answered.
    pub fn reviews(&self) -> u64 {
        self.counted().iter().map(|(_, number)| number).sum()
    }

    /// How many reviews of this service ended so.
    pub fn count(&self, service: &str, outcome: &str) -> u64 {
        let wanted = [format!("service=\"{service}\""), format!("outcome=\"{outcome}\"")];
        let counted = self.counted();
        let fitting = counted.iter().filter(|(labels, _)| wanted.iter().all(|label| labels.contains(label)));
        fitting.map(|(_, number)| number).sum()
    }
}
