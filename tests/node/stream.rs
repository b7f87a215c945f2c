//! A steady stream of creations, as dry runs: each passes the webhook, and nothing is left behind.

use crate::support::cluster::{Cluster, Failure, eventually, pods_path, say};
use crate::support::release::is_injected;
use crate::support::runtime::app_proxy;
use hyper::Method;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const TASKS: usize = 4;
/// Each planned change has to be survived by so many.
pub const ENOUGH: usize = 5_000;

/// What happened to the creations.
#[derive(Default)]
pub struct Tally {
    pub created: usize,
    /// Created, and not injected.
    pub bare: usize,
    pub refused: Vec<Refusal>,
    /// The longest time in which none succeeded, and when the last one did.
    pub longest: Duration,
    last: Option<Instant>,
}

pub struct Refusal {
    asked: Instant,
    told: Instant,
    pub message: String,
    /// Whether the API server answered at all.
    pub answered: bool,
}

pub struct Stream {
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
    begun: Instant,
}

impl Stream {
    pub fn start(cluster: &Cluster, namespace: &str) -> Self {
        let (tally, stop) = (Arc::new(Mutex::new(Tally::default())), Arc::new(AtomicBool::new(false)));
        let path = format!("{}?dryRun=All", pods_path(namespace));
        let task = |_| {
            let (cluster, path) = (cluster.clone(), path.clone());
            let (tally, stop) = (Arc::clone(&tally), Arc::clone(&stop));
            tokio::spawn(async move {
                let pod = app_proxy("stream");
                while !stop.load(Ordering::Relaxed) {
                    let asked = Instant::now();
                    let result = cluster.attempt(Method::POST, &path, "application/json", Some(&pod)).await;
                    let away = matches!(result, Err(Failure::NoAnswer(_)));
                    tally.lock().unwrap().count(asked, result);
                    if away {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        };
        let tasks = (0..TASKS).map(task).collect();
        Self { tally, stop, tasks, begun: Instant::now() }
    }

    /// Waits until it has created so many.
    pub async fn reaches(&self, number: usize) {
        // By far the longest wait; the machine may be slow.
        for _ in 0..10 {
            let before = self.tally.lock().unwrap().created;
            if before >= number {
                return;
            }
            eventually("pods are created", async || {
                let now = self.tally.lock().unwrap().created;
                if now >= number || now >= before + number / 10 { Ok(()) } else { Err(format!("{now} of {number}")) }
            })
            .await;
        }
    }

    /// Waits until so many more were created: what went before is over.
    pub async fn goes_on(&self, more: usize) {
        let target = self.tally.lock().unwrap().created + more;
        eventually("pods are created again", async || {
            let tally = self.tally.lock().unwrap();
            let last = tally.refused.last().map(|refusal| refusal.message.clone());
            if tally.created >= target { Ok(()) } else { Err(format!("{} of {target}; {last:?}", tally.created)) }
        })
        .await;
    }

    pub async fn end(self) -> (Tally, Duration) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let took = self.begun.elapsed();
        (Arc::into_inner(self.tally).unwrap().into_inner().unwrap(), took)
    }

    /// Ends it after a planned change, of which nobody may have noticed anything.
    pub async fn unharmed(self, what: &str) {
        self.reaches(ENOUGH).await;
        let (tally, took) = self.end().await;
        let first = tally.refused.first().map(|refusal| &refusal.message);
        say(&format!(
            "{what}: {} of {} creations failed, in {:.1} s",
            tally.refused.len(),
            tally.created + tally.refused.len(),
            took.as_secs_f64()
        ));
        assert_eq!((tally.refused.len(), tally.bare), (0, 0), "{what}: {first:?}");
        assert!(tally.created >= ENOUGH, "{what}: {} creations", tally.created);
    }
}

impl Tally {
    fn count(&mut self, asked: Instant, result: Result<serde_json::Value, Failure>) {
        let told = Instant::now();
        match result {
            Ok(pod) => {
                self.created += 1;
                self.bare += usize::from(!is_injected(&pod));
                let since = self.last.replace(told).map_or(Duration::ZERO, |last| told - last);
                self.longest = self.longest.max(since);
            }
            Err(Failure::Refused(message)) => self.refused.push(Refusal { asked, told, message, answered: true }),
            Err(Failure::NoAnswer(message)) => self.refused.push(Refusal { asked, told, message, answered: false }),
        }
    }

    /// From when the first of the refused was asked for to when the last was told.
    pub fn window(&self) -> Duration {
        match (self.refused.first(), self.refused.last()) {
            (Some(first), Some(last)) => last.told - first.asked,
            _ => Duration::ZERO,
        }
    }
}
