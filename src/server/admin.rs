//! The admin listener: health and metrics, in plain HTTP for kubelet and Prometheus.

use super::bounds::Bounds;
use super::health::Health;
use super::listener::{self, BindError, Listener, MAX_ACCEPT_SILENCE};
use super::progress::Loops;
use crate::telemetry::metrics::{CONTENT_TYPE as OPEN_METRICS, ConnectionMetrics};
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// An admin listener of its own, for a process that serves nothing else.
pub struct AdminServer {
    listener: Listener,
    address: SocketAddr,
}

impl AdminServer {
    /// Binds the address. `ready` gives the text of `/readyz`, or why the process isn't ready; `metrics`
    /// gives that of `/metrics`; `/livez` fails once one of `loops` has stalled.
    ///
    /// # Errors
    /// The address can't be bound.
    pub async fn bind(
        address: SocketAddr,
        ready: impl Fn() -> Result<String, String> + Send + Sync + 'static,
        metrics: impl Fn() -> Result<String, fmt::Error> + Send + Sync + 'static,
        loops: Loops,
    ) -> Result<Self, BindError> {
        let (socket, address) = listener::bind(address).await?;
        let health = Health::of(ready);
        health.serving();
        let listener = Listener {
            socket,
            tls: None,
            progress: loops.register("admin listener", MAX_ACCEPT_SILENCE),
            router: router(Arc::clone(&health), metrics, loops),
            bounds: Arc::new(Bounds::admin()),
            health,
            metrics: ConnectionMetrics::default(),
            address,
        };
        Ok(Self { listener, address })
    }

    /// The bound address. If port 0 was asked for, the port is the one that the system chose.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future is dropped.
    pub async fn run(self) {
        let (_open, never) = watch::channel(false);
        self.listener.run(never).await;
    }
}

pub(crate) fn router(
    health: Arc<Health>,
    metrics: impl Fn() -> Result<String, fmt::Error> + Send + Sync + 'static,
    loops: Loops,
) -> Router {
    let metrics = Arc::new(metrics);
    Router::new()
        .route("/livez", get(async move || live(&loops)))
        .route("/readyz", get(async move || ready(&health)))
        .route("/metrics", get(async move || text(metrics())))
}

fn live(loops: &Loops) -> impl IntoResponse + use<> {
    let stalled = loops.stalled();
    if stalled.is_empty() {
        (StatusCode::OK, "ok\n".to_owned())
    } else {
        tracing::error!(stalled = stalled.join("; "), "not alive");
        (StatusCode::SERVICE_UNAVAILABLE, format!("stalled: {}\n", stalled.join("\nstalled: ")))
    }
}

fn ready(health: &Health) -> impl IntoResponse + use<> {
    match health.readiness() {
        Ok(text) => (StatusCode::OK, format!("{text}\n")),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

fn text(text: Result<String, fmt::Error>) -> impl IntoResponse {
    let text = text.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR);
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
