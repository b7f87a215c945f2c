//! Argo CD's API server as a process that a test starts and ends, each in a namespace of its own.

use crate::support::cluster::{Cluster, built, eventually, free_port};
use crate::support::scene::Scene;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::sync::OnceCell;

/// How a server is started.
#[derive(Clone, Default)]
pub struct Options {
    /// Its root path, with a slash before it.
    pub root: &'static str,
    /// With TLS: `argocd-server-tls` in its namespace.
    pub tls: bool,
}

/// A server, ended when this is dropped.
pub struct ArgoCd {
    cluster: Cluster,
    pub namespace: String,
    pub port: u16,
    options: Options,
    child: Option<Child>,
    log: PathBuf,
}

/// An answer to a call.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

/// Argo CD doesn't start without its kinds, which are the whole cluster's.
async fn kinds(cluster: &Cluster) {
    static ONCE: OnceCell<()> = OnceCell::const_new();
    ONCE.get_or_init(async || {
        let file = built("argocd-crds.yaml");
        let seen = cluster.kubectl(&["apply", "--server-side", "-f", file.to_str().unwrap()], None);
        assert!(seen.success, "{}", seen.stderr);
        let wait = ["wait", "--for=condition=Established", "-f", file.to_str().unwrap()];
        eventually("Argo CD's kinds", async || {
            let seen = cluster.kubectl(&wait, None);
            if seen.success { Ok(()) } else { Err(seen.stderr) }
        })
        .await;
    })
    .await;
}

impl ArgoCd {
    /// With `accounts.admin: apiKey, login`, and the password that the server makes.
    pub async fn start(scene: &Scene, options: Options) -> Self {
        let (cluster, namespace) = (&scene.cluster, scene.namespace());
        kinds(cluster).await;
        let labels = json!({ "app.kubernetes.io/part-of": "argocd" });
        for (kind, name, data) in [
            ("ConfigMap", "argocd-cm", json!({ "accounts.admin": "apiKey, login", "accounts.other": "apiKey, login" })),
            ("ConfigMap", "argocd-rbac-cm", json!({})),
            ("Secret", "argocd-secret", json!({})),
        ] {
            let object = json!({
                "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "labels": labels }, "data": data,
            });
            let path = format!("/api/v1/namespaces/{namespace}/{}s", kind.to_lowercase());
            cluster.create(&path, &object).await.unwrap();
        }
        let mut server = Self {
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            port: free_port(),
            options,
            child: None,
            log: scene.output.join(format!("argocd-{namespace}.log")),
        };
        server.run().await;
        server
    }

    /// Starts its process, on the same port as before.
    pub async fn run(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let mut command = Command::new(built("argocd-server"));
        command
            .arg("--kubeconfig")
            .arg(self.cluster.kubeconfig())
            .args(["--namespace", &self.namespace, "--address", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--metrics-port", &free_port().to_string()])
            // Nothing of these is needed, and nobody listens there.
            .args(["--repo-server", "127.0.0.1:1", "--dex-server", "http://127.0.0.1:1"]);
        if !self.options.root.is_empty() {
            command.args(["--rootpath", self.options.root]);
        }
        if !self.options.tls {
            command.arg("--insecure");
        }
        let child = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.child = Some(child.unwrap());
        let (port, tls, root) = (self.port, self.options.tls, self.options.root);
        eventually("Argo CD answers", async || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("Argo CD ended with {status}; see {}", self.log.display());
            }
            if tls {
                return TcpStream::connect(("127.0.0.1", port)).map(drop).map_err(|error| error.to_string());
            }
            match call(port, "GET", &format!("{root}/api/version"), None, None) {
                Ok(Answer { status: 200, .. }) => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
    }

    /// Ends its process without a word.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let scheme = if self.options.tls { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{}", self.port, self.options.root)
    }

    /// A call, in plain HTTP.
    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Answer {
        call(self.port, method, &format!("{}{path}", self.options.root), token, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// The password that the server made at its first start.
    pub async fn password(&self) -> String {
        let path = format!("/api/v1/namespaces/{}/secrets/argocd-initial-admin-secret", self.namespace);
        let secret = eventually("the first password", async || self.cluster.get(&path).await).await;
        secret_value(decoded(&secret["data"]["password"]).unwrap())
    }

    /// A session of the administrator's.
    pub async fn session(&self) -> String {
        self.session_with(&self.password().await)
    }

    /// A session of the administrator's, with this password.
    pub fn session_with(&self, password: &str) -> String {
        let answer =
            self.call("POST", "/api/v1/session", None, Some(&json!({ "username": "admin", "password": password })));
        assert_eq!(answer.status, 200, "{answer:?}");
        secret_value(answer.body["token"].as_str().unwrap().to_owned())
    }

    /// Changes a ConfigMap or Secret of its own, with a merge patch.
    pub async fn configure(&self, kind: &str, name: &str, change: &Value) {
        let path = format!("/api/v1/namespaces/{}/{kind}s/{name}", self.namespace);
        self.cluster.merge(&path, change).await.unwrap();
    }
}

impl Drop for ArgoCd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Notes a value that must stand in Secrets and nowhere else: `run.sh` looks for it in everything that
/// was printed.
pub fn secret_value(value: String) -> String {
    if let Some(path) = std::env::var_os("TEST_SECRET_VALUES") {
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        // In one piece: tests beside each other write there.
        file.write_all(format!("{value}\n").as_bytes()).unwrap();
    }
    value
}

/// Base64 as it stands in a Secret.
pub fn decoded(value: &Value) -> Option<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).unwrap();
    Some(String::from_utf8(bytes).unwrap())
}

/// What goes into a Secret.
pub fn encoded(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// One call over a connection of its own.
pub fn call(port: u16, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> Result<Answer, String> {
    let (status, body) = exchange(port, method, path, token, body)?;
    Ok(Answer { status, body: serde_json::from_str(&body).unwrap_or(Value::Null) })
}

/// By HTTP/1.0, whose bodies end with the connection.
fn exchange(
    port: u16,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> Result<(u16, String), String> {
    tokio::task::block_in_place(|| {
        let fail = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(fail)?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(fail)?;
        let body = body.map(Value::to_string).unwrap_or_default();
        let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{token}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).map_err(fail)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(fail)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or("no status")?;
        Ok((status, body.to_owned()))
    })
}
