//! `/v1/status` and `/v1/whoami`.

use axum::Json;
use axum::extract::State;
use bascule_model::Revision;

use crate::access::Identity;
use crate::api;
use crate::app::App;
use crate::body::At;
use crate::picture::Picture;

/// Everything a person looks at first.
#[utoipa::path(get, path = "/v1/status", tag = "status", responses((status = 200, body = api::Status)))]
pub(super) async fn status(State(app): State<App>) -> At<api::Status> {
    let status = Picture::take(&app).status();
    At(Revision(status.revision), status)
}

/// Who is asking, and what they may do.
#[utoipa::path(get, path = "/v1/whoami", tag = "status", responses((status = 200, body = api::WhoAmI)))]
pub(super) async fn whoami(identity: Identity) -> Json<api::WhoAmI> {
    Json(identity.wire())
}
