//! What an answer of AWS means, in one of the five kinds that callers match, with what a person can do about it: the
//! permission that is missing by its exact name, the key that is wrong, the clock that is off. By AWS's codes, never by its
//! prose. Pure; keys and tokens are never part of it.

use std::time::Duration;

use bascule_model::Timestamp;
use bascule_provider::fields;
use bascule_provider::identity::{SKEW_TOLD, Skew};
use bascule_provider::text::shown;
use bascule_provider::{Error, Kind};
use bytes::Bytes;

use crate::request::Request;
use crate::send::Answer;

/// What helps when the answer is none of the API's.
pub(crate) const FIX_ENDPOINT: &str =
    "see that `endpoint` and `region` name AWS and no proxy answers in its place";

/// What an answer says before its body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    /// Its status.
    pub(crate) status: u16,
    /// AWS's number of the request.
    pub(crate) request_id: Option<String>,
    /// The code, where the JSON protocol has it in a header.
    pub(crate) error_type: Option<String>,
    /// How long to wait.
    pub(crate) retry_after: Option<String>,
    /// AWS's clock.
    pub(crate) date: Option<String>,
}

/// What AWS says is wrong.
#[derive(Debug, Default, PartialEq, Eq)]
struct Refusal {
    code: String,
    message: String,
    request_id: Option<String>,
}

/// The answer, or what is wrong, as it stood at `now` by our own clock.
///
/// # Errors
/// [`Error`] for any status but 200 to 299.
pub(crate) fn judged(
    request: &Request,
    head: &Head,
    body: Bytes,
    now: Timestamp,
) -> Result<Answer, Error> {
    let text = String::from_utf8(Vec::from(body));
    if (200..300).contains(&head.status) {
        let answer = Answer {
            call: request.call,
            resource: request.resource.clone(),
            body: String::new(),
            request_id: head.request_id.clone(),
            skew: Skew::of(head.date.as_deref(), now, SKEW_TOLD),
        };
        return match text {
            Ok(body) => Ok(Answer { body, ..answer }),
            Err(_) => Err(answer.unfit("the answer is not text")),
        };
    }
    let refusal = text.ok().and_then(|text| refusal(head, &text));
    let error = |kind| Error::new(kind, request.call, request.resource.clone());
    let Some(refusal) = refusal else {
        let detail = format!("status {} without an error of the API", head.status);
        let error = match kind_of_status(head, now) {
            Kind::Invalid => error(Kind::Invalid).fix(FIX_ENDPOINT),
            kind => error(kind),
        };
        return Err(error.detail(detail).request_id(head.request_id.clone()));
    };
    let code = refusal.code.as_str();
    let detail = format!(
        "{} {}: {}",
        head.status,
        shown(code),
        shown(first_line(&refusal.message))
    );
    let kind = kind_of(code, head, now);
    let out = error(kind).detail(detail);
    let id = refusal.request_id.or_else(|| head.request_id.clone());
    let out = out.request_id(id);
    Err(match fix(code, kind, request, head, now) {
        Some(fix) => out.fix(fix),
        None => out,
    })
}

/// The first line of what AWS says. Where a signature does not match it repeats on further lines what was to be signed, the
/// session token among it.
fn first_line(text: &str) -> &str {
    let line = text.trim_start().lines().next().unwrap_or_default();
    line.split("The Canonical String")
        .next()
        .unwrap_or_default()
}

/// The kind by AWS's code; by the status where the code says nothing.
fn kind_of(code: &str, head: &Head, now: Timestamp) -> Kind {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "SlowDown"
        | "EC2ThrottledException" => Kind::Throttled {
            retry_after: retry_after(head, now),
        },
        "PriorRequestNotComplete"
        | "ConflictException"
        | "TransactionInProgressException"
        | "ResourceInUse"
        | "OperationInProgress"
        // A machine that was listed a moment ago: it has gone, or EC2 does not know it everywhere yet.
        | "InvalidInstanceID.NotFound" => Kind::Conflict,
        _ if is_denied(code) => Kind::Denied,
        "InternalFailure"
        | "InternalError"
        | "InternalServiceErrorException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "Unavailable" => Kind::Transient,
        _ => kind_of_status(head, now),
    }
}

