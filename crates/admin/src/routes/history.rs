//! `/v1/history…`: what changed, by whom, why; and the way back to any of it.

use axum::extract::{Path, Query, State};
use bascule_control::Recorded;
use bascule_model::Revision;
use bascule_plan::Command;
use serde::Deserialize;

use crate::api;
use crate::app::App;
use crate::body::{At, Body};
use crate::convert;
use crate::problem::{Asked, Code, Refused};
use crate::rim::Mutation;

/// Lines on one page when nothing is said.
const PAGE: usize = 50;
/// Lines on one page at most.
const PAGE_MAX: usize = 500;

/// Which page.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    limit: Option<usize>,
    before: Option<String>,
}

/// One page of history, the latest first.
#[utoipa::path(get, path = "/v1/history", tag = "history",
    params(("limit" = Option<usize>, Query, description = "1 to 500; 50 when absent"),
        ("before" = Option<String>, Query, description = "the `next` of the page before")),
    responses((status = 200, body = api::History)))]
pub(super) async fn list(
    State(app): State<App>,
    Query(which): Query<Which>,
) -> Result<At<api::History>, Refused> {
    let limit = which.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX);
    let before = which.before.as_deref().map(cursor).transpose()?;
    let mut entries = read(&app, limit + 1, before)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries
        .last()
        .filter(|_| more)
        .map(|e| e.sequence.to_string());
    let revision = app.revision();
    let history = api::History {
        revision: revision.0,
        entries: entries.iter().map(convert::history_entry).collect(),
        next,
    };
    Ok(At(revision, history))
}

fn cursor(text: &str) -> Result<u64, Refused> {
    text.parse()
        .map_err(|_| Refused::new(Code::BadRequest, format!("`{text}` is no `next` of a page")))
}

fn read(app: &App, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, Refused> {
    let history = app.ports.control.history(limit, before);
    history.map_err(|error| Refused::new(Code::Store, error.to_string()))
}

/// The change that made a revision.
#[utoipa::path(get, path = "/v1/history/{revision}", tag = "history",
    params(("revision" = u64, Path)), responses((status = 200, body = api::HistoryEntry)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(text): Path<String>,
) -> Result<At<api::HistoryEntry>, Refused> {
    let none = || {
        Refused::new(
            Code::NotFound,
            format!("there is no revision `{text}` in history"),
        )
    };
    let wanted = Revision(text.parse().map_err(|_| none())?);
    let mut before = None;
    loop {
        let page = read(&app, PAGE_MAX, before)?;
        let made = |e: &&Recorded| e.entry.revision == wanted && e.entry.refused.is_none();
        if let Some(found) = page.iter().find(made) {
            return Ok(At(app.revision(), convert::history_entry(found)));
        }
        let last = page.last().ok_or_else(none)?;
        if last.entry.revision < wanted {
            return Err(none());
        }
        before = Some(last.sequence);
    }
}

/// Goes back to the overrides and admin states of a revision; `previous`: to those before the last change.
#[utoipa::path(post, path = "/v1/history/{revision}/restore", tag = "history",
    params(("revision" = String, Path, description = "a revision, or `previous`")),
    request_body = api::ReasonRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn restore(
    State(app): State<App>,
    Path(text): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::ReasonRequest>,
) -> Result<api::Change, Refused> {
    let none = || Refused::new(Code::NotFound, format!("there is no revision `{text}`"));
    let to = match text.as_str() {
        "previous" => None,
        number => Some(Revision(number.parse().map_err(|_| none())?)),
    };
    let command = Command::Undo { to };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}
