//! A hundred rotations, with a client that uses the Secret's key all the while.

use super::account::id_of;
use super::runtime::{PASSWORD_MODE, Runtime};
use crate::support::cluster::{eventually, say};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

const ROTATIONS: usize = 100;
const TIMES: &str = "credentials: {followAfter: 10m, checkInterval: 1s}\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_rotations_leave_three_keys_and_no_client_is_refused() {
    let scene = Arc::new(Runtime::new("counts").await);
    let session = scene.argocd.session().await;
    for name in ["one", "two", "three"] {
        scene.argocd.make(&session, &format!("somebody-elses-{name}"), 0);
    }
    let _controller = scene.controller(&format!("{PASSWORD_MODE}{TIMES}")).await;
    let mut key = scene.works().await;

    let (used, ended) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let refused = Arc::new(AtomicUsize::new(0));
    let revoked: Arc<Mutex<Vec<String>>> = Arc::default();
    let last: Arc<Mutex<String>> = Arc::default();
    let client = {
        let (scene, used, ended) = (Arc::clone(&scene), Arc::clone(&used), Arc::clone(&ended));
        let (revoked, last, refused) = (Arc::clone(&revoked), Arc::clone(&last), Arc::clone(&refused));
        let held = Arc::new(Mutex::new(key.clone()));
        tokio::spawn(async move {
            let mut beat = interval(Duration::from_millis(50));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut calls = JoinSet::new();
            while !ended.load(Ordering::Relaxed) {
                beat.tick().await;
                let (scene, held, revoked) = (Arc::clone(&scene), Arc::clone(&held), Arc::clone(&revoked));
                let (used, last, refused) = (Arc::clone(&used), Arc::clone(&last), Arc::clone(&refused));
                // A slow answer doesn't hold up the next call.
                calls.spawn(async move {
                    // What is in the Secret now, and while that is nothing, what was there before.
                    let now = scene.stored().await.filter(|key| !key.is_empty());
                    let key = {
                        let mut held = held.lock().unwrap();
                        *held = now.unwrap_or_else(|| held.clone());
                        held.clone()
                    };
                    let (accepted, id) = (scene.argocd.accepts(&key), id_of(&key));
                    assert!(accepted || revoked.lock().unwrap().contains(&id), "a client was refused with {id}");
                    used.fetch_add(1, Ordering::Relaxed);
                    refused.fetch_add(usize::from(!accepted), Ordering::Relaxed);
                    *last.lock().unwrap() = id;
                });
                while let Some(ended) = calls.try_join_next() {
                    ended.unwrap();
                }
            }
            calls.join_all().await;
        })
    };
    let begun = Instant::now();
    let mut most = 0;
    for turn in 0..ROTATIONS {
        match turn % 20 {
            19 => {
                // Refused to everybody from here on, by Argo CD itself.
                revoked.lock().unwrap().push(id_of(&key));
                scene.argocd.revoke(&session, &id_of(&key));
                // Or the next key would be waited with, as where something takes keys away.
                scene.ask(&turn.to_string()).await;
            }
            even if even % 2 == 0 => drop(scene.cluster.delete(&scene.path("secret", "argocd-token")).await.unwrap()),
            _ => scene.store("").await,
        }
        key = scene.replaced(&key).await;
        // A key that no client ever saw in the Secret is none that it could be refused with.
        eventually("the client takes the new key", async || {
            let last = last.lock().unwrap().clone();
            if last == id_of(&key) || client.is_finished() { Ok(()) } else { Err(last) }
        })
        .await;
        most = most.max(scene.argocd.ours(&session).len());
    }
    ended.store(true, Ordering::Relaxed);
    client.await.unwrap();
    let ours = eventually("at most three", async || match scene.argocd.ours(&session) {
        ours if ours.len() <= 3 => Ok(ours),
        ours => Err(format!("{ours:?}")),
    })
    .await;
    assert!(most <= 3, "{most}");
    assert!(ours.contains(&id_of(&key)));
    assert_eq!(scene.argocd.keys(&session).len(), ours.len() + 3, "everybody else's are there");
    let used = used.load(Ordering::Relaxed);
    say(&format!(
        "{ROTATIONS} rotations in {:?}: {} keys of ours are listed, never more than {most}; a client used the Secret's \
         key {used} times ({:.0} a second) and was refused {} times, always with one of the {} that \
         Argo CD had revoked",
        begun.elapsed(),
        ours.len(),
        f64::from(u32::try_from(used).unwrap()) / begun.elapsed().as_secs_f64(),
        refused.load(Ordering::Relaxed),
        revoked.lock().unwrap().len(),
    ));
    assert!(used > 5 * ROTATIONS, "{used}");
}
