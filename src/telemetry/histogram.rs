//! A histogram without a lock.

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets in microseconds: 50 µs to 1 s. The API server's own histogram starts at 5 ms,
/// where a webhook that answers within 1 ms shows nothing.
const EDGES: [u32; 14] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000];

/// A histogram of durations; clones share it. prometheus-client's own takes a mutex for each observation,
/// which every review would have to pass.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Cells>);

#[derive(Debug, Default)]
struct Cells {
    /// Observations up to each bound and above the one before: not cumulative.
    buckets: [AtomicU64; EDGES.len()],
    /// Observations above the last bound.
    beyond: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Histogram {
    /// Records one duration.
    pub fn observe(&self, duration: Duration) {
        let fits = |edge: &u32| duration <= Duration::from_micros(u64::from(*edge));
        let place = EDGES.iter().position(fits).and_then(|place| self.0.buckets.get(place));
        place.unwrap_or(&self.0.beyond).fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.0.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), std::fmt::Error> {
        let edges = EDGES.iter().map(|&edge| f64::from(edge) / 1e6);
        let mut buckets: Vec<(f64, u64)> =
            edges.zip(&self.0.buckets).map(|(edge, count)| (edge, count.load(Ordering::Relaxed))).collect();
        buckets.push((f64::INFINITY, self.0.beyond.load(Ordering::Relaxed)));
        // Summed from the values just read, so that count and buckets agree while other threads go on
        // counting.
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = Duration::from_nanos(self.0.nanoseconds.load(Ordering::Relaxed)).as_secs_f64();
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::registry::Registry;

    #[test]
    fn a_duration_is_counted_in_its_bucket_and_in_every_wider_one() {
        let histogram = Histogram::default();
        for microseconds in [50, 51, 2_000_000] {
            histogram.observe(Duration::from_micros(microseconds));
        }
        let mut registry = Registry::default();
        registry.register("t", "T", histogram);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "t_sum 2.000101",
            "t_count 3",
            "t_bucket{le=\"0.00005\"} 1",
            "t_bucket{le=\"0.0001\"} 2",
            "t_bucket{le=\"1.0\"} 2",
            "t_bucket{le=\"+Inf\"} 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
