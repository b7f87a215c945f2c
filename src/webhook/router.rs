//! The routes of the webhook, of which there is one: `POST /mutate`, a review in and a review out.

use super::body::{self, Answered, Budget};
use super::panics;
use super::refusal::Refusal;
use crate::core::Injector;
use crate::core::review::{Answer, Review, Shown};
use crate::server::{Bounds, Useful};
use crate::telemetry::logs::shown;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

struct Webhook {
    injector: Injector,
    metrics: Arc<Metrics>,
    bounds: Bounds,
    budget: Arc<Budget>,
    /// One permit for large bodies: parsing them takes memory and time.
    large: Semaphore,
}

/// The router of the webhook's listener. `metrics` must have been made for the injector's services, in their
/// order.
pub fn router(injector: Injector, metrics: Arc<Metrics>, bounds: Bounds) -> Router {
    let budget = Budget::new(bounds.max_body_memory);
    let webhook = Webhook { injector, metrics: Arc::clone(&metrics), bounds, budget, large: Semaphore::new(1) };
    let router = Router::new()
        .route("/mutate", post(mutate).fallback(wrong_method))
        .fallback(unknown_path)
        .with_state(Arc::new(webhook));
    panics::contain(router, metrics)
}

async fn wrong_method(request: Request) -> Refusal {
    Refusal::WrongMethod(Shown::new(Some(request.method().as_str())))
}

async fn unknown_path(request: Request) -> Refusal {
    Refusal::UnknownPath(Shown::new(Some(request.uri().path())))
}

async fn mutate(State(webhook): State<Arc<Webhook>>, request: Request) -> Result<Response, Refusal> {
    let started = Instant::now();
    let Webhook { injector, metrics, bounds, budget, large } = &*webhook;
    let _in_flight = InFlight::new(&metrics.in_flight);
    expect_json(request.headers())?;
    let receiving = body::receive(request.into_body(), bounds.max_body, budget);
    let late = |_| Refusal::Late(bounds.answer_timeout);
    let body = tokio::time::timeout(bounds.answer_timeout, receiving).await.map_err(late)??;
    metrics.request_bytes.inc_by(body.len() as u64);

    let _alone = if body.len() > body::MAX_SMALL_BODY { large.acquire().await.ok() } else { None };
    // Decided on this thread: it takes microseconds, less than a hand-over.
    let review = Review::parse(&body)?;
    let decision = review.decide(injector);
    let patch = decision.patch.as_ref().map(|patch| STANDARD.encode(patch));
    let answer = serde_json::to_vec(&Answer::new(review.uid(), &decision, patch)).map_err(|_| Refusal::Failed)?;

    let duration = started.elapsed();
    metrics.response_bytes.inc_by(answer.len() as u64);
    metrics.count_review(decision.service.map(|(place, _)| place), decision.outcome);
    metrics.review_duration.observe(duration);
    tracing::info!(
        uid = &*shown(review.uid()),
        namespace = &*shown(review.namespace().unwrap_or_default()),
        name = &*shown(review.name().unwrap_or_default()),
        service = decision.service.map_or("none", |(_, service)| service.name.as_str()),
        outcome = decision.outcome.as_str(),
        duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
        "reviewed"
    );
    drop(decision);
    let mut share = body.into_share();
    share.keep(answer.len())?;
    let answer = Bytes::from_owner(Answered { bytes: answer, share });
    let mut response = ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer).into_response();
    response.extensions_mut().insert(Useful);
    Ok(response)
}

/// Checks the media type. Its parameters, such as a charset, mean nothing for JSON.
fn expect_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let came = headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media_type = came.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Refusal::WrongType(Shown::new(came.as_deref())))
    }
}

/// Counts a review as in flight until dropped, even if the connection breaks or the handler panics.
struct InFlight<'m>(&'m Gauge);

impl<'m> InFlight<'m> {
    fn new(gauge: &'m Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
