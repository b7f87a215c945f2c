//! The real binary with a data limit, and how honest clients fare with it meanwhile.

use crate::support::serving::client::{Client, trusting};
use crate::support::serving::{app_proxy, post};
use rustls::ClientConfig;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::time::timeout;

/// The chart's limit, as `RLIMIT_DATA`: the process aborts where it would be ended in a container.
const DATA_KIB: u32 = 128 << 10;
const START: Duration = Duration::from_secs(20);
/// Longer than any honest client is to wait.
const MOST: Duration = Duration::from_secs(5);

const CONFIG: &str = "auth: { type: token, tokenSecretKeyRef: { name: credential, key: token } }\n";

/// Where an attack is aimed at.
#[derive(Clone)]
pub struct Target {
    pub webhook: SocketAddr,
    pub admin: SocketAddr,
    pub tls: ClientConfig,
}

pub struct Webhook {
    child: Child,
    pub target: Target,
    folder: TempDir,
}

impl Webhook {
    pub fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("config.yaml"), CONFIG).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -d {DATA_KIB} && exec \"$@\""), "sh"]);
        command.arg(env!("CARGO_BIN_EXE_argocd-auth-webhook"));
        command.args(["serve", "--tls-self-signed", "--log-format", "json", "--drain-delay", "0s"]);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.arg("--config").arg(path("config.yaml")).arg("--tls-ca-out").arg(path("ca.crt"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(path("log")).unwrap());
        let child = command.spawn().unwrap();
        let begun = Instant::now();
        let line = loop {
            let log = fs::read_to_string(path("log")).unwrap();
            if let Some(line) = log.lines().find(|line| line.contains("\"serving\"")) {
                break serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
            assert!(begun.elapsed() < START, "it doesn't serve: {log}");
            sleep(Duration::from_millis(5));
        };
        let address = |key: &str| line[key].as_str().unwrap().parse().unwrap();
        let tls = trusting(&fs::read_to_string(path("ca.crt")).unwrap());
        let target = Target { webhook: address("address"), admin: address("admin"), tls };
        Self { child, target, folder }
    }

    fn proc(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// The most memory that it ever had, in KiB.
    pub fn peak(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(u64::MAX)
    }

    pub fn files(&self) -> usize {
        fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<String> {
        let status = self.child.try_wait().unwrap()?;
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Some(format!("{status}: {}", log.lines().last().unwrap_or_default()))
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How long honest clients waited at most. What wasn't answered at all waited for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    /// By a connection that was there before, in the middle of all cases and at worst.
    pub open: Duration,
    pub open_worst: Duration,
    /// By a connection of their own.
    pub new: Duration,
    /// The kubelet, for `/livez`.
    pub live: Duration,
    pub files: usize,
}

/// The API server's and the kubelet's address: others than the attackers'.
const API_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const KUBELET: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

async fn within(answered: impl Future<Output = std::io::Result<u16>>) -> Duration {
    let begun = Instant::now();
    match timeout(MOST, answered).await {
        Ok(Ok(200)) => begun.elapsed(),
        _ => Duration::MAX,
    }
}

async fn review(client: &mut Client) -> std::io::Result<u16> {
    client.try_send(&post(&app_proxy("honest"))).await?;
    Ok(client.read_reply().await?.status)
}

async fn anew(target: &Target) -> std::io::Result<u16> {
    let mut client = Client::tls_from(API_SERVER, target.webhook, target.tls.clone()).await?;
    review(&mut client).await
}

async fn live(target: &Target) -> std::io::Result<u16> {
    let mut client = Client::plain_from(KUBELET, target.admin).await?;
    client.try_send("GET /livez HTTP/1.1\r\nHost: w\r\n\r\n").await?;
    Ok(client.read_reply().await?.status)
}

/// Whether honest clients are answered once the others have gone.
pub fn recovers(webhook: &Webhook) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        while begun.elapsed() < START {
            let (new, live) = (within(anew(&webhook.target)).await, within(live(&webhook.target)).await);
            if new < MOST && live < MOST {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        false
    })
}

/// Asks until the time is over, on a thread of its own: an attacker's work must not count as waiting.
pub fn honest(webhook: &Webhook, lasting: Duration, attack: impl FnOnce()) -> Waited {
    let target = &webhook.target;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut open = Client::tls_from(API_SERVER, target.webhook, target.tls.clone()).await.unwrap();
        assert_eq!(review(&mut open).await.unwrap(), 200);
        attack();
        let (begun, mut waited, mut all) = (Instant::now(), Waited::default(), Vec::new());
        while begun.elapsed() < lasting {
            tokio::time::sleep(Duration::from_millis(40)).await;
            waited.files = waited.files.max(webhook.files());
            all.push(within(review(&mut open)).await);
            waited.new = waited.new.max(within(anew(target)).await);
            waited.live = waited.live.max(within(live(target)).await);
        }
        all.sort_unstable();
        waited.open = all.get(all.len() / 2).copied().unwrap_or_default();
        waited.open_worst = all.last().copied().unwrap_or_default();
        waited
    })
}
