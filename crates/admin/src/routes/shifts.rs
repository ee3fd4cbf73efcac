//! `/v1/shifts…`: start one, follow it, hold it, turn it back.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use bascule_model::ServiceName;
use bascule_plan::Command;
use serde::Deserialize;

use super::services::pace;
use crate::api;
use crate::app::App;
use crate::body::{At, Body};
use crate::convert;
use crate::picture::Picture;
use crate::problem::{Asked, Code, Refused};
use crate::rim::Mutation;

/// Which shifts.
#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    service: Option<String>,
}

/// Running and recent shifts, the latest first.
#[utoipa::path(get, path = "/v1/shifts", tag = "shifts",
    params(("service" = Option<String>, Query)), responses((status = 200, body = api::ShiftList)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(filter): Query<Filter>,
) -> At<api::ShiftList> {
    let picture = Picture::take(&app);
    let of = filter.service.as_deref();
    let list = api::ShiftList {
        revision: picture.state.revision.0,
        shifts: picture.shifts(|shift| of.is_none_or(|name| shift.service.as_str() == name)),
    };
    At(picture.state.revision, list)
}

/// Starts a shift: an override row, reached in steps.
#[utoipa::path(post, path = "/v1/shifts", tag = "shifts", request_body = api::ShiftRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn start(
    State(app): State<App>,
    mutation: Mutation,
    Body(body): Body<api::ShiftRequest>,
) -> Result<api::Change, Refused> {
    let service = ServiceName::parse(&body.service);
    let command = Command::Shift {
        service: service.map_err(|error| Refused::field("/service", error.to_string()))?,
        set: convert::shares_asked(&body.shares)?,
        pace: pace(body.pace)?,
        expires_in: body.expires_in_seconds.map(Duration::from_secs),
    };
    mutation.ask(&app, command, body.reason, Asked::Body).await
}

/// One shift.
#[utoipa::path(get, path = "/v1/shifts/{id}", tag = "shifts",
    params(("id" = String, Path)), responses((status = 200, body = api::Shift)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<At<api::Shift>, Refused> {
    let picture = Picture::take(&app);
    let found = picture.state.shifts.get(&id);
    let shift = found
        .map(|shift| convert::shift(shift, picture.state.revision, picture.now))
        .ok_or_else(|| Refused::new(Code::NotFound, format!("there is no shift `{id}`")))?;
    Ok(At(picture.state.revision, shift))
}

/// Holds a running shift where it stands.
#[utoipa::path(post, path = "/v1/shifts/{id}/pause", tag = "shifts",
    params(("id" = String, Path)), request_body = api::ReasonRequest,
    responses((status = 200, body = api::Change)))]
pub(super) async fn pause(
    State(app): State<App>,
    Path(shift): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::ReasonRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Pause { shift };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}

/// Lets a paused shift go on.
#[utoipa::path(post, path = "/v1/shifts/{id}/resume", tag = "shifts",
    params(("id" = String, Path)), request_body = api::ReasonRequest,
    responses((status = 200, body = api::Change)))]
pub(super) async fn resume(
    State(app): State<App>,
    Path(shift): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::ReasonRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Resume { shift };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}

/// Ends a shift by ramping back to where it came from.
#[utoipa::path(post, path = "/v1/shifts/{id}/abort", tag = "shifts",
    params(("id" = String, Path)), request_body = api::ReasonRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn abort(
    State(app): State<App>,
    Path(shift): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::ReasonRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Abort { shift };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}
