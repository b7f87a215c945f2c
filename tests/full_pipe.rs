//! A container runtime that no longer reads the log: reviews and probes are answered all the same.

mod support {
    pub mod decision;
    pub mod serving;
}

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;
use support::serving::client::{Client, trusting};
use support::serving::{app_proxy, post};
use tokio::time::timeout;

/// More than a full pipe and the lines that wait take together: each review is a line of some hundred bytes.
const REVIEWS: usize = 4000;
const PATIENCE: Duration = Duration::from_secs(20);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Webhook {
    child: Child,
    /// Kept open, and read no further.
    _log: BufReader<ChildStderr>,
    address: SocketAddr,
    admin: SocketAddr,
    folder: tempfile::TempDir,
}

impl Webhook {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.yaml"), "auth: {type: password}").unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_argocd-auth-webhook"))
            .args(["serve", "--tls-self-signed", "--log-format", "json", "--drain-delay", "0s"])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(folder.path().join("config.yaml"))
            .arg("--tls-ca-out")
            .arg(folder.path().join("ca.crt"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended");
            if line.contains("\"serving\"") {
                break serde_json::from_str::<serde_json::Value>(&line).unwrap();
            }
        };
        let address = |key: &str| line[key].as_str().unwrap().parse().unwrap();
        Self { address: address("address"), admin: address("admin"), child, _log: log, folder }
    }

    async fn admin(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.admin).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn where_nobody_reads_the_log_every_review_and_probe_is_answered_and_the_process_ends_when_asked() {
    let mut webhook = Webhook::start();
    let tls = trusting(&std::fs::read_to_string(webhook.folder.path().join("ca.crt")).unwrap());
    let mut client = Client::tls_from(HERE, webhook.address, tls).await.unwrap();
    for number in 0..REVIEWS {
        let answered = async {
            client.try_send(&post(&app_proxy("unread"))).await.unwrap();
            client.read_reply().await.unwrap().status
        };
        let status = timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("review {number} isn't answered"));
        assert_eq!(status, 200);
    }
    let live = timeout(PATIENCE, webhook.admin("/livez")).await.expect("the kubelet is answered");
    assert!(live.starts_with("HTTP/1.1 200"), "{live}");
    let metrics = timeout(PATIENCE, webhook.admin("/metrics")).await.unwrap();
    let left_out = metrics.lines().find_map(|line| line.strip_prefix("argocd_auth_webhook_log_lines_left_out_total "));
    assert!(left_out.expect("it is counted").parse::<u64>().unwrap() > 0, "{left_out:?}");
    drop(client);
    let id = webhook.child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let ended = async {
        loop {
            if let Some(status) = webhook.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(PATIENCE, ended).await.expect("it ends").success());
}
