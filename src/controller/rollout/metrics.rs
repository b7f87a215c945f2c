//! The metrics of the rollout.

use crate::drift::{Drift, PodVerdict};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::time::Duration;

type Label = [(&'static str, &'static str); 1];

/// Upper bounds of the buckets for the time until a workload is in step, in seconds: a pod takes a few, a
/// large workload minutes, and whatever waits for a person longer.
const EDGES: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0, 3600.0];

/// The label for a pod that hadn't drifted, but kept a restart from progressing.
const STUCK: &str = "stuck";

/// Metrics of the rollout. Label values come from code only.
#[derive(Debug)]
pub struct PodMetrics {
    pods: Family<Label, Gauge>,
    restarts: Family<Label, Counter>,
    in_step: Histogram,
    waiting: Gauge,
}

impl PodMetrics {
    /// Creates the metrics and registers them.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            pods: Family::default(),
            restarts: Family::default(),
            in_step: Histogram::new(EDGES),
            waiting: Gauge::default(),
        };
        for verdict in PodVerdict::NAMES {
            drop(metrics.pods.get_or_create(&[("verdict", verdict)]));
        }
        for reason in Drift::ALL.map(Drift::as_str).into_iter().chain([STUCK]) {
            drop(metrics.restarts.get_or_create(&[("reason", reason)]));
        }
        registry.register("pods", "Pods of the services, by verdict", metrics.pods.clone());
        let restarts = "Pods that were taken away, and workloads that were restarted for stale ones";
        registry.register("restarts", restarts, metrics.restarts.clone());
        let in_step = "From when a pod of a workload was seen to be out of step to when none was";
        registry.register("time_to_in_step_seconds", in_step, metrics.in_step.clone());
        let waiting = "Workloads whose pods can't be replaced now and should be looked at";
        registry.register("workloads_waiting", waiting, metrics.waiting.clone());
        metrics
    }

    /// Sets how many pods have each verdict.
    pub(super) fn pods(&self, counts: &BTreeMap<&'static str, usize>) {
        for verdict in PodVerdict::NAMES {
            let count = counts.get(verdict).copied().unwrap_or(0);
            self.pods.get_or_create(&[("verdict", verdict)]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// Counts an eviction, deletion or restart, by the drift that caused it.
    pub(super) fn restarted(&self, drift: Option<Drift>) {
        self.restarts.get_or_create(&[("reason", drift.map_or(STUCK, Drift::as_str))]).inc();
    }

    /// Records how long a workload had drifted pods.
    pub(super) fn in_step(&self, after: Duration) {
        self.in_step.observe(after.as_secs_f64());
    }

    /// Sets how many workloads wait for something that a person should look at.
    pub(super) fn waiting(&self, workloads: usize) {
        self.waiting.set(i64::try_from(workloads).unwrap_or(i64::MAX));
    }
}
