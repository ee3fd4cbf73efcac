//! What we answer ourselves: a small text that says why, `Retry-After` where coming back makes sense, and `Proxy-Status`
//! (RFC 9209) for programs: `bascule; error=connection_refused; details="connect"`. The `details` are the reason as logs
//! and metrics have it. It must never tell a client which endpoint failed.

use bascule_guard::Violation;
use bascule_traffic::admit::Rejection;
use bascule_traffic::retry::{Cause, Failure, Phase, Side};
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use crate::http::body::ResponseBody;
use crate::http::hop;
use crate::http::record::Exchange;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// What a target resource may be asked for here (RFC 9110 §15.5.6 wants it said where a method is refused).
const ALLOWED: HeaderValue =
    HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH");

/// Why a request is not forwarded, or what came of forwarding it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It is not what HTTP allows, or what we allow.
    #[error("the request is malformed")]
    Violated(#[from] Violation),
    /// Its head did not come in time.
    #[error("the head did not come in time")]
    HeadTimeout,
    /// `TRACE`: an answer would hold what fields of the request say to others.
    #[error("the method is not offered")]
    Trace,
    /// It asks for the answer of whoever is the last to be asked, and that is us (RFC 9110 §7.6.2).
    #[error("the request goes no further")]
    LastHop,
    /// It is for another host than the connection was made for (RFC 9110 §15.5.20).
    #[error("the connection is for another host")]
    Misdirected,
    /// An expectation other than 100-continue.
    #[error("the expectation cannot be met")]
    Expectation,
    /// A body longer than the listener allows.
    #[error("the body is longer than allowed")]
    TooLarge,
    /// The rest of its body does not come.
    #[error("the rest of the body did not come in time")]
    BodyTimeout,
    /// No service takes it.
    #[error("nothing here serves this host and path")]
    NoService,
    /// Its service refuses everything now.
    #[error("the service cannot be reached now")]
    Rejected(#[from] Rejection),
    /// It was tried and failed.
    #[error("the request failed")]
    Failed(#[from] Failure),
}

impl Refused {
    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Violated(violation) => {
                StatusCode::from_u16(violation.status()).unwrap_or(StatusCode::BAD_REQUEST)
            }
            Self::Trace => StatusCode::METHOD_NOT_ALLOWED,
            Self::LastHop => StatusCode::OK,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadTimeout | Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::NoService => StatusCode::NOT_FOUND,
            Self::Rejected(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(failure) => StatusCode::from_u16(failure.cause.status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// The reason in logs, metrics and `details`.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Violated(violation) => violation.as_str(),
            Self::HeadTimeout => "head_timeout",
            Self::Trace => "trace_method",
            Self::LastHop => "max_forwards",
            Self::Misdirected => "misdirected",
            Self::Expectation => "expectation",
            Self::TooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::NoService => "no_service",
            Self::Rejected(rejection) => rejection.reason.as_str(),
            Self::Failed(failure) => failure.cause.as_str(),
        }
    }

    /// The error type of RFC 9209 §2.3.
    const fn error_type(&self) -> &'static str {
        match self {
            Self::Violated(_)
            | Self::HeadTimeout
            | Self::Trace
            | Self::LastHop
            | Self::Misdirected
            | Self::Expectation
            | Self::TooLarge
            | Self::BodyTimeout => "http_request_error",
            Self::NoService => "destination_not_found",
            Self::Rejected(_) => "destination_unavailable",
            Self::Failed(failure) => match failure.cause {
                Cause::Connect => "connection_refused",
                Cause::ConnectTimeout => "connection_timeout",
                Cause::Tls => "tls_protocol_error",
                Cause::Exhausted => "connection_limit_reached",
                Cause::ClosedUnsent | Cause::StreamRefused | Cause::Died => "connection_terminated",
                Cause::ResponseTimeout
                | Cause::TryTimeout
                | Cause::Silent
                | Cause::WentDown
                | Cause::Deadline
                | Cause::Idle => "http_response_timeout",
                Cause::Status | Cause::GrpcStatus => "destination_unavailable",
                Cause::ResponseMalformed => "http_protocol_error",
                Cause::ResponseCut => "http_response_incomplete",
                Cause::ClientGone | Cause::ClientMalformed => "http_request_error",
                Cause::Internal => "proxy_internal_error",
            },
        }
    }

    /// Who ended the request, and doing what; `None`: it has the answer it asked for.
    pub(crate) const fn end(&self) -> Option<(Side, Phase)> {
        Some(match self {
            Self::LastHop => return None,
            Self::Violated(_)
            | Self::HeadTimeout
            | Self::Trace
            | Self::Misdirected
            | Self::Expectation
            | Self::TooLarge
            | Self::BodyTimeout => (Side::Client, Phase::Receive),
            Self::NoService | Self::Rejected(_) => (Side::Us, Phase::Receive),
            Self::Failed(failure) => (failure.side, failure.phase),
        })
    }

    /// When to come back, in seconds.
    fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Rejected(rejection) => Some(rejection.retry_after_seconds),
            Self::Failed(failure) if failure.cause == Cause::Exhausted => Some(1),
            _ => None,
        }
    }

    /// Whether what the connection says next can be trusted to be a request.
    const fn poisons_connection(&self) -> bool {
        matches!(
            self,
            Self::Violated(_) | Self::HeadTimeout | Self::TooLarge | Self::BodyTimeout
        ) || matches!(self, Self::Failed(failure) if matches!(failure.side, Side::Client))
    }

    fn text(&self) -> Bytes {
        let mut text = BytesMut::with_capacity(96);
        text.extend_from_slice(
            self.status()
                .canonical_reason()
                .unwrap_or("Error")
                .as_bytes(),
        );
        text.extend_from_slice(b": ");
        text.extend_from_slice(self.reason().as_bytes());
        text.put_u8(b'\n');
        text.freeze()
    }
}

/// Our answer.
pub(crate) fn answer(refused: &Refused, mut exchange: Box<Exchange>) -> Response<ResponseBody> {
    exchange.refused(refused);
    let decision = exchange.decision_header();
    let ends = refused.poisons_connection() || exchange.has_unread_body();
    let intake = exchange.client.intake.clone().filter(|_| ends);
    let mut response = Response::new(ResponseBody::text(refused.text(), exchange));
    *response.status_mut() = refused.status();
    let headers = response.headers_mut();
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, text);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let (error, reason) = (refused.error_type(), refused.reason());
    let is_error = !matches!(refused, Refused::LastHop);
    let error = is_error.then(|| format!(" error={error};"));
    let status = format!("bascule;{} details=\"{reason}\"", error.unwrap_or_default());
    if let Ok(status) = HeaderValue::try_from(status) {
        headers.insert(PROXY_STATUS, status);
    }
    if let Some(seconds) = refused.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refused.status() == StatusCode::METHOD_NOT_ALLOWED || !is_error {
        headers.insert(header::ALLOW, ALLOWED);
    }
    if let Some(decision) = decision {
        headers.insert(hop::DECISION, decision);
    }
    // HTTP/2 refuses a stream, HTTP/1 all that the connection says next.
    if let Some(intake) = intake {
        intake.linger();
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
