//! The webhook's metrics, exposed in `OpenMetrics` text format.

use super::histogram::Histogram;
use crate::core::Outcome;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The status codes with a series of their own. Any other is counted as `other`, so that clients can't create
/// series.
const CODES: [u16; 10] = [200, 400, 404, 405, 408, 413, 415, 431, 500, 503];

type Labels<const N: usize> = Vec<[(&'static str, String); N]>;

/// Exposes the number of dropped log lines, read at each scrape.
#[derive(Debug)]
pub(crate) struct LinesLeftOut;

impl Collector for LinesLeftOut {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counter = ConstCounter::new(super::logs::left_out());
        let help = "Log lines that were left out because standard error took no more";
        counter.encode(encoder.encode_descriptor("log_lines_left_out", help, None, counter.metric_type())?)
    }
}

/// All metrics of the webhook. Label values come from settings and code, never from a request.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Indexed by service, then by outcome; the last row counts reviews of no service. Created up front,
    /// because a lookup in a family takes a lock.
    reviews: Vec<Vec<Counter>>,
    responses: Vec<(u16, Counter)>,
    other_responses: Counter,
    /// Time from a request's head to its answer, which is what the API server waits for.
    pub review_duration: Histogram,
    /// Bytes of the review bodies that were read completely.
    pub request_bytes: Counter,
    /// Bytes of the bodies that answered reviews.
    pub response_bytes: Counter,
    /// Reviews being received or answered now.
    pub in_flight: Gauge,
    /// Panics in handlers, each answered with status 500.
    pub panics: Counter,
    /// Metrics of the webhook's listener.
    pub connections: ConnectionMetrics,
    /// Metrics of the serving certificate.
    pub certificate: CertificateMetrics,
}

/// Metrics of a listener's connections. The default is in no registry, so nobody sees it.
#[derive(Clone, Debug, Default)]
pub struct ConnectionMetrics {
    /// Connections open now.
    pub open: Gauge,
    /// Connections accepted since the start.
    pub accepted: Counter,
    /// TLS handshakes that failed or exceeded their time limit.
    pub handshake_failures: Counter,
    /// Connections closed to make room for others.
    pub displaced: Counter,
    /// Responses to input that couldn't be parsed as a request, by status code.
    unread: Vec<(u16, Counter)>,
}

impl ConnectionMetrics {
    /// Counts a response that hyper made, before any handler.
    pub fn count_unread(&self, code: u16) {
        if let Some((_, counter)) = self.unread.iter().find(|(known, _)| *known == code) {
            counter.inc();
        }
    }
}

/// Metrics of the serving certificate. The default is in no registry, so nobody sees it.
#[derive(Clone, Debug, Default)]
pub struct CertificateMetrics {
    /// `notAfter` of the served certificate, in seconds since 1970; 0 while there is none.
    pub expiry: Gauge,
    /// 1 for the fingerprint of the served certificate; no other series exists.
    served: Family<[(&'static str, String); 1], Gauge>,
    /// Certificates that were loaded and are served since.
    pub loaded: Counter,
    /// Certificates that were found and not taken into use.
    pub refused: Counter,
}

impl CertificateMetrics {
    /// Records that the certificate with this fingerprint is served from now on, and no other. `expiry` is in
    /// seconds since 1970.
    pub fn serves(&self, fingerprint: &str, expiry: i64) {
        self.expiry.set(expiry);
        self.served.clear();
        self.served.get_or_create(&[("fingerprint", fingerprint.to_owned())]).set(1);
    }
}

impl Metrics {
    /// Metrics for services with these names, in the order of
    /// [`Injector::services`](crate::core::Injector::services).
    pub fn new<'s>(services: impl IntoIterator<Item = &'s str>) -> Self {
        let mut registry = Registry::with_prefix("argocd_auth_webhook");
        let rows = services.into_iter().chain(["none"]);
        let labels = rows.map(|service| {
            let label = |outcome: &Outcome| [("service", service.to_owned()), ("outcome", outcome.to_string())];
            Outcome::ALL.iter().map(label).collect()
        });
        let family = Family::default();
        let reviews = labels.map(|labels: Labels<2>| counters(&family, labels)).collect();
        registry.register("reviews", "Reviews answered, by service and outcome", family);

        let family = Family::default();
        let labels = CODES.iter().map(u16::to_string).chain(["other".to_owned()]).map(|code| [("code", code)]);
        let mut counted = counters(&family, labels.collect());
        let other_responses = counted.pop().unwrap_or_default();
        let responses: Vec<(u16, Counter)> = CODES.into_iter().zip(counted).collect();
        let connections = ConnectionMetrics { unread: responses.clone(), ..ConnectionMetrics::default() };
        registry.register("http_responses", "Responses of the webhook's listener, by status code", family);

        let family = Family::default();
        let labels = ["loaded", "refused"].map(|result| [("result", result.to_owned())]).to_vec();
        let mut reloads = counters(&family, labels).into_iter();
        let certificate = CertificateMetrics {
            expiry: Gauge::default(),
            served: Family::default(),
            loaded: reloads.next().unwrap_or_default(),
            refused: reloads.next().unwrap_or_default(),
        };
        registry.register("certificate_reloads", "Serving certificates taken or refused", family);
        registry.register(
            "certificate_expiry_timestamp_seconds",
            "When the serving certificate expires, 0 where there is none",
            certificate.expiry.clone(),
        );
        registry.register("certificate_served", "Which serving certificate is served", certificate.served.clone());
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));