fn kind_of_status(head: &Head, now: Timestamp) -> Kind {
    match head.status {
        429 => Kind::Throttled {
            retry_after: retry_after(head, now),
        },
        401 | 403 => Kind::Denied,
        408 | 500..=599 => Kind::Transient,
        409 => Kind::Conflict,
        _ => Kind::Invalid,
    }
}

fn retry_after(head: &Head, now: Timestamp) -> Option<Duration> {
    fields::retry_after(head.retry_after.as_deref()?, now)
}

fn is_denied(code: &str) -> bool {
    lacks_permission(code) || credentials_fix(code).is_some() || is_of_time(code)
}

/// Codes that say: the key is good, but this it may not do.
fn lacks_permission(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "Forbidden"
    )
}

/// Codes that may mean a clock that is off.
fn is_of_time(code: &str) -> bool {
    matches!(
        code,
        "RequestTimeTooSkewed"
            | "RequestExpired"
            | "RequestInTheFuture"
            | "SignatureDoesNotMatch"
            | "InvalidSignatureException"
    )
}

/// What is wrong with the credentials themselves.
fn credentials_fix(code: &str) -> Option<&'static str> {
    Some(match code {
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "the session token has expired: renew it where it comes from"
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "AuthFailure"
        | "InvalidAccessKeyId" => {
            "AWS does not know this access key or token: see AWS_ACCESS_KEY_ID, AWS_SESSION_TOKEN or the profile, and the region's partition"
        }
        "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => {
            "the signature was lost on the way: no proxy may remove the Authorization header"
        }
        "OptInRequired" | "SubscriptionRequiredException" => {
            "the account may not use this service or region: enable it in the AWS account"
        }
        _ => return None,
    })
}

fn fix(code: &str, kind: Kind, request: &Request, head: &Head, now: Timestamp) -> Option<String> {
    if let Some(fix) = credentials_fix(code) {
        return Some(fix.to_owned());
    }
    if is_of_time(code) {
        return Some(match Skew::of(head.date.as_deref(), now, SKEW_BORNE) {
            Some(skew) => format!("{}: set it right", skew.from("AWS")),
            None => "the secret does not belong to this access key: see AWS_SECRET_ACCESS_KEY or \
                     the profile"
                .to_owned(),
        });
    }
    if kind == Kind::Denied {
        return Some(format!(
            "allow {} on {} in the IAM policy of this identity",
            request.call,
            policy_resource(request)
        ));
    }
    None
}

/// What a policy names for this call: its resource, where IAM knows that of the call; most that only look know none.
fn policy_resource(request: &Request) -> &str {
    let looks = request.call.starts_with("elasticloadbalancing:Describe");
    if request.resource.starts_with("arn:") && !looks {
        &request.resource
    } else {
        "*"
    }
}

/// AWS bears five minutes; a minute less leaves room for the way there.
const SKEW_BORNE: Duration = Duration::from_secs(240);

/// What AWS says is wrong, in any of its protocols' ways of saying so.
fn refusal(head: &Head, text: &str) -> Option<Refusal> {
    let text = text.trim_start();
    if text.starts_with('{') {
        return of_json(head, text);
    }
    let document = roxmltree::Document::parse(text).ok()?;
    let named = |names: &[&str]| {
        document
            .descendants()
            .find(|node| node.is_element() && names.contains(&node.tag_name().name()))
            .and_then(|node| node.text())
            .map(|text| text.trim().to_owned())
    };
    let root = document.root_element().tag_name().name();
    // Route 53 says of a batch only which of its changes are wrong.
    let code =
        named(&["Code"]).or_else(|| (root == "InvalidChangeBatch").then(|| root.to_owned()))?;
    let messages: Vec<&str> = document
        .descendants()
        .filter(|node| node.tag_name().name() == "Message")
        .filter_map(|node| node.text())
        .collect();
    Some(Refusal {
        code,
        message: messages.join("; "),
        request_id: named(&["RequestId", "RequestID"]),
    })
}

fn of_json(head: &Head, text: &str) -> Option<Refusal> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let field = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| json.get(name)?.as_str())
            .map(str::to_owned)
    };
    let code = head
        .error_type
        .clone()
        .or_else(|| field(["__type", "code"]))?;
    // `namespace#Code:where it is documented`
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    Some(Refusal {
        code: code.to_owned(),
        message: field(["message", "Message"]).unwrap_or_default(),
        request_id: None,
    })
}

#[cfg(test)]
mod tests;
