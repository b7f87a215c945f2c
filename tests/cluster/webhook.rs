//! The webhook as a process of its own.

use crate::cluster::{PATIENCE, eventually, listen_host, say};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A plain token and a plain password that stand in settings, and must stand nowhere else.
pub const SECRET_VALUES: &str = include_str!("secret-values");
/// A credential that a user wrote into a pod. It is in the pod, so the API server logs it; the
/// webhook must not.
pub const USERS_OWN_VALUE: &str = "Jt5mUsersOwnTokenThatMustNotBeLogged";

pub fn plain_token() -> &'static str {
    SECRET_VALUES.lines().next().unwrap()
}

pub fn plain_password() -> &'static str {
    SECRET_VALUES.lines().nth(1).unwrap()
}

/// A port that nothing uses. Below the range from which the kernel takes the ports of outgoing
/// connections, so that it is still free when a webhook comes back to it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 80).unwrap() * 100;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no free port");
        if TcpListener::bind((listen_host(), port)).is_ok() {
            return port;
        }
    }
}

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

/// A running webhook, ended when this is dropped.
pub struct Webhook {
    child: Child,
    log: PathBuf,
    admin: String,
}

impl Start {
    /// Starts a webhook and waits until it says that it is ready.
    pub async fn run(&self) -> Webhook {
        let count = fs::read_dir(&self.output).unwrap().count();
        let log = self.output.join(format!("webhook-{count}.log"));
        let file = File::create_new(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
            .arg("serve")
            .arg("--config")
            .arg(&self.config)
            .arg("--tls-cert")
            .arg(&self.certificate)
            .arg("--tls-key")
            .arg(&self.key)
            .args(["--listen", &format!("{}:{}", listen_host(), self.port)])
            .args(["--admin-listen", "127.0.0.1:0", "--drain-delay", "1s"])
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut webhook = Webhook { child, log, admin: String::new() };
        webhook.admin = eventually("the webhook listens", async || webhook.listening()).await;
        eventually("the webhook is ready", async || {
            let answer = get(&webhook.admin, "/readyz");
            if answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200") { Ok(()) } else { Err(answer) }
        })
        .await;
        webhook
    }
}

impl Webhook {
    /// The admin address, once the log says it.
    fn listening(&mut self) -> Result<String, String> {
        let printed = self.printed();
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("the webhook ended with {status}:\n{printed}");
        }
        let mut lines = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            // The one line that says where: both ports are told, and the admin's was chosen by the kernel.
            .find_map(|line| line["admin"].as_str().map(str::to_owned))
            .ok_or(printed)
    }

    fn printed(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What `/metrics` says about the reviews: one line a service and outcome, with its number.
    fn counted(&self) -> Vec<(String, u64)> {
        let metrics = get(&self.admin, "/metrics");
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

    pub fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Ends the process without a word, as a node that dies does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, as the kubelet does, and waits for it to do so well.
    pub async fn terminate(&mut self) {
        self.signal("TERM");
        self.terminated().await;
    }

    /// Waits for the process to end well after it was asked to.
    pub async fn terminated(&mut self) {
        let status = eventually("the webhook ends", async || {
            self.child.try_wait().unwrap().ok_or_else(|| format!("after {PATIENCE:?} it is still there"))
        })
        .await;
        assert!(status.success(), "{status}: {}", self.printed());
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        // It may have ended by itself, which is no reason to stop cleaning up.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let printed = self.printed();
        let leaked = SECRET_VALUES.lines().chain([USERS_OWN_VALUE]).find(|value| printed.contains(*value));
        if let Some(value) = leaked {
            say(&format!("{} holds the secret value {value}", self.log.display()));
            assert!(std::thread::panicking(), "a secret value was printed");
        }
    }
}

/// A plain GET, with head and body in the answer.
pub fn get(address: &str, path: &str) -> String {
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

/// Writes settings where a webhook reads them.
pub fn write_config(folder: &Path, settings: &str) -> PathBuf {
    let path = folder.join("config.yaml");
    fs::write(&path, settings).unwrap();
    path
}
