//! Contains panics: each costs one request, not the process.

use super::refusal::Refusal;
use crate::telemetry::metrics::Metrics;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use tower_http::catch_panic::CatchPanicLayer;

/// Answers a panic in any of the router's handlers with status 500; counts panics and responses.
pub fn contain(router: Router, metrics: Arc<Metrics>) -> Router {
    let counted = Arc::clone(&metrics);
    let failed = move |_: Box<dyn Any + Send>| {
        counted.panics.inc();
        Refusal::Failed.into_response()
    };
    router.layer(CatchPanicLayer::custom(failed)).layer(from_fn_with_state(metrics, count))
}

async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    metrics.count_response(response.status().as_u16());
    response
}
