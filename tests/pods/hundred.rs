//! A hundred pods at once.

use crate::support::cluster::{audit_log, eventually, say};
use crate::support::watched::{QUICK, Watched, token};
use crate::support::workloads::{create, workload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The controller's calls, by verb and resource.
fn calls(log: &Path, namespace: &str) -> BTreeMap<String, usize> {
    let account = format!("system:serviceaccount:{namespace}:auth-argocd-auth-webhook-controller");
    let text = fs::read_to_string(log).unwrap();
    let ours = text.lines().filter(|line| line.contains(&account));
    let mut calls = BTreeMap::new();
    for event in ours.filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let object = &event["objectRef"];
        let subresource = object["subresource"].as_str().map(|name| format!("/{name}")).unwrap_or_default();
        let call =
            format!("{} {}{subresource}", event["verb"].as_str().unwrap(), object["resource"].as_str().unwrap_or("-"));
        *calls.entry(call).or_insert(0) += 1;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_missed_pods_come_in_step_with_a_bounded_number_of_calls() {
    let scene =
        Watched::new("hundred", &token(&format!("webhook: {{failurePolicy: Ignore, replicas: 1}}\n{QUICK}"))).await;
    scene.scale_webhook(0).await;
    let mut many = workload("app-proxy", 100);
    // They wait for a node, as in a cluster that is full: a hundred processes say nothing more.
    many["spec"]["template"]["spec"]["schedulerName"] = json!("none");
    create(scene.cluster(), scene.namespace(), &many).await;
    eventually("a hundred pods are missed", async || {
        let status = scene.status().await?;
        if status["counts"]["missed"] == 100 { Ok(()) } else { Err(status["counts"].to_string()) }
    })
    .await;
    let log = audit_log();
    let before = log.as_ref().map(|log| calls(log, scene.namespace())).unwrap_or_default();
    scene.scale_webhook(1).await;
    let begun = scene.timeline.elapsed();
    eventually("a hundred pods carry what the settings say", async || {
        let counts = scene.status().await?["counts"].clone();
        // No node takes them.
        if counts == json!({ "not_ready": 100 }) { Ok(()) } else { Err(counts.to_string()) }
    })
    .await;
    let took = scene.timeline.elapsed() - begun;
    // The status may be ahead of what the test's own watch has seen.
    eventually("the watch has seen them all", async || match scene.timeline.count("cap-app-proxy") {
        seen if seen < 200 => Err(seen.to_string()),
        _ => Ok(()),
    })
    .await;
    assert_eq!(scene.timeline.count("cap-app-proxy"), 200, "each pod is replaced once");
    say(&format!("a hundred pods missed at once: in step after {took:.1} s"));
    let Some(log) = log else {
        say("NOT RUN: the count of the controller's calls: the audit log can't be read from here");
        return;
    };
    let after = calls(&log, scene.namespace());
    let made: BTreeMap<&String, usize> = after
        .iter()
        .map(|(call, count)| (call, count - before.get(call).unwrap_or(&0)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let all: usize = made.values().sum();
    let rate = f64::from(u32::try_from(all).unwrap()) / took;
    say(&format!("the controller's calls meanwhile: {all} in all, {rate:.1} a second: {made:?}"));
    assert!(all < 700, "{all}");
    assert!(rate < 50.0, "{rate}");
}
