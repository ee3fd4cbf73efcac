//! The dashboard: three files in the binary, no build step, nothing from elsewhere. It is a client of `/v1` like any
//! other, and its policy lets it load and speak to nothing else.

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route(
            "/",
            get(|| {
                file(
                    "text/html; charset=utf-8",
                    include_str!("../../ui/index.html"),
                )
            }),
        )
        .route(
            "/ui/app.js",
            get(|| {
                file(
                    "text/javascript; charset=utf-8",
                    include_str!("../../ui/app.js"),
                )
            }),
        )
        .route(
            "/ui/style.css",
            get(|| {
                file(
                    "text/css; charset=utf-8",
                    include_str!("../../ui/style.css"),
                )
            }),
        )
        .route(
            "/ui/icon.svg",
            get(|| file("image/svg+xml", include_str!("../../ui/icon.svg"))),
        )
}

async fn file(media_type: &'static str, text: &'static str) -> Response {
    let mut response = ([(header::CONTENT_TYPE, media_type)], text).into_response();
    let policy = HeaderValue::from_static(POLICY);
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}
