//! `/live`, `/ready` and `/metrics` over plain HTTP, for those who watch the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;

/// The three paths. `ready` says whether new calls are taken.
pub fn router(metrics: PrometheusHandle, ready: Arc<AtomicBool>) -> Router {
    let readiness = move || async move {
        if ready.load(Ordering::Relaxed) {
            (StatusCode::OK, "ready\n")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not taking calls\n")
        }
    };
    let exposition = move || async move {
        let text = [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )];
        (text, metrics.render())
    };
    Router::new()
        .route("/live", get(|| async { "alive\n" }))
        .route("/ready", get(readiness))
        .route("/metrics", get(exposition))
}
