//! The machine under the cluster: processes of containers, and the API server's.

use crate::support::cluster::{Cluster, eventually};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder with everything of the cluster.
fn state(cluster: &Cluster) -> PathBuf {
    cluster.kubeconfig().parent().unwrap().to_owned()
}

/// Gives the node an image.
pub fn import_image(cluster: &Cluster, tar: &Path) {
    let output = Command::new("ctr")
        .arg("--address")
        .arg(state(cluster).join("containerd.sock"))
        .args(["--namespace", "k8s.io", "images", "import"])
        .arg(tar)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A container of a pod.
pub fn container_status<'p>(pod: &'p Value, container: &str) -> Option<&'p Value> {
    pod["status"]["containerStatuses"].as_array()?.iter().find(|status| status["name"] == container)
}

/// The process of a running container, if it runs.
pub fn process(cluster: &Cluster, pod: &Value, container: &str) -> Option<u32> {
    let id = container_status(pod, container)?["containerID"].as_str()?.strip_prefix("containerd://")?;
    let output = Command::new("ctr")
        .arg("--address")
        .arg(state(cluster).join("containerd.sock"))
        .args(["--namespace", "k8s.io", "tasks", "ls"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tasks = String::from_utf8(output.stdout).unwrap();
    let mut words = tasks.lines().map(str::split_whitespace).filter_map(|mut words| {
        let (task, pid, status) = (words.next()?, words.next()?, words.next()?);
        (task == id && status == "RUNNING").then(|| pid.parse().unwrap())
    });
    words.next().filter(|pid| is_the_containers(*pid))
}

/// Waits for it.
pub async fn running_process(cluster: &Cluster, pod: &Value, container: &str) -> u32 {
    eventually("the container has its process", async || {
        process(cluster, pod, container).ok_or_else(|| format!("{}, {container}", pod["metadata"]["name"]))
    })
    .await
}

/// Whether a process is what the container runs, and no longer `runc init`, which becomes it.
fn is_the_containers(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = line.split(|byte| *byte == 0);
    let program = words.next().unwrap_or_default();
    !program.is_empty() && !program.ends_with(b"runc") && program != b"/proc/self/exe"
}

/// What stands in the environment of a process.
pub fn environment(pid: u32) -> BTreeMap<String, String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let variables = text.split('\0').filter_map(|variable| variable.split_once('='));
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What a process holds of the memory, in megabytes.
pub fn memory(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Ends a process without a word.
pub fn kill(pid: u32) {
    // It may have ended by itself meanwhile.
    let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status();
}

/// Kills the API server and starts it again as it was.
#[expect(clippy::zombie_processes, reason = "it outlives this program; `down.sh` ends it")]
pub async fn restart_api_server(cluster: &Cluster) {
    let state = state(cluster);
    let pid_file = state.join("pids/kube-apiserver");
    let pid: u32 = fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    let line = String::from_utf8(line).unwrap();
    let mut words = line.trim_end_matches('\0').split('\0');
    let program = words.next().unwrap();
    assert!(program.ends_with("/kube-apiserver"), "{line}");
    kill(pid);
    // By its port: while the last of its threads ends, the process is a zombie that still listens.
    let port = line.split('\0').find_map(|word| word.strip_prefix("--secure-port=")).expect("a port");
    let port: u16 = port.parse().unwrap();
    eventually("the API server is gone", async || match TcpListener::bind(("0.0.0.0", port)) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    let log = fs::OpenOptions::new().append(true).open(state.join("logs/kube-apiserver.log")).unwrap();
    let child = Command::new(program)
        .args(words)
        .current_dir(&state)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    fs::write(&pid_file, format!("{}\n", child.id())).unwrap();
}
