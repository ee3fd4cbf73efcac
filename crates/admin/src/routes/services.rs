//! `/v1/services…`: rows, overrides, admin states of backends and endpoints, and why.

use std::time::Duration;

use axum::extract::{Path, State};
use bascule_model::{AdminTarget, ServiceName};
use bascule_plan::{Command, Pace};

use crate::api;
use crate::app::App;
use crate::body::{At, Body};
use crate::convert;
use crate::picture::Picture;
use crate::problem::{Asked, Code, Refused};
use crate::rim::Mutation;

/// All services, those that do not work first.
#[utoipa::path(get, path = "/v1/services", tag = "services", responses((status = 200, body = api::ServiceList)))]
pub(super) async fn list(State(app): State<App>) -> At<api::ServiceList> {
    let picture = Picture::take(&app);
    let services = picture.services();
    let revision = picture.state.revision;
    At(
        revision,
        api::ServiceList {
            revision: revision.0,
            services,
        },
    )
}

/// One service with its backends and endpoints.
#[utoipa::path(get, path = "/v1/services/{service}", tag = "services",
    params(("service" = String, Path)), responses((status = 200, body = api::Service)))]
pub(super) async fn one(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<At<api::Service>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.service(picture.find(&name)?);
    Ok(At(picture.state.revision, service))
}

/// The rows of a service: declared, override, target, effective, and what was measured.
#[utoipa::path(get, path = "/v1/services/{service}/weights", tag = "services",
    params(("service" = String, Path)), responses((status = 200, body = api::Weights)))]
pub(super) async fn weights(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<At<api::Weights>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.find(&name)?;
    let view = picture.view(service.name());
    let override_row = view.and_then(|view| view.override_row.as_ref());
    let effective = service.backends.iter();
    let off = service.backends.iter().filter(|b| b.off);
    let names = service.backends.iter().map(|b| &b.name);
    let weights = api::Weights {
        service: name,
        revision: picture.state.revision.0,
        declared: convert::shares(&service.spec.declared),
        override_row: override_row.map(convert::override_row),
        // The controller's own row, so that a read after a write sees it: the edge follows within milliseconds.
        target: convert::shares(view.map_or(&service.target, |view| &view.target)),
        effective: effective
            .map(|b| (b.name.to_string(), b.effective.percent()))
            .collect(),
        off: off.map(|b| b.name.to_string()).collect(),
        measured: app.window().shares(service.name(), names),
        shift: view.and_then(|view| view.shift.clone()),
    };
    Ok(At(picture.state.revision, weights))
}

/// Replaces the override row: the service ramps to it, and back when it ends.
#[utoipa::path(put, path = "/v1/services/{service}/weights", tag = "services",
    params(("service" = String, Path)), request_body = api::WeightsRequest,
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn put_weights(
    State(app): State<App>,
    Path(name): Path<String>,
    mutation: Mutation,
    Body(body): Body<api::WeightsRequest>,
) -> Result<api::Change, Refused> {
    let command = Command::Shift {
        service: convert::service_asked(&name)?,
        set: convert::shares_asked(&body.shares)?,
        pace: pace(body.pace)?,
        expires_in: body.expires_in_seconds.map(Duration::from_secs),
    };
    mutation.ask(&app, command, body.reason, Asked::Path).await
}

/// How fast, as the control plane wants it.
pub(super) fn pace(pace: api::Pace) -> Result<Pace, Refused> {
    let (step, bake_seconds) = match pace {
        api::Pace::Policy => return Ok(Pace::Policy),
        api::Pace::Now => return Ok(Pace::Now),
        api::Pace::Steps { step, bake_seconds } => (step, bake_seconds),
    };
    let share = convert::share("/pace/steps/step", step)?;
    if share.is_zero() {
        return Err(Refused::field(
            "/pace/steps/step",
            "a step is above 0 percent",
        ));
    }
    let bake = Duration::try_from_secs_f64(bake_seconds).ok();
    let day = Duration::from_secs(86_400);
    let bake = bake.filter(|bake| *bake <= day).ok_or_else(|| {
        let detail = format!(
            "{bake_seconds} is not a bake time: 0 to {} seconds",
            day.as_secs()
        );
        Refused::field("/pace/steps/bake_seconds", detail)
    })?;
    Ok(Pace::Steps { step: share, bake })
}

/// The override in force.
#[utoipa::path(get, path = "/v1/services/{service}/overrides", tag = "services",
    params(("service" = String, Path)), responses((status = 200, body = api::Overrides)))]
pub(super) async fn overrides(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<At<api::Overrides>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.find(&name)?;
    let view = picture.view(service.name());
    let row = view.and_then(|view| view.override_row.as_ref());
    let overrides = api::Overrides {
        service: name,
        revision: picture.state.revision.0,
        overrides: row.map(convert::override_row).into_iter().collect(),
    };
    Ok(At(picture.state.revision, overrides))
}

/// Ends the override: the service ramps back to what is declared. `?pace=now`: in one step.
#[utoipa::path(delete, path = "/v1/services/{service}/overrides", tag = "services",
    params(("service" = String, Path), ("pace" = Option<String>, Query, description = "policy or now")),
    responses((status = 200, body = api::Change), (status = 202, body = api::Change)))]
