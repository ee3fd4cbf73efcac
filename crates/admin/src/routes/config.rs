//! `/v1/config…`: what runs, whether a text would, and replacing it.

use axum::Json;
use axum::extract::State;
use bascule_config::Diagnostics;

use crate::api::{self, AccessRole, FieldError};
use crate::app::App;
use crate::body::{At, Body};
use crate::convert;
use crate::ports::{By, ConfigOutcome};
use crate::problem::{Code, Refused};
use crate::rim::Mutation;

/// The name of a text that has none.
const FILE_NAME: &str = "request";

/// The running configuration, where it came from, and why the last attempt to replace it failed.
#[utoipa::path(get, path = "/v1/config", tag = "config", responses((status = 200, body = api::Config)))]
pub(super) async fn running(State(app): State<App>) -> At<api::Config> {
    let running = app.ports.config.running();
    let revision = app.revision();
    let config = api::Config {
        revision: revision.0,
        text: running.text.to_string(),
        state: convert::config_state(&running),
    };
    At(revision, config)
}

/// Checks a text as a reload would, and changes nothing.
#[utoipa::path(post, path = "/v1/config/validate", tag = "config", request_body = api::ConfigRequest,
    responses((status = 200, body = api::ConfigResult)))]
pub(super) async fn validate(
    State(app): State<App>,
    mutation: Mutation,
    Body(body): Body<api::ConfigRequest>,
) -> Result<Json<api::ConfigResult>, Refused> {
    mutation.identity.needs(AccessRole::Operator)?;
    let name = body.file_name.as_deref().unwrap_or(FILE_NAME);
    let outcome = app.ports.config.validate(name, &body.text).await;
    Ok(Json(match outcome {
        ConfigOutcome::Valid(warnings) => result(&app, &body.text, &warnings, true),
        ConfigOutcome::Invalid(errors) => result(&app, &body.text, &errors, false),
    }))
}

fn result(app: &App, text: &str, diagnostics: &Diagnostics, valid: bool) -> api::ConfigResult {
    let (diagnostics, rendered) = convert::diagnostics(diagnostics);
    api::ConfigResult {
        valid,
        applied: false,
        hash: convert::hash(text),
        revision: app.revision().0,
        diagnostics,
        rendered,
    }
}

/// Replaces the running configuration; answers when the edge has it. A bad one changes nothing.
#[utoipa::path(put, path = "/v1/config", tag = "config", request_body = api::ConfigRequest,
    responses((status = 200, body = api::ConfigResult)))]
pub(super) async fn replace(
    State(app): State<App>,
    mutation: Mutation,
    Body(body): Body<api::ConfigRequest>,
) -> Result<At<api::ConfigResult>, Refused> {
    mutation.identity.needs(AccessRole::Admin)?;
    let by = By {
        actor: mutation.identity.actor.clone(),
        reason: mutation.reason(body.reason)?,
        file_name: body.file_name.unwrap_or_else(|| FILE_NAME.to_owned()),
    };
    let current = app.revision();
    if let Some(seen) = mutation.if_match.filter(|seen| *seen != current) {
        let detail = format!("the state is at revision {current}, not {seen}");
        let mut refused = Refused::new(Code::Stale, detail);
        refused.problem.revision = current.0;
        return Err(refused);
    }
    let outcome = if mutation.dry_run {
        app.ports.config.validate(&by.file_name, &body.text).await
    } else {
        app.ports.config.apply(&by, &body.text).await
    };
    match outcome {
        ConfigOutcome::Valid(warnings) => {
            let mut result = result(&app, &body.text, &warnings, true);
            result.applied = !mutation.dry_run;
            Ok(At(app.revision(), result))
        }
        ConfigOutcome::Invalid(errors) => Err(invalid(&app, &errors)),
    }
}

fn invalid(app: &App, errors: &Diagnostics) -> Refused {
    let (items, _) = convert::diagnostics(errors);
    let running = convert::hash(&app.ports.config.running().text);
    let detail = format!(
        "{}; nothing was applied, configuration {running} keeps running",
        errors.summary()
    );
    let mut refused = Refused::new(Code::InvalidConfig, detail);
    refused.problem.revision = app.revision().0;
    for item in items {
        refused = refused.at(FieldError {
            pointer: item.pointer,
            detail: format!(
                "{}:{}:{}: {}: {}",
                item.file, item.line, item.column, item.code, item.message
            ),
            rule: None,
            suggestion: item.fix.map(|fix| fix.text.into()),
            ..FieldError::default()
        });
    }
    refused
}

/// The JSON Schema of a configuration.
#[utoipa::path(get, path = "/v1/config/schema", tag = "config",
    responses((status = 200, description = "JSON Schema (2020-12)", body = Object)))]
pub(super) async fn schema() -> Json<serde_json::Value> {
    Json(bascule_config::schema())
}
