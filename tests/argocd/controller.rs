//! The controller as a process that a test starts, watches and ends.

use crate::cluster::eventually;
use crate::server::call_text;
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running controller, ended when this is dropped.
pub struct Controller {
    child: Child,
    log: PathBuf,
    admin: u16,
}

impl Controller {
    /// Starts it and waits until it says where its admin listener is.
    pub async fn start(kubeconfig: &Path, output: &Path, namespace: &str, config: &Path) -> Self {
        let count = fs::read_dir(output).unwrap().count();
        let log = output.join(format!("controller-{count}.log"));
        let file = File::create_new(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
            .args(["controller", "--namespace", namespace, "--release", "hook", "--certificates", "external"])
            .arg("--config")
            .arg(config)
            .args(["--admin-listen", "127.0.0.1:0", "--log-level", "info,argocd_auth_webhook=debug"])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut process = Self { child, log, admin: 0 };
        process.admin = eventually("the controller listens", async || process.listening()).await;
        process
    }

    fn listening(&mut self) -> Result<u16, String> {
        let printed = self.printed();
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the controller ended with {status}:\n{printed}");
        }
        let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let address = lines.find_map(|line| line["admin"].as_str().map(str::to_owned)).ok_or(printed)?;
        Ok(address.rsplit_once(':').unwrap().1.parse().unwrap())
    }

    /// Everything that it printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Its metrics.
    pub fn metrics(&self) -> String {
        call_text(self.admin, "/metrics").unwrap()
    }

    /// The number behind this name, labels included.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
