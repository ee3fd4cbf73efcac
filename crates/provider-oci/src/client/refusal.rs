//! What a refusal means, and what a person can do about it. Callers match the kind; the line says the rest. What OCI says is
//! shown, cut and without control characters; nothing of the request's headers is.

use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::fields;
use bascule_provider::identity::Skew;
use bascule_provider::text::shown;
use bascule_provider::{Error, Kind};
use http::StatusCode;
use serde::Deserialize;

use super::{Ask, DATE, REQUEST_ID};
use crate::auth::Who;
use crate::wire::Answer;

/// How far clocks may be apart: OCI refuses what is dated further away.
pub(crate) const SKEW_MAX: Duration = Duration::from_mins(5);

/// What of the caller matters for what is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) who: Who,
    pub(super) now: Timestamp,
}

/// What OCI says of a refusal.
#[derive(Debug, Deserialize)]
struct Said {
    code: String,
    #[serde(default)]
    message: String,
}

/// The refusal as an error.
pub(super) fn error(ask: &Ask, answer: &Answer, context: Context) -> Error {
    let status = answer.status;
    let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
    let id = answer.header(REQUEST_ID).map(str::to_owned);
    let with = |kind| ask.error(kind).detail(detail(status, said.as_ref()));
    let code = said.as_ref().map(|said| said.code.as_str());
    let error = match (status, code) {
        (StatusCode::TOO_MANY_REQUESTS, _) => with(Kind::Throttled {
            retry_after: answer
                .header("retry-after")
                .and_then(|after| fields::retry_after(after, context.now)),
        }),
        (status, _) if status.is_server_error() => with(Kind::Transient),
        (_, None) => foreign(ask, answer),
        (StatusCode::UNAUTHORIZED, _) => with(Kind::Denied).fix(unauthenticated(answer, context)),
        (StatusCode::FORBIDDEN, _) => with(Kind::Denied).fix(policy(ask, context.who)),
        (StatusCode::NOT_FOUND, Some("NotAuthorizedOrNotFound" | "NotAuthorized")) => {
            with(Kind::Denied).fix(format!(
                "if {} is right and in this region: {}",
                or_this(&ask.resource),
                policy(ask, context.who)
            ))
        }
        (StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED, _) => with(Kind::Conflict),
        _ => with(Kind::Invalid),
    };
    error.request_id(id)
}

/// Whether it refuses for want of a statement, which only who is known is told.
pub(super) fn is_of_policy(answer: &Answer) -> bool {
    let said: Option<Said> = serde_json::from_slice(&answer.body).ok();
    let code = said.map(|said| said.code);
    matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
        && matches!(
            code.as_deref(),
            Some("NotAuthorizedOrNotFound" | "NotAuthorized")
        )
}

/// An answer that is none of the API's.
pub(super) fn foreign(ask: &Ask, answer: &Answer) -> Error {
    let kind = answer.header("content-type").unwrap_or("no type");
    ask.error(Kind::Invalid)
        .detail(format!(
            "answered {} with {} bytes of {}, which is no answer of the API",
            answer.status.as_u16(),
            answer.body.len(),
            shown(kind)
        ))
        .fix("is the endpoint right, and is something between here and OCI?")
}

fn detail(status: StatusCode, said: Option<&Said>) -> String {
    match said {
        None => status.as_u16().to_string(),
        Some(Said { code, message }) => {
            format!("{} {}: {}", status.as_u16(), shown(code), shown(message))
        }
    }
}

fn or_this(resource: &str) -> &str {
    if resource.is_empty() {
        "this"
    } else {
        resource
    }
}

/// The statement that allows the call.
fn policy(ask: &Ask, who: Who) -> String {
    format!(
        "add the policy `Allow {} to {} in compartment COMPARTMENT`",
        who.as_str(),
        ask.operation.policy
    )
}

/// Why a signature is not accepted.
fn unauthenticated(answer: &Answer, context: Context) -> String {
    if let Some(skew) = Skew::of(answer.header(DATE), context.now, SKEW_MAX) {
        return format!("{}, and 300 s are allowed: set it right", skew.from("OCI"));
    }
    match context.who {
        Who::Group => "see that the key with this fingerprint stands at this user, and that tenancy and region are right".to_owned(),
        Who::DynamicGroup => "the token is not accepted; the next call asks for another".to_owned(),
    }
}

#[cfg(test)]
mod tests;
