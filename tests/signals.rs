//! Alone in its program: signals reach all of a process.

use argocd_auth_webhook::server::Shutdown;
use std::process::Command;
use std::time::Duration;
use tokio::time::timeout;

fn send(signal: &str) {
    let kill = format!("kill -{signal} {}", std::process::id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_ends_whichever_they_are() {
    for [first, second] in [["TERM", "INT"], ["INT", "INT"], ["TERM", "TERM"]] {
        let mut shutdown = Shutdown::by_signals().unwrap();
        send(first);
        timeout(Duration::from_secs(20), shutdown.drain()).await.unwrap();
        assert!(timeout(Duration::ZERO, shutdown.now()).await.is_err());
        send(second);
        timeout(Duration::from_secs(20), shutdown.now()).await.unwrap();
    }
}
