//! The paths, and the OpenAPI document that is made from the same list. Every path goes through [`rim`](crate::rim).

mod config;
mod edge;
mod evacuations;
mod events;
mod explain;
mod history;
mod page;
mod probes;
mod providers;
mod services;
mod shifts;
mod status;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::Uri;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::body::BODY_BYTES_MAX;
use crate::problem::{Code, Refused};
use crate::rim::rim;

/// Everything: the API, the probes, the metrics and the page.
pub(crate) fn all(app: &App) -> Router {
    let (router, document) = api().split_for_parts();
    let document = std::sync::Arc::new(crate::openapi::complete(document));
    router
        .route(
            "/v1/openapi.json",
            get(move || async move { axum::Json(document.as_ref().clone()) }),
        )
        .merge(probes::routes())
        .merge(page::routes())
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(app.clone(), rim))
        .with_state(app.clone())
}

/// What the metrics listener serves: it is meant for machines that are known by network alone, so it has nothing else.
pub(crate) fn metrics_only(app: &App) -> Router {
    probes::routes().fallback(no_route).with_state(app.clone())
}

/// The OpenAPI document of the API.
#[must_use]
pub fn openapi() -> OpenApi {
    crate::openapi::complete(api().split_for_parts().1)
}

fn api() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(status::status))
        .routes(routes!(status::whoami))
        .routes(routes!(edge::one, edge::patch))
        .routes(routes!(services::list))
        .routes(routes!(services::one))
        .routes(routes!(services::weights, services::put_weights))
        .routes(routes!(services::overrides, services::delete_overrides))
        .routes(routes!(services::backend, services::patch_backend))
        .routes(routes!(services::endpoint, services::patch_endpoint))
        .routes(routes!(services::explain))
        .routes(routes!(explain::request))
        .routes(routes!(providers::list))
        .routes(routes!(providers::one, providers::patch))
        .routes(routes!(providers::evacuate))
        .routes(routes!(providers::restore))
        .routes(routes!(evacuations::list))
        .routes(routes!(evacuations::one))
        .routes(routes!(evacuations::evidence))
        .routes(routes!(shifts::list, shifts::start))
        .routes(routes!(shifts::one))
        .routes(routes!(shifts::pause))
        .routes(routes!(shifts::resume))
        .routes(routes!(shifts::abort))
        .routes(routes!(history::list))
        .routes(routes!(history::one))
        .routes(routes!(history::restore))
        .routes(routes!(config::running, config::replace))
        .routes(routes!(config::validate))
        .routes(routes!(config::schema))
        .routes(routes!(events::events))
}

async fn no_route(uri: Uri) -> Refused {
    let detail = format!("there is no {}; see /v1/openapi.json", uri.path());
    Refused::new(Code::NoRoute, detail)
}

async fn no_method(State(_): State<App>, uri: Uri) -> Refused {
    let detail = format!("{} does not take this method", uri.path());
    Refused::new(Code::NoMethod, detail)
}
