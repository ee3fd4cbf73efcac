//! `/v1/edge`: this edge process, and taking it out of what is in front of it. That is the process's own state: it changes
//! no revision, no other edge, and ends with the process.

use axum::extract::State;

use crate::api;
use crate::app::App;
use crate::body::{At, Body};
use crate::picture::Picture;
use crate::problem::{Code, Refused};
use crate::rim::Mutation;

/// This edge.
#[utoipa::path(get, path = "/v1/edge", tag = "edge", responses((status = 200, body = api::Edge)))]
pub(super) async fn one(State(app): State<App>) -> At<api::Edge> {
    let picture = Picture::take(&app);
    At(picture.state.revision, picture.edge())
}

/// Drains this edge or makes it ready again: `/readyz` says 503, connections are asked to go, and whoever comes is served
/// and asked to go.
#[utoipa::path(patch, path = "/v1/edge", tag = "edge", request_body = api::AdminPatch,
    responses((status = 200, body = api::Change)))]
pub(super) async fn patch(
    State(app): State<App>,
    mutation: Mutation,
    Body(body): Body<api::AdminPatch>,
) -> Result<api::Change, Refused> {
    let rest = match body.admin_state {
        api::AdminState::Ready => false,
        api::AdminState::Drain => true,
        api::AdminState::Maint | api::AdminState::Offline => {
            let detail = "an edge is `ready` or `drain`; to end it, stop the process";
            return Err(Refused::field("/admin_state", detail));
        }
    };
    mutation.reason(body.reason)?;
    let revision = app.revision();
    if let Some(seen) = mutation.if_match.filter(|seen| *seen != revision) {
        let detail = format!("the state is at revision {revision}, not {seen}");
        let mut refused = Refused::new(Code::Stale, detail);
        refused.problem.revision = revision.0;
        return Err(refused);
    }
    if !mutation.dry_run {
        app.ports.edge.rest(rest);
        tracing::info!(
            event = "edge_admin_state",
            state = if rest { "drain" } else { "ready" }
        );
    }
    Ok(api::Change {
        revision: revision.0,
        dry_run: mutation.dry_run,
        shifts: Vec::new(),
        evacuation: None,
        rows: std::collections::BTreeMap::new(),
        warnings: Vec::new(),
    })
}
