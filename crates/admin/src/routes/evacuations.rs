//! `/v1/evacuations…`: where they stand, and their proof.

use axum::extract::{Path, State};

use crate::api;
use crate::app::App;
use crate::body::At;
use crate::convert;
use crate::picture::Picture;
use crate::problem::{Code, Refused};

/// Running and recent evacuations, the latest first.
#[utoipa::path(get, path = "/v1/evacuations", tag = "evacuations",
    responses((status = 200, body = api::EvacuationList)))]
pub(super) async fn list(State(app): State<App>) -> At<api::EvacuationList> {
    let picture = Picture::take(&app);
    let list = api::EvacuationList {
        revision: picture.state.revision.0,
        evacuations: picture.evacuations(|_| true),
    };
    At(picture.state.revision, list)
}

/// One evacuation.
#[utoipa::path(get, path = "/v1/evacuations/{id}", tag = "evacuations",
    params(("id" = String, Path)), responses((status = 200, body = api::Evacuation)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<At<api::Evacuation>, Refused> {
    let picture = Picture::take(&app);
    Ok(At(picture.state.revision, find(&picture, &id)?))
}

fn find(picture: &Picture<'_>, id: &str) -> Result<api::Evacuation, Refused> {
    let found = picture.state.evacuations.get(id);
    found
        .map(|evacuation| convert::evacuation(evacuation, picture.state.revision))
        .ok_or_else(|| Refused::new(Code::NotFound, format!("there is no evacuation `{id}`")))
}

/// The proof document: who, why, what moved, and what client-side probes saw.
#[utoipa::path(get, path = "/v1/evacuations/{id}/evidence", tag = "evacuations",
    params(("id" = String, Path)), responses((status = 200, body = api::Evidence)))]
pub(super) async fn evidence(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<At<api::Evidence>, Refused> {
    let picture = Picture::take(&app);
    let evacuation = find(&picture, &id)?;
    if evacuation.proof.is_none() {
        let detail = format!("evacuation `{id}` has no proof yet; it is still on its way");
        return Err(Refused::new(Code::NotFound, detail));
    }
    let evidence = api::Evidence {
        at: convert::time(picture.now),
        made_by: format!("bascule {}", app.version),
        shifts: picture.shifts(|shift| evacuation.shifts.contains(&shift.id)),
        evacuation,
    };
    Ok(At(picture.state.revision, evidence))
}
