//! The way into every handler, in one function: was it meant for us, who asks, may they, did they look before
//! (`If-Match`), and afterwards the count and the audit line. Closed by default: a route that somebody adds is protected
//! by its method alone. It never looks at a body.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bascule_model::Revision;
use bascule_telemetry::names;

use crate::access::{self, Door, Identity};
use crate::api::AccessRole;
use crate::app::App;
use crate::problem::{Code, Refused, Said};

/// The longest reason, in bytes: a sentence with a ticket, kept for ever in history.
const REASON_BYTES_MAX: usize = 1000;
/// POST routes that change nothing, and so need no `If-Match`.
const CHECK_ONLY: &[&str] = &["/v1/config/validate"];
const NO_ROUTE: &str = "none";

/// What a mutation said about itself, besides its body. Extracted by handlers; put there by [`rim`].
#[derive(Debug, Clone)]
pub(crate) struct Mutation {
    pub(crate) identity: Identity,
    /// `None`: `If-Match: *`.
    pub(crate) if_match: Option<Revision>,
    pub(crate) dry_run: bool,
    /// `X-Reason`; may be empty.
    pub(crate) reason: String,
    /// `?pace=now`.
    pub(crate) pace_now: bool,
    /// The reason that counts in the end, once the body was read; for the audit line.
    pub(crate) why: Arc<OnceLock<String>>,
}

/// See the module.
pub(crate) async fn rim(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or(NO_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let if_match = text(request.headers(), "if-match");
    let reason = text(request.headers(), "x-reason");
    let (identity, admitted) = admit(&app, &mut request, &route);
    let why = request
        .extensions()
        .get::<Mutation>()
        .map(|m| Arc::clone(&m.why));
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(refused) => refused.into_response(),
    };
    let said = response.extensions_mut().remove::<Said>();
    let answer = Answer {
        status: response.status(),
        code: said.as_ref().map(|Said(code, _)| *code),
        detail: said.map(|Said(_, detail)| detail).unwrap_or_default(),
    };
    let refused_entry = matches!(
        answer.code,
        Some(Code::Unauthenticated | Code::NotPermitted | Code::WrongHost)
    );
    if !is_safe(&method) || refused_entry {
        let reason = why.as_ref().and_then(|why| why.get()).unwrap_or(&reason);
        audit(&identity, &method, &path, (&if_match, reason), &answer);
    }
    count(&method, &route, &answer);
    harden(response.headers_mut());
    response
}

struct Answer {
    status: StatusCode,
    code: Option<Code>,
    detail: String,
}

/// Everything that is decided before a handler runs.
fn admit(app: &App, request: &mut Request, route: &str) -> (Option<Identity>, Result<(), Refused>) {
    let Some(door) = request.extensions().get::<Door>().copied() else {
        // Only our listeners build requests, and all of them say which they are.
        return (
            None,
            Err(Refused::new(Code::Unauthenticated, "no listener")),
        );
    };
    if matches!(door, Door::Tcp(_))
        && let Err(refused) = access::check_host(request.uri(), request.headers(), &app.host_names)
    {
        return (None, Err(refused));
    }
    let identity = match access::identify(door, request.headers(), &app.tokens) {
        Ok(identity) => identity,
        Err(refused) => return (None, Err(refused)),
    };
    let known = Some(identity.clone());
    if is_safe(request.method()) {
        request.extensions_mut().insert(identity);
        return (known, Ok(()));
    }
    match mutation(identity, request, route) {
        Ok(mutation) => {
            request.extensions_mut().insert(mutation);
            (known, Ok(()))
        }
        Err(refused) => (known, Err(refused)),
    }
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn mutation(identity: Identity, request: &Request, route: &str) -> Result<Mutation, Refused> {
    identity.needs(AccessRole::Operator)?;
    let headers = request.headers();
    let if_match = match headers.get(header::IF_MATCH) {
        Some(value) => parse_if_match(value)?,
        None if CHECK_ONLY.contains(&route) || route == NO_ROUTE => None,
        None => {
            let detail = "read the resource first and send its ETag as If-Match, or `*`";
            return Err(Refused::new(Code::PreconditionRequired, detail));
        }
    };
    let reason = text(headers, "x-reason");
    checked_reason(&reason)?;
    let (mut dry_run, mut pace_now) = (false, false);
    for pair in request.uri().query().unwrap_or_default().split('&') {
        match pair {
            "" | "dry_run=false" => {}
            "dry_run" | "dry_run=true" => dry_run = true,
            "pace=now" if request.method() == Method::DELETE => pace_now = true,
            "pace=policy" if request.method() == Method::DELETE => {}
            // Never ignored: a misspelt `dry_run` would change things.
            other => {
                let detail = format!("the query `{other}` is not known here; `dry_run=true` is");
                return Err(Refused::new(Code::BadRequest, detail));
            }
        }
    }
    Ok(Mutation {
        identity,
        if_match,
        dry_run,
        reason,
        pace_now,
        why: Arc::default(),
    })
}

/// `"1841"`, `1841` or `*`. A weak one never matches (RFC 9110 §13.1.1).
fn parse_if_match(value: &HeaderValue) -> Result<Option<Revision>, Refused> {
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let bad = || {
        let detail = format!("If-Match must be one ETag as it was given, or `*`, not `{text}`");
        Refused::new(Code::BadRequest, detail)
    };
    number.parse().map(|n| Some(Revision(n))).map_err(|_| bad())
}

/// Refuses a reason that does not belong in one line of history.
pub(crate) fn checked_reason(reason: &str) -> Result<(), Refused> {
    if reason.len() > REASON_BYTES_MAX {
        let detail = format!("a reason has at most {REASON_BYTES_MAX} bytes");
        return Err(Refused::new(Code::BadRequest, detail));
    }
    if reason.chars().any(char::is_control) {
        let detail = "a reason is one line, without control characters";
        return Err(Refused::new(Code::BadRequest, detail));
    }
    Ok(())
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes);
    String::from_utf8_lossy(value.unwrap_or_default())
        .trim()
        .to_owned()
}

/// One line for each mutation and each refusal, whatever came of it.
fn audit(
    identity: &Option<Identity>,
    method: &Method,
    path: &str,
    (if_match, reason): (&str, &str),
    answer: &Answer,
) {
    let result = match answer.code {
        None if answer.status.is_success() => "accepted",
        _ => "refused",
    };
    tracing::info!(
        target: "audit",
        actor = identity.as_ref().map_or("unknown", |i| i.actor.as_str()),
        auth = identity.as_ref().map_or("none", |i| i.auth),
        source = identity.as_ref().map_or("", |i| i.source.as_str()),
        action = method.as_str(),
        object = path,
        if_match,
        reason,
        result,
        status = answer.status.as_u16(),
        code = answer.code.map_or("", Code::as_str),
        detail = answer.detail,
        "admin request"
    );
}

fn count(method: &Method, route: &str, answer: &Answer) {
    // An unknown method would be a label that anybody can invent.
    let known = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"];
    let method = known.into_iter().find(|m| method.as_str() == *m);
    metrics::counter!(
        names::API_REQUESTS,
        "method" => method.unwrap_or("other"),
        "route" => route.to_owned(),
        "code" => answer.status.as_u16().to_string(),
    )
    .increment(1);
    if matches!(
        answer.code,
        Some(Code::Unauthenticated | Code::NotPermitted | Code::WrongHost)
    ) {
        metrics::counter!(names::API_AUTH_FAILURES).increment(1);
    }
}

/// What every answer says to browsers: nothing may frame it, guess its type or keep it.
fn harden(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}
