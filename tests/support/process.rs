//! Our program as a process that a test starts, watches and ends.

use crate::support::cluster::{PATIENCE, eventually, say};
use crate::support::credentials::{SECRET_VALUES, USERS_OWN_VALUE};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running process, ended when this is dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
    admin: String,
}

impl Process {
    /// Starts the program, with what it prints in this folder, and waits until it says where its admin
    /// listener is.
    pub async fn start(kubeconfig: Option<&Path>, output: &Path, arguments: &[&str]) -> Self {
        let count = fs::read_dir(output).unwrap().count();
        let log = output.join(format!("{}-{count}.log", arguments[0]));
        let file = File::create_new(&log).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
        command.args(arguments).args(["--admin-listen", "127.0.0.1:0"]);
        if let Some(kubeconfig) = kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let child = command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
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
        // The one line that says where: the kernel chose the port.
        lines.find_map(|line| line["admin"].as_str().map(str::to_owned)).ok_or(printed)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it printed.
    pub fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What `/readyz` says, with the answer's head.
    pub fn readiness(&self) -> String {
        get(&self.admin, "/readyz")
    }

    /// Its metrics.
    pub fn metrics(&self) -> String {
        get(&self.admin, "/metrics")
    }

    /// The number behind this name, labels included.
    pub fn metric(&self, name: &str) -> u64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in {metrics}")).parse().unwrap()
    }

    /// Waits until this number stands behind a name: an effect can be seen a moment before it is counted.
    pub async fn counts(&self, name: &str, wanted: u64) {
        eventually(&format!("{name} is {wanted}"), async || match self.metric(name) {
            now if now == wanted => Ok(()),
            now => Err(now.to_string()),
        })
        .await;
    }

    pub fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Ends it without a word, as a node that dies does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as the kubelet does, and waits for it to do so well.
    pub async fn terminate(&mut self) {
        self.signal("TERM");
        self.terminated().await;
    }

    /// Waits for it to end well after it was asked to.
    pub async fn terminated(&mut self) {
        let status = eventually("the process ends", async || {
            self.child.try_wait().unwrap().ok_or_else(|| format!("after {PATIENCE:?} it is still there"))
        })
        .await;
        assert!(status.success(), "{status}: {}", self.printed());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself, which is no reason to stop cleaning up.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.printed();
        let mut secret = SECRET_VALUES.lines().chain([USERS_OWN_VALUE, "PRIVATE KEY"]);
        if secret.any(|value| printed.contains(value)) {
            say(&format!("{} holds a secret value", self.log.display()));
            assert!(std::thread::panicking(), "a secret value was printed");
        }
    }
}

/// A plain GET, with head and body in the answer, or why there is none.
fn get(address: &str, path: &str) -> String {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        // HTTP/1.0: the answer ends with the connection, and is not chunked.
        write!(stream, "GET {path} HTTP/1.0\r\nHost: tests\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().unwrap_or_else(|error| format!("{address}{path}: {error}"))
}
