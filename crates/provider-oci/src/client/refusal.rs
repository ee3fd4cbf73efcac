//! What a refusal means, and what a person can do about it. Callers match the kind; the line says the rest. What OCI says is
//! shown, cut and without control characters; nothing of the request's headers is.

use std::time::{Duration, UNIX_EPOCH};

use bascule_model::Timestamp;
use bascule_provider::{Error, Kind};
use http::StatusCode;
use serde::Deserialize;

use super::{Ask, REQUEST_ID};
use crate::auth::Who;
use crate::wire::Answer;

/// How far clocks may be apart: OCI refuses what is dated further away.
const SKEW_MAX: Duration = Duration::from_mins(5);

/// Of a message of OCI's, this many characters are shown.
const MESSAGE_MAX: usize = 300;

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
            retry_after: retry_after(answer, context.now),
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

/// Cut, and on one line.
fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(MESSAGE_MAX).collect()
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
    if let Some(theirs) = date(answer) {
        let (ahead, apart) = if theirs > context.now {
            ("behind", theirs.since(context.now))
        } else {
            ("ahead", context.now.since(theirs))
        };
        if apart > SKEW_MAX {
            return format!(
                "this machine's clock is {} s {ahead} of OCI's, and 300 s are allowed: set it right",
                apart.as_secs()
            );
        }
    }
    match context.who {
        Who::Group => "see that the key with this fingerprint stands at this user, and that tenancy and region are right".to_owned(),
        Who::DynamicGroup => "the token is not accepted; the next call asks for another".to_owned(),
    }
}

/// When the answer was given, by their clock.
fn date(answer: &Answer) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(answer.header("date")?).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    let millis = u64::try_from(since.as_millis()).ok()?;
    Some(Timestamp::from_millis(millis))
}

/// `Retry-After`: seconds, or a date.
fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let value = answer.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    Some(since.saturating_sub(Duration::from_millis(now.as_millis())))
}

#[cfg(test)]
mod tests;
