//! The admin listener: health and metrics, in plain HTTP for kubelet and Prometheus.

use super::health::Health;
use crate::telemetry::metrics::{CONTENT_TYPE as OPEN_METRICS, Metrics};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;

pub(crate) fn router(health: Arc<Health>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || ready(&health)))
        .route("/metrics", get(async move || text(&metrics)))
}

fn ready(health: &Health) -> impl IntoResponse + use<> {
    match health.readiness() {
        Ok(text) => (StatusCode::OK, format!("{text}\n")),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

fn text(metrics: &Metrics) -> impl IntoResponse + use<> {
    let text = metrics.text().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
