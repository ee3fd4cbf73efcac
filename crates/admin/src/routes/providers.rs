//! `/v1/providers…`: failure domains, and taking one out.

use std::time::Duration;

use axum::extract::{Path, State};
use bascule_model::{AdminTarget, ProviderName};
use bascule_plan::Command;

use super::services::set_admin;
use crate::api;
use crate::app::App;
use crate::body::{At, Body};
use crate::picture::Picture;
use crate::problem::{Asked, Code, Refused};
use crate::rim::Mutation;

/// All providers, those that do not work first.
#[utoipa::path(get, path = "/v1/providers", tag = "providers", responses((status = 200, body = api::ProviderList)))]
pub(super) async fn list(State(app): State<App>) -> At<api::ProviderList> {
    let picture = Picture::take(&app);
    let list = api::ProviderList {
        revision: picture.state.revision.0,
        providers: picture.providers(),
    };
    At(picture.state.revision, list)
}

/// One provider.
#[utoipa::path(get, path = "/v1/providers/{provider}", tag = "providers",
    params(("provider" = String, Path)), responses((status = 200, body = api::Provider)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<At<api::Provider>, Refused> {
    let picture = Picture::take(&app);
    let name = find(&picture, &name)?;
    Ok(At(picture.state.revision, picture.provider(&name)))
}

fn find(picture: &Picture<'_>, name: &str) -> Result<ProviderName, Refused> {
    let found = picture.fused.providers.keys().find(|p| p.as_str() == name);
    found.cloned().ok_or_else(|| {
        let known = picture.provider_names();
        Refused::unknown(Code::UnknownProvider, "", "provider", name, known)
    })
}

/// Sets the admin state of a provider.
#[utoipa::path(patch, path = "/v1/providers/{provider}", tag = "providers",
    params(("provider" = String, Path)), request_body = api::AdminPatch,
    responses((status = 200, body = api::Change)))]
pub(super) async fn patch(
    State(app): State<App>,
    Path(name): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::AdminPatch>,
) -> Result<api::Change, Refused> {
    let provider = find(&Picture::take(&app), &name)?;
    set_admin(&app, &mutation, AdminTarget::Provider(provider), body).await
}

/// Takes a provider out of every service: shares to off, drain, proof.
#[utoipa::path(post, path = "/v1/providers/{provider}/evacuate", tag = "providers",
    params(("provider" = String, Path)), request_body = api::EvacuateRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn evacuate(
    State(app): State<App>,
    Path(name): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::EvacuateRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Evacuate {
        provider: find(&Picture::take(&app), &name)?,
        fast: body.fast,
        expires_in: body.expires_in_seconds.map(Duration::from_secs),
    };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}

/// Brings a provider back, slower than it left, gated by health.
#[utoipa::path(post, path = "/v1/providers/{provider}/restore", tag = "providers",
    params(("provider" = String, Path)), request_body = api::ReasonRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn restore(
    State(app): State<App>,
    Path(name): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::ReasonRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Restore {
        provider: find(&Picture::take(&app), &name)?,
    };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}