pub(super) async fn delete_overrides(
    State(app): State<App>,
    Path(name): Path<String>,
    mutation: Mutation,
) -> Result<api::Change, Refused> {
    let command = Command::ClearOverride {
        service: convert::service_asked(&name)?,
        pace: if mutation.pace_now {
            Pace::Now
        } else {
            Pace::Policy
        },
    };
    mutation.ask(&app, command, None, Asked::Path).await
}

/// One backend.
#[utoipa::path(get, path = "/v1/services/{service}/backends/{backend}", tag = "services",
    params(("service" = String, Path), ("backend" = String, Path)),
    responses((status = 200, body = api::Backend)))]
pub(super) async fn backend(
    State(app): State<App>,
    Path((service, backend)): Path<(String, String)>,
) -> Result<At<api::Backend>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.find(&service)?;
    let backend = picture.find_backend(service, &backend)?;
    Ok(At(
        picture.state.revision,
        picture.backend(service, backend),
    ))
}

/// Sets the admin state of a backend.
#[utoipa::path(patch, path = "/v1/services/{service}/backends/{backend}", tag = "services",
    params(("service" = String, Path), ("backend" = String, Path)), request_body = api::AdminPatch,
    responses((status = 200, body = api::Change)))]
pub(super) async fn patch_backend(
    State(app): State<App>,
    Path((service, backend)): Path<(String, String)>,
    mutation: Mutation,
    Body(body): Body<api::AdminPatch>,
) -> Result<api::Change, Refused> {
    let target = {
        let picture = Picture::take(&app);
        let service = picture.find(&service)?;
        let backend = picture.find_backend(service, &backend)?;
        AdminTarget::Backend(service.name().clone(), backend.name.clone())
    };
    set_admin(&app, &mutation, target, body).await
}

/// Sets an admin state; providers use it too.
pub(super) async fn set_admin(
    app: &App,
    mutation: &Mutation,
    target: AdminTarget,
    body: api::AdminPatch,
) -> Result<api::Change, Refused> {
    let command = Command::SetAdmin {
        target,
        state: convert::admin_asked(body.admin_state),
    };
    mutation.ask(app, command, body.reason, Asked::Path).await
}

/// The service, backend and endpoint of a path, and the endpoint's full name.
type EndpointPath = Path<(String, String, String)>;

/// One endpoint, by its name or its address.
#[utoipa::path(get, path = "/v1/services/{service}/backends/{backend}/endpoints/{endpoint}", tag = "services",
    params(("service" = String, Path), ("backend" = String, Path), ("endpoint" = String, Path)),
    responses((status = 200, body = api::Endpoint)))]
pub(super) async fn endpoint(
    State(app): State<App>,
    Path((service, backend, endpoint)): EndpointPath,
) -> Result<At<api::Endpoint>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.find(&service)?;
    let backend = picture.find_backend(service, &backend)?;
    let found = find_endpoint(service.name(), backend, &endpoint)?;
    let endpoint = picture.endpoint(service, found);
    Ok(At(picture.state.revision, endpoint))
}

fn find_endpoint<'a>(
    service: &ServiceName,
    backend: &'a bascule_traffic::snapshot::Backend,
    name: &str,
) -> Result<&'a bascule_traffic::snapshot::Endpoint, Refused> {
    let found = backend.endpoints.iter().find(|e| e.id.is_named(name));
    found.ok_or_else(|| {
        let known: Vec<String> = backend.endpoints.iter().map(|e| e.id.label()).collect();
        let what = format!("endpoint of `{service}/{}`", backend.name);
        let known = known.iter().map(String::as_str);
        Refused::unknown(Code::UnknownEndpoint, "", &what, name, known)
    })
}

/// Sets the admin state of an endpoint.
#[utoipa::path(patch, path = "/v1/services/{service}/backends/{backend}/endpoints/{endpoint}", tag = "services",
    params(("service" = String, Path), ("backend" = String, Path), ("endpoint" = String, Path)),
    request_body = api::AdminPatch, responses((status = 200, body = api::Change)))]
pub(super) async fn patch_endpoint(
    State(app): State<App>,
    Path((service, backend, endpoint)): EndpointPath,
    mutation: Mutation,
    Body(body): Body<api::AdminPatch>,
) -> Result<api::Change, Refused> {
    let target = {
        let picture = Picture::take(&app);
        let service = picture.find(&service)?;
        let backend = picture.find_backend(service, &backend)?;
        let found = find_endpoint(service.name(), backend, &endpoint)?;
        let label = found.id.label();
        AdminTarget::Endpoint(service.name().clone(), backend.name.clone(), label)
    };
    set_admin(&app, &mutation, target, body).await
}

/// Why the backend has its share: the factor chain as data and as text.
#[utoipa::path(get, path = "/v1/services/{service}/explain/{backend}", tag = "services",
    params(("service" = String, Path), ("backend" = String, Path)),
    responses((status = 200, body = api::Explanation)))]
pub(super) async fn explain(
    State(app): State<App>,
    Path((service, backend)): Path<(String, String)>,
) -> Result<At<api::Explanation>, Refused> {
    let picture = Picture::take(&app);
    let service = picture.find(&service)?;
    let backend = picture.find_backend(service, &backend)?;
    let explanation = crate::explain::explain(&picture, service, backend);
    Ok(At(picture.state.revision, explanation))
}
