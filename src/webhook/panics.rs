//! A panic costs one request, not the process.

use super::refusal::Refusal;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// Turns a panic in any of the router's handlers into a 500, and counts panics and responses.
pub fn contain(router: Router, metrics: Arc<Metrics>) -> Router {
    router.layer(from_fn_with_state(metrics, run))
}

async fn run(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let mut handling = pin!(next.run(request));
    let answered = poll_fn(|context| {
        // Safe to go on after it: a handler that panicked is never polled again, and what it shares
        // with others are atomic numbers.
        match catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(context))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        }
    });
    let response = answered.await.unwrap_or_else(|| {
        metrics.panics.inc();
        Refusal::Failed.into_response()
    });
    metrics.count_response(response.status().as_u16());
    response
}
