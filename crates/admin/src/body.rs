//! Bodies in and out. An unknown or unfitting field is refused with its place; nothing is guessed.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bascule_model::Revision;
use bascule_plan::{Command, Request as Asked};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::access::Identity;
use crate::api::{AccessRole, Change, FieldError};
use crate::app::App;
use crate::problem::{self, Code, Refused};
use crate::rim::{Mutation, checked_reason};

/// The largest body: the largest configuration that people write by hand is a tenth of it.
pub(crate) const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A JSON body; an empty one is `{}`, so that requests whose every field is optional need none.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let media_type = request.headers().get(header::CONTENT_TYPE).cloned();
        let bytes = Bytes::from_request(request, app).await.map_err(|error| {
            let code = match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
                _ => Code::BadRequest,
            };
            Refused::new(
                code,
                format!("at most {BODY_BYTES_MAX} bytes are read: {error}"),
            )
        })?;
        if bytes.is_empty() {
            return parse(b"{}").map(Self);
        }
        if !media_type.as_ref().is_some_and(is_json) {
            let detail = "send Content-Type: application/json";
            return Err(Refused::new(Code::WrongMediaType, detail));
        }
        parse(&bytes).map(Self)
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/merge-patch+json"]
        .iter()
        .any(|json| essence.eq_ignore_ascii_case(json))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refused> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let pointer = pointer(error.path(), &error.inner().to_string());
        let detail = error.into_inner().to_string();
        Refused::new(Code::BadBody, detail.clone()).at(FieldError {
            pointer,
            detail,
            ..FieldError::default()
        })
    })?;
    json.end()
        .map_err(|error| Refused::new(Code::BadBody, error.to_string()))?;
    Ok(value)
}

/// The path as a JSON pointer (RFC 6901). An unknown field is named by serde's message, not by the path.
fn pointer(path: &serde_path_to_error::Path, message: &str) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let step = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
    }
    let unknown = message
        .strip_prefix("unknown field `")
        .and_then(|rest| rest.split_once('`'));
    if let Some((field, _)) = unknown
        && !pointer.ends_with(&format!("/{field}"))
    {
        pointer.push('/');
        pointer.push_str(&field.replace('~', "~0").replace('/', "~1"));
    }
    pointer
}

/// An answer with the revision as `ETag`.
pub(crate) struct At<T>(pub(crate) Revision, pub(crate) T);

impl<T: Serialize> IntoResponse for At<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        tag(response.headers_mut(), self.0);
        response
    }
}

fn tag(headers: &mut HeaderMap, revision: Revision) {
    if let Ok(value) = HeaderValue::from_str(&format!("\"{revision}\"")) {
        headers.insert(header::ETAG, value);
    }
}

/// The answer of a mutation: 202 and `Location` when something began that goes on, else 200.
impl IntoResponse for Change {
    fn into_response(self) -> Response {
        let revision = Revision(self.revision);
        let place = match (&self.evacuation, self.shifts.first()) {
            _ if self.dry_run => None,
            (Some(id), _) => Some(format!("/v1/evacuations/{id}")),
            (None, Some(id)) => Some(format!("/v1/shifts/{id}")),
            (None, None) => None,
        };
        let mut response = Json(self).into_response();
        tag(response.headers_mut(), revision);
        if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
            response.headers_mut().insert(header::LOCATION, place);
            *response.status_mut() = StatusCode::ACCEPTED;
        }
        response
    }
}

impl FromRequestParts<App> for Mutation {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Refused::new(Code::Unauthenticated, "this is not a mutation"))
    }
}

impl FromRequestParts<App> for Identity {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Refused> {
        let found = parts.extensions.get::<Self>().cloned();
        found.ok_or_else(|| Refused::new(Code::Unauthenticated, "nobody asks"))
    }
}

impl Mutation {
    /// Why: the body's reason before the header's. An operator must give one.
    pub(crate) fn reason(&self, body: Option<String>) -> Result<String, Refused> {
        let reason = body.unwrap_or_else(|| self.reason.clone());
        checked_reason(&reason)?;
        if reason.is_empty() && self.identity.role < AccessRole::Admin {
            let detail = "say why: `reason` in the body, or X-Reason";
            return Err(Refused::new(Code::ReasonRequired, detail));
        }
        Ok(self.why.get_or_init(|| reason).clone())
    }

    /// Asks the control plane.
    pub(crate) async fn ask(
        &self,
        app: &App,
        command: Command,
        reason: Option<String>,
        asked: problem::Asked,
    ) -> Result<Change, Refused> {
        let request = Asked {
            id: 0,
            actor: self.identity.actor.clone(),
            if_match: self.if_match,
            dry_run: self.dry_run,
            reason: self.reason(reason)?,
            command,
        };
        let answer = app.ports.control.request(request).await;
        let accepted = answer.map_err(|refusal| {
            let mut refused = problem::refused(refusal, asked);
            if refused.problem.revision == 0 {
                refused.problem.revision = app.revision().0;
            }
            refused
        })?;
        Ok(crate::convert::change(&accepted, self.dry_run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AdminPatch, ShiftRequest};

    fn refused<T: DeserializeOwned + std::fmt::Debug>(text: &str) -> (String, String) {
        let problem = parse::<T>(text.as_bytes()).unwrap_err().problem;
        let error = problem.errors.first().cloned().unwrap_or_default();
        (error.pointer, error.detail)
    }

    #[test]
    fn a_field_that_does_not_fit_is_named_by_its_pointer() {
        for (text, pointer) in [
            (
                r#"{"service":"meet","shares":{"aws":50},"paec":"now"}"#,
                "/paec",
            ),
            (r#"{"service":"meet","shares":{"aws":"50"}}"#, "/shares/aws"),
            (
                r#"{"service":"meet","shares":{"a/b":"50"}}"#,
                "/shares/a~1b",
            ),
            (r#"{"service":7,"shares":{}}"#, "/service"),
            (
                r#"{"service":"meet","shares":{},"pace":{"steps":{"step":1,"bake_seconds":1,"x":2}}}"#,
                "/pace/steps/x",
            ),
        ] {
            assert_eq!(refused::<ShiftRequest>(text).0, pointer, "{text}");
        }
        assert!(
            refused::<AdminPatch>(r#"{"admin_state":"up"}"#)
                .1
                .contains("drain")
        );
        assert!(refused::<AdminPatch>("{}").1.contains("admin_state"));
        assert!(parse::<AdminPatch>(br#"{"admin_state":"drain"} x"#).is_err());
    }
}
