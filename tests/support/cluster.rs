//! The cluster that the tests run against: its API, `kubectl`, and waiting for what it brings about.

use hyper::{Method, Request};
use serde_json::{Value, json};
use std::env;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// How long anything that a cluster does by itself may take before a test fails. Far above what it
/// takes; a loaded machine is no reason to fail.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster, reached through a kubeconfig.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    kubeconfig: PathBuf,
}

/// What a `kubectl` user sees.
pub struct Seen {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

/// Why a call came to nothing.
pub enum Failure {
    /// The API server says so.
    Refused(String),
    /// There was no answer.
    NoAnswer(String),
}

pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn kubeconfig() -> PathBuf {
    let path =
        env::var_os("TEST_KUBECONFIG").map_or_else(|| project().join("target/cluster/state/kubeconfig"), PathBuf::from);
    assert!(
        path.exists(),
        "there is no cluster at {}: `make cluster-test` starts one and runs these tests, or TEST_KUBECONFIG names \
         another cluster's kubeconfig",
        path.display()
    );
    path
}

/// The folder of what the scripts of the tests build.
pub fn bin() -> PathBuf {
    env::var_os("CLUSTER_BIN").map_or_else(|| project().join("target/cluster/bin"), PathBuf::from)
}

/// Something that they built.
pub fn built(name: &str) -> PathBuf {
    let path = bin().join(name);
    assert!(path.exists(), "{} is not there; `run.sh` of these tests builds it", path.display());
    path
}

fn kubectl() -> PathBuf {
    if let Some(path) = env::var_os("KUBECTL") {
        return path.into();
    }
    let built = bin().join("kubectl");
    if built.exists() { built } else { "kubectl".into() }
}

/// The address under which the API server reaches this machine.
pub fn webhook_host() -> String {
    env::var("TEST_WEBHOOK_HOST").unwrap_or_else(|_| "127.0.0.1".to_owned())
}

/// The address on which servers of the tests listen, so that the API server reaches them.
pub fn listen_host() -> &'static str {
    if webhook_host() == "127.0.0.1" { "127.0.0.1" } else { "0.0.0.0" }
}

/// The API server's audit log; only a cluster on this machine has one that can be read.
pub fn audit_log() -> Option<PathBuf> {
    let path = env::var_os("TEST_AUDIT_LOG").map_or_else(|| kubeconfig().with_file_name("audit.log"), PathBuf::from);
    path.exists().then_some(path)
}

/// The folder for what a test's processes print.
pub fn output(test: &str) -> PathBuf {
    let root = env::var_os("TEST_OUTPUT")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster-output"), PathBuf::from);
    let folder = root.join(test);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// A port that nothing uses. Below the range from which the kernel takes the ports of outgoing
/// connections, so that it is still free when a server comes back to it.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 40).unwrap() * 200;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(port < 32_000, "no free port");
        if TcpListener::bind((listen_host(), port)).is_ok() {
            return port;
        }
    }
}

/// Prints a line past the test runner, which keeps what a passing test prints to itself.
pub fn say(line: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "    {line}").unwrap();
}

/// Looks until there is something to see, and fails with what was there instead.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(instead) if start.elapsed() > PATIENCE => panic!("{what}: not within {PATIENCE:?}; {instead}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

impl Cluster {
    pub async fn connect() -> Self {
        let kubeconfig = kubeconfig();
        let read = kube::config::Kubeconfig::read_from(&kubeconfig).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
        let client = kube::Client::try_from(config).unwrap();
        Self { client, kubeconfig }
    }

    /// For processes that find the cluster themselves.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// For tests that call it in their own way.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// One call. The error is the message that the API server gives.
    async fn call(&self, method: Method, path: &str, kind: &str, body: Option<&Value>) -> Result<Value, String> {
        match self.attempt(method.clone(), path, kind, body).await {
            Ok(value) => Ok(value),
            Err(Failure::Refused(message)) => Err(message),
            Err(Failure::NoAnswer(error)) => panic!("{method} {path}: {error}"),
        }
    }

    /// One call to an API server that may be away.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("content-type", kind).body(body).unwrap();
        match self.client.request::<Value>(request).await {
            Ok(value) => Ok(value),
            Err(kube::Error::Api(status)) => Err(Failure::Refused(status.message.clone())),
            Err(error) => Err(Failure::NoAnswer(format!("{error:?}"))),
        }
    }

    pub async fn get(&self, path: &str) -> Result<Value, String> {
        self.call(Method::GET, path, "application/json", None).await
    }

    pub async fn create(&self, path: &str, object: &Value) -> Result<Value, String> {
        self.call(Method::POST, path, "application/json", Some(object)).await
    }

    pub async fn merge(&self, path: &str, change: &Value) -> Result<Value, String> {
        self.call(Method::PATCH, path, "application/merge-patch+json", Some(change)).await
    }

    pub async fn delete(&self, path: &str) -> Result<Value, String> {
        let at_once = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0 });
        self.call(Method::DELETE, path, "application/json", Some(&at_once)).await
    }

    /// Server-side apply.
    pub async fn apply(&self, path: &str, object: &Value) -> Result<Value, String> {
        let path = format!("{path}?fieldManager=tests&force=true");
        self.call(Method::PATCH, &path, "application/apply-patch+yaml", Some(object)).await
    }

    /// The pods of a namespace.
    pub async fn pods(&self, namespace: &str) -> Vec<Value> {
        let list = self.get(&pods_path(namespace)).await.unwrap();
        list["items"].as_array().unwrap().clone()
    }

    /// A person at a terminal, with an object on standard input.
    pub fn kubectl(&self, arguments: &[&str], object: Option<&Value>) -> Seen {
        tokio::task::block_in_place(|| {
            let mut command = Command::new(kubectl());
            command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", kubectl().display()));
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(object.map(Value::to_string).unwrap_or_default().as_bytes()).unwrap();
            drop(stdin);
            let output = child.wait_with_output().unwrap();
            Seen {
                success: output.status.success(),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8(output.stderr).unwrap(),
            }
        })
    }

    /// Deletes objects in a destructor, where nothing can be awaited.
    pub fn clean_up(&self, arguments: &[&str]) {
        let mut command = Command::new(kubectl());
        command.arg("--kubeconfig").arg(&self.kubeconfig).arg("delete").args(arguments);
        command.args(["--ignore-not-found", "--wait=false"]).stdin(Stdio::null()).stdout(Stdio::null());
        if !command.status().is_ok_and(|status| status.success()) {
            say(&format!("left behind in the cluster: {}", arguments.join(" ")));
        }
    }
}

pub fn pods_path(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

/// Where the objects of a workload's kind are.
pub fn workloads_path(namespace: &str, kind: &str) -> String {
    format!("/apis/apps/v1/namespaces/{namespace}/{}s", kind.to_lowercase())
}

/// Namespaces that go when this does.
pub struct Namespaces {
    cluster: Cluster,
    pub names: Vec<String>,
}

impl Namespaces {
    pub async fn create(cluster: &Cluster, names: Vec<String>) -> Self {
        let namespaces = Self { cluster: cluster.clone(), names };
        for name in &namespaces.names {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } });
            cluster.create("/api/v1/namespaces", &namespace).await.unwrap();
        }
        for name in &namespaces.names {
            let path = format!("/api/v1/namespaces/{name}/serviceaccounts/default");
            // Pods are refused before it is there.
            eventually("the default service account", async || cluster.get(&path).await).await;
        }
        namespaces
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        let mut arguments = vec!["namespace"];
        arguments.extend(self.names.iter().map(String::as_str));
        self.cluster.clean_up(&arguments);
    }
}
