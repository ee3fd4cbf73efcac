//! `/v1/explain/request`: what would become of a request that came now. It changes nothing and spends nothing, so whoever
//! may look may ask.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use bascule_model::EndpointId;

use crate::api;
use crate::app::App;
use crate::body::At;
use crate::explain::request::{self, Door, Seen};
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
    let ejected = |id: &EndpointId| {
        let verdict = picture.report.endpoints.get(id);
        verdict.is_some_and(|verdict| verdict.ejection.is_some())
    };
    let seen = Seen {
        snapshot: &picture.snapshot,
        loads: &picture.loads,
        is_ejected: &ejected,
        sight: &|service, supposed| app.ports.edge.sight(service, supposed),
    };
    let explained = request::explain(&query, &doors, &seen);
    let explained = explained.map_err(|error| Refused::new(Code::BadRequest, error.to_string()))?;
    Ok(At(picture.state.revision, explained))
}
