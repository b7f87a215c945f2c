//! Helm, as a person runs it.

use crate::support::cluster::{Cluster, built};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Which of the two that people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helm {
    Three,
    Four,
}

impl Helm {
    fn program(self) -> PathBuf {
        let (variable, name) = match self {
            Self::Three => ("HELM3", "helm3"),
            Self::Four => ("HELM", "helm"),
        };
        std::env::var_os(variable).map_or_else(|| built(name), PathBuf::from)
    }

    /// Runs it: everything that it printed, also as the error where it fails.
    pub fn run(self, cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
        tokio::task::block_in_place(|| {
            let home = env!("CARGO_TARGET_TMPDIR");
            let output = Command::new(self.program())
                .args(arguments)
                .env("KUBECONFIG", cluster.kubeconfig())
                .envs([("HELM_CONFIG_HOME", home), ("HELM_CACHE_HOME", home), ("HELM_DATA_HOME", home)])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            if output.status.success() { Ok(printed) } else { Err(printed) }
        })
    }
}
