//! Our program as a process that a test starts, watches and ends.

use crate::cluster::eventually;
use crate::webhook::{SECRET_VALUES, get};
use serde_json::Value;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running process, ended when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    admin: String,
}

impl Process {
    /// Starts the program and waits until it says where its admin listener is.
    pub async fn start(kubeconfig: &Path, output: &Path, arguments: &[&str]) -> Self {
        let count = fs::read_dir(output).unwrap().count();
        let log = output.join(format!("{}-{count}.log", arguments[0]));
        let file = File::create_new(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
            .args(arguments)
            .args(["--admin-listen", "127.0.0.1:0"])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut process = Self { child, log, admin: String::new() };
        process.admin = eventually("the process listens", async || process.listening()).await;
        process
    }

    fn listening(&mut self) -> Result<String, String> {
        let printed = self.printed();
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the process ended with {status}:\n{printed}");
        }
        let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.find_map(|line| line["admin"].as_str().map(str::to_owned)).ok_or(printed)
    }

    /// Everything that it printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What `/readyz` says.
    pub fn readiness(&self) -> String {
        get(&self.admin, "/readyz")
    }

    /// The number behind this name, labels included, in `/metrics`.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = get(&self.admin, "/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
    }

    /// Ends it without a word.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as the kubelet does, and waits for it to do so well.
    pub async fn terminate(mut self) {
        let status = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status().unwrap();
        assert!(status.success());
        let status = eventually("the process ends", async || {
            self.child.try_wait().unwrap().ok_or_else(|| "it is still there".to_owned())
        })
        .await;
        assert!(status.success(), "{status}: {}", self.printed());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.printed();
        let key = printed.contains("PRIVATE KEY") || SECRET_VALUES.lines().any(|value| printed.contains(value));
        assert!(!key || std::thread::panicking(), "{} holds a secret value", self.log.display());
    }
}
