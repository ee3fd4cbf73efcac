//! `/livez`, `/readyz` and `/metrics`: for machines, without credentials.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::gauges;
use crate::picture::Picture;

/// The type of the Prometheus text format.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
}

/// That this answers is the answer: the control thread turns.
async fn live() -> &'static str {
    "ok\n"
}

async fn ready(State(app): State<App>) -> Response {
    match (app.ports.ready)() {
        Ok(()) => "ok\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

async fn metrics(State(app): State<App>) -> Response {
    gauges::set(&Picture::take(&app));
    (
        [(header::CONTENT_TYPE, PROMETHEUS)],
        app.ports.registry.render(),
    )
        .into_response()
}
