//! `/v1/explain/request`: what would become of a request that came now. It changes nothing and spends nothing, so whoever
//! may look may ask.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};

use crate::api;
use crate::app::App;
use crate::body::At;
use crate::explain::request::{self, Door};
use crate::picture::Picture;
use crate::problem::{Code, Refused};

/// What would become of a request that came now: route, candidates, pick, further tries.
#[utoipa::path(get, path = "/v1/explain/request", tag = "services", params(api::RequestQuery),
    responses((status = 200, body = api::RequestExplanation)))]
pub(super) async fn request(
    State(app): State<App>,
    query: Result<Query<api::RequestQuery>, QueryRejection>,
) -> Result<At<api::RequestExplanation>, Refused> {
    let Query(query) = query.map_err(|error| Refused::new(Code::BadRequest, error.body_text()))?;
    let picture = Picture::take(&app);
    let listeners = app.ports.edge.listeners();
    let door = |listener: crate::ports::BoundListener| Door {
        name: listener.name,
        port: listener.address.port(),
        tls: listener.tls,
    };
    let doors: Vec<Door> = listeners.into_iter().map(door).collect();
    let explained = request::explain(&query, &doors, &picture.snapshot, &picture.loads);
    let explained = explained.map_err(|error| Refused::new(Code::BadRequest, error.to_string()))?;
    Ok(At(picture.state.revision, explained))
}