        let mut metrics = Self {
            registry,
            reviews,
            responses,
            other_responses,
            review_duration: Histogram::default(),
            request_bytes: Counter::default(),
            response_bytes: Counter::default(),
            in_flight: Gauge::default(),
            panics: Counter::default(),
            connections,
            certificate,
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        let duration = "From a request's head to its answer";
        registry.register("review_duration_seconds", duration, self.review_duration.clone());
        registry.register("request_bytes", "Bytes of the reviews received", self.request_bytes.clone());
        registry.register("response_bytes", "Bytes of the answers to reviews", self.response_bytes.clone());
        registry.register("reviews_in_flight", "Reviews being received or answered", self.in_flight.clone());
        registry.register("panics", "Handlers that panicked", self.panics.clone());
        registry.register_collector(Box::new(LinesLeftOut));
        // The gauge isn't called `connections` too: a name belongs to one family, and the counter has it.
        let ConnectionMetrics { open, accepted, handshake_failures, displaced, unread: _ } = self.connections.clone();
        registry.register("open_connections", "Open connections to the webhook's listener", open);
        registry.register("connections", "Connections that the webhook's listener accepted", accepted);
        registry.register("handshake_failures", "TLS handshakes that failed or took too long", handshake_failures);
        let why = "Connections that were ended because others needed their place";
        registry.register("displaced_connections", why, displaced);
    }

    /// Counts a review. `service` is the index of the pod's service, `None` for a pod of no service.
    pub fn count_review(&self, service: Option<usize>, outcome: Outcome) {
        let row = service.and_then(|place| self.reviews.get(place)).or(self.reviews.last());
        if let Some(counter) = row.and_then(|row| row.get(outcome as usize)) {
            counter.inc();
        }
    }

    /// Counts a response by its HTTP status code.
    pub fn count_response(&self, code: u16) {
        let known = self.responses.iter().find(|(known, _)| *known == code);
        known.map_or(&self.other_responses, |(_, counter)| counter).inc();
    }

    /// All metrics as `OpenMetrics` text.
    ///
    /// # Errors
    /// A metric can't be formatted, which is a bug.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A counter for each of these labels, in the same order.
fn counters<const N: usize>(family: &Family<[(&'static str, String); N], Counter>, labels: Labels<N>) -> Vec<Counter> {
    labels.into_iter().map(|labels| Counter::clone(&family.get_or_create(&labels))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_makes_no_series_of_its_own() {
        let metrics = Metrics::new([]);
        metrics.count_response(418);
        metrics.count_response(200);
        let text = metrics.text().unwrap();
        assert!(text.contains("http_responses_total{code=\"other\"} 1"), "{text}");
        assert!(text.contains("http_responses_total{code=\"200\"} 1"), "{text}");
        assert!(!text.contains("418"), "{text}");
    }
}
