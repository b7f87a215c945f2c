//! The controller is killed at every step, and runs beside another one.

use super::account::id_of;
use super::controller;
use super::runtime::{PASSWORD_MODE, Runtime};
use crate::support::cluster::{eventually, say};
use crate::support::process::Process;
use crate::support::proxy::{Fate, Proxy};
use hyper::{Method, Uri};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Waits are over soon, and nothing is retired while a test looks.
const TIMES: &str = "credentials: {followAfter: 1h, checkInterval: 1s, loginWait: 2s}\n";

/// A write that is a step of the loop. Leases, the status and Events come whenever they like.
fn is_step(method: &Method, uri: &Uri) -> bool {
    let path = uri.path();
    *method != Method::GET && !["/leases/", "/events", "/configmaps/"].iter().any(|other| path.contains(other))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_is_killed_at_any_step_leaves_at_most_one_unused_key() {
    let scene = Runtime::new("killed").await;
    let session = scene.argocd.session().await;
    scene.argocd.make(&session, "somebody-elses", 0);
    let (api, argocd) = (Proxy::before_cluster(&scene.cluster).await, Proxy::before(scene.argocd.port).await);
    let kubeconfig = api.kubeconfig(&scene.output);
    let config = scene.config(&format!("argocd: {{url: \"{}\"}}\n{PASSWORD_MODE}{TIMES}", argocd.url()));
    let mut steps = Vec::new();
    for (gone, unanswered) in [(true, false), (true, true), (false, true)] {
        for at in 0.. {
            if gone {
                // The longest way: nothing of ours is there but what Argo CD lists.
                for name in ["argocd-token", "hook-state"] {
                    let _ = scene.cluster.delete(&scene.path("secret", name)).await;
                }
            } else if let Some(key) = scene.stored().await {
                scene.argocd.revoke(&session, &id_of(&key));
                // Or the next key would be waited with, as where something takes keys away.
                scene.ask(&format!("{unanswered} {at}")).await;
            }
            let before = scene.argocd.ours(&session);
            let count = Arc::new(AtomicUsize::new(0));
            let stopped: Arc<Mutex<Option<String>>> = Arc::default();
            for proxy in [&api, &argocd] {
                let (count, stopped) = (Arc::clone(&count), Arc::clone(&stopped));
                proxy.rule(move |method, uri| {
                    if !is_step(method, uri) {
                        return Fate::Pass;
                    }
                    let step = count.fetch_add(1, Ordering::SeqCst);
                    if step < at {
                        return Fate::Pass;
                    }
                    if step == at {
                        *stopped.lock().unwrap() = Some(format!("{method} {}", uri.path()));
                    }
                    if unanswered && step == at { Fate::Unanswered } else { Fate::Lost }
                });
            }
            let mut controller = controller::start(&kubeconfig, &scene.output, scene.namespace(), &config).await;
            let reached = eventually("it gets there or is done", async || {
                if let Some(step) = stopped.lock().unwrap().clone() {
                    return Ok(Some(step));
                }
                match scene.stored().await {
                    Some(key)
                        if scene.argocd.accepts(&key)
                            && controller.metric("argocd_auth_webhook_credential_valid") == 1 =>
                    {
                        Ok(None)
                    }
                    _ => Err(format!("{} steps", count.load(Ordering::SeqCst))),
                }
            })
            .await;
            controller.kill();
            scene.free_lease().await;
            let Some(step) = reached else { break };
            for proxy in [&api, &argocd] {
                proxy.rule(|_, _| Fate::Pass);
            }
            let mut controller = controller::start(&kubeconfig, &scene.output, scene.namespace(), &config).await;
            eventually("the next one brings it to its end", async || {
                let key = scene.stored().await.ok_or("nothing is stored")?;
                let valid = controller.metric("argocd_auth_webhook_credential_valid") == 1;
                if scene.argocd.accepts(&key) && valid {
                    Ok(())
                } else {
                    Err(format!("{step}: {}", controller.printed()))
                }
            })
            .await;
            let made: Vec<String> = scene.argocd.ours(&session).into_iter().filter(|id| !before.contains(id)).collect();
            assert!(made.len() <= 2, "killed at {step}: {made:?}");
            assert!(scene.argocd.ours(&session).len() <= 3);
            let how = if unanswered { "after" } else { "before" };
            let why = if gone { "nothing there" } else { "key revoked" };
            steps.push(format!("{how} {step} ({why}): {} unused", made.len() - 1));
            controller.kill();
            scene.free_lease().await;
        }
    }
    for step in &steps {
        let namespace = scene.namespace();
        say(&format!("killed {}", step.replace(namespace, "NAMESPACE")));
    }
    assert!(steps.len() >= 20, "{steps:?}");
    assert!(scene.argocd.keys(&session).iter().any(|key| key.id == "somebody-elses"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_controllers_one_makes_a_key() {
    let scene = Runtime::new("two").await;
    let session = scene.argocd.session().await;
    let first = scene.controller(PASSWORD_MODE).await;
    let second = scene.controller(PASSWORD_MODE).await;
    let key = scene.works().await;
    scene.is("valid").await;
    assert_eq!(scene.argocd.ours(&session), [id_of(&key)]);
    let made = |controller: &Process| {
        controller.metric("argocd_auth_webhook_credential_regenerations_total{reason=\"absent\"}")
    };
    let (mut kept, other) = if made(&first) == 1 { (first, second) } else { (second, first) };
    assert_eq!((made(&kept), made(&other)), (1, 0));
    kept.kill();
    scene.free_lease().await;
    scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap();
    scene.replaced(&key).await;
    eventually("the other one goes on", async || if made(&other) == 1 { Ok(()) } else { Err(String::new()) }).await;
    assert_eq!(scene.argocd.ours(&session).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_proxy_may_write_the_same_secret() {
    let scene = Runtime::new("app-proxy").await;
    let session = scene.argocd.session().await;
    let argocd = Proxy::before(scene.argocd.port).await;
    // While our key is being made, somebody else writes theirs.
    let written = Arc::new(AtomicUsize::new(0));
    let (key, wrote) = (scene.argocd.make(&session, "app-proxy-made-it", 0), Arc::clone(&written));
    let (cluster, path) = (scene.cluster.clone(), scene.path("secret", "argocd-token"));
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "argocd-token" },
        "data": { "token": super::server::encoded(&key) },
    });
    argocd.rule(move |method, uri| {
        if *method == Method::POST && uri.path().ends_with("/token") && wrote.fetch_add(1, Ordering::SeqCst) == 0 {
            let (cluster, path, secret): (_, String, Value) = (cluster.clone(), path.clone(), secret.clone());
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async { cluster.apply(&path, &secret).await.unwrap() })
            });
        }
        Fate::Pass
    });
    let _controller = scene.controller_at(&argocd.url(), &format!("{PASSWORD_MODE}{TIMES}")).await;
    scene.is("valid").await;
    assert_eq!(written.load(Ordering::SeqCst), 1, "one key was made");
    assert_eq!(scene.stored().await.unwrap(), key, "theirs is as good");
    eventually("ours, which nobody had, is deleted", async || match scene.argocd.ours(&session) {
        none if none.is_empty() => Ok(()),
        some => Err(format!("{some:?}")),
    })
    .await;
    assert_eq!(scene.argocd.keys(&session).len(), 1);
}
