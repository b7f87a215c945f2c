//! What the API server's audit log holds of the webhook.

use super::registration::entry;
use super::served::{Served, app_proxies, app_proxy, token_settings};
use crate::support::cluster::{audit_log, eventually, say, workloads_path};
use crate::support::credentials::SECRET_VALUES;
use serde_json::{Value, json};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_what_was_done_and_holds_no_secret() {
    let Some(log) = audit_log() else {
        say("NOT RUN: the API server's audit log, which can't be read from here (TEST_AUDIT_LOG is its path)");
        return;
    };
    let scene = Served::new("audit", &token_settings("")).await;
    let mut out = app_proxy("out");
    out["metadata"]["labels"]["argocd-auth-webhook/inject"] = json!("false");
    scene.create_pod(&out).await.unwrap();
    let set = app_proxies("set", 1);
    scene.cluster.create(&workloads_path(scene.namespace(), "ReplicaSet"), &set).await.unwrap();

    let events = eventually("both creations are in the audit log", async || {
        let text = fs::read_to_string(&log).unwrap();
        let ours = text.lines().filter(|line| line.contains(scene.namespace()));
        let created: Vec<_> = ours
            .filter_map(|line| serde_json::from_str::<Value>(line).ok().map(|event| (line.to_owned(), event)))
            .filter(|(_, event)| event["objectRef"]["resource"] == "pods" && event["responseStatus"]["code"] == 201)
            .collect();
        // The probes of the registration are refused; they are not among the created.
        if created.len() == 2 { Ok(created) } else { Err(format!("{} are", created.len())) }
    })
    .await;

    let mut outcomes = Vec::new();
    for (line, event) in &events {
        let annotations = &event["annotations"];
        assert_eq!(annotations[format!("{}/service", entry("app-proxy"))], "app-proxy", "{annotations}");
        let outcome = annotations[format!("{}/outcome", entry("app-proxy"))].as_str().unwrap();
        let patch = annotations.as_object().unwrap().iter().find(|(key, _)| key.starts_with("patch.webhook"));
        if outcome == "injected" {
            let (_, patch) = patch.expect("the patch is logged, so that it can be looked into");
            assert!(patch.as_str().unwrap().contains("gitops-runtime-argo-cd-token"), "{patch}");
        } else {
            assert_eq!(patch, None, "what is left alone gets no patch");
        }
        for value in SECRET_VALUES.lines() {
            assert!(!line.contains(value), "the audit log holds a secret value");
        }
        outcomes.push(outcome);
    }
    outcomes.sort_unstable();
    assert_eq!(outcomes, ["injected", "opted_out"]);
}
