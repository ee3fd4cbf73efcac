//! **forward**: the head of a request as the backend gets it, and the head of a response as the client gets it. A request
//! is re-encoded, never copied: what belongs to the client's hop is gone before anything is added. The bodies are moved
//! by the pump of [`body`](crate::http::body).

use std::rc::Rc;

use bascule_traffic::retry::{self, Body, RequestFacts, Written};
use bascule_traffic::spec::{HostPolicy, RetryPolicy};
use bascule_traffic::suspect::Repeatable;
use bytes::BytesMut;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Uri};
use http::{Method, Request, Response, Version};
use http_body::Body as _;
use hyper::body::Incoming;

use crate::http::body::{Kept, Pump, Replay, RequestBody, ResponseBody};
use crate::http::check::Asked;
use crate::http::expect::Gate;
use crate::http::record::Exchange;
use crate::http::refuse::Refused;
use crate::http::{hop, origin};
use crate::upstream::{Endpoint, Loan};

/// Asks, with the edge's token, to be told which backend answered.
pub(crate) const PROBE: HeaderName = HeaderName::from_static("x-bascule-probe");
/// Says it.
const BACKEND: HeaderName = HeaderName::from_static("x-bascule-backend");

/// A request on its way: as it will be sent to whichever endpoint, and what is kept to send it once more.
#[derive(Debug)]
pub(crate) struct Outgoing {
    asked: Asked,
    request: Option<Request<RequestBody>>,
    spare: Option<Spare>,
    replay: Option<Rc<Replay>>,
    takes_trailers: bool,
    idempotent: bool,
    is_call: bool,
    has_body: bool,
}

/// What is kept of the head of a request that may be sent again: a flat list is cheaper than a header map.
#[derive(Debug)]
struct Spare {
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Makes a client's request one of ours.
pub(crate) fn request(
    request: Request<Incoming>,
    asked: Asked,
    exchange: &mut Exchange,
) -> Result<Outgoing, Refused> {
    let (mut parts, incoming) = request.into_parts();
    let bytes_max = exchange
        .client
        .listener
        .limits
        .request_body
        .unwrap_or(u64::MAX);
    if incoming.size_hint().lower() > bytes_max {
        return Err(Refused::TooLarge);
    }
    let is_call = is_message_stream(&parts.headers);
    if is_call {
        exchange.progress.unhurry();
    }
    let takes_trailers = hop::takes_trailers(&parts.headers);
    hop::strip(&mut parts.headers);
    if parts.version == Version::HTTP_10 {
        // It has no expectations (RFC 9110 §10.1.1).
        parts.headers.remove(header::EXPECT);
    }
    if parts.method == Method::OPTIONS {
        hop::count_down(&mut parts.headers);
    }
    exchange.note_probe(parts.headers.remove(PROBE));
    exchange
        .client
        .origin
        .tell(&mut parts.headers, asked.host.as_ref());
    origin::via(&mut parts.headers, parts.version);
    join_cookies(&mut parts.headers);
    exchange.give_ids(&mut parts.headers);
    let body = if incoming.is_end_stream() {
        RequestBody::Empty
    } else {
        let progress = Rc::clone(&exchange.progress);
        let pump = Pump::of_request(incoming, parts.version, progress, bytes_max);
        RequestBody::of(pump)
    };
    let has_body = !matches!(body, RequestBody::Empty);
    if !has_body {
        say_that_no_body_follows(&parts.method, &mut parts.headers);
    }
    parts.extensions.clear();
    Ok(Outgoing {
        idempotent: retry::is_idempotent(parts.method.as_str()),
        request: Some(Request::from_parts(parts, body)),
        spare: None,
        replay: None,
        asked,
        takes_trailers,
        is_call,
        has_body,
    })
}

/// gRPC: a client may be silent for long between two messages, and a backend before it answers.
fn is_message_stream(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// HTTP/2 clients may send each cookie in a field of its own; everywhere else they are one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut joined = BytesMut::from(first.as_bytes());
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(joined) = HeaderValue::from_maybe_shared(joined.freeze()) {
        headers.insert(header::COOKIE, joined);
    }
}

/// A method that usually has a body says so when it has none (RFC 9110 §8.6); nobody waits for a body that never comes.
fn say_that_no_body_follows(method: &Method, headers: &mut HeaderMap) {
    headers.remove(header::EXPECT);
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

impl Outgoing {
    /// Keeps what is needed to send it once more after it was sent, if that could be allowed at all. Of a body nothing is
    /// kept that is known to be too long.
    pub(crate) fn keep(&mut self, policy: &RetryPolicy, kept: &Rc<Kept>) {
        let may_repeat = self.idempotent || (self.is_call && !policy.when.grpc.is_empty());
        if may_repeat && policy.attempts > 1 {
            self.keep_all(policy, kept);
        }
    }

    /// The same for whatever request, before it goes over a connection on which an endpoint can refuse it unprocessed.
    pub(crate) fn keep_for(&mut self, version: Version, policy: &RetryPolicy, kept: &Rc<Kept>) {
        if version == Version::HTTP_2 && policy.attempts > 1 {
            self.keep_all(policy, kept);
        }
    }

    fn keep_all(&mut self, policy: &RetryPolicy, kept: &Rc<Kept>) {
        if self.spare.is_some() {
            return;
        }
        let Some(request) = self.request.as_mut() else {
            return;
        };
        let size = request.body().size_hint();
        if self.has_body {
            if size.lower() > policy.replay_body || policy.replay_body == 0 {
                return;
            }
            let bytes_max = usize::try_from(policy.replay_body).unwrap_or(usize::MAX);
            self.replay = request.body_mut().keep(bytes_max, kept);
        }
        let own = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
        self.spare = Some(Spare {
            method: request.method().clone(),
            headers: request.headers().iter().map(own).collect(),
        });
    }

    /// There will be no other try.
    pub(crate) fn release(&self) {
        if let Some(replay) = &self.replay {
            replay.release();
        }
    }

    /// Gives the request to send next: the one that was not sent, or a new one made from what was kept.
    pub(crate) fn take(&mut self) -> Option<Request<RequestBody>> {
        self.request.take().or_else(|| self.copy())
    }

    /// One more of it, made from what was kept.
    fn copy(&self) -> Option<Request<RequestBody>> {
        let spare = self.spare.as_ref()?;
        let body = match &self.replay {
            Some(replay) => RequestBody::again(replay),
            None if self.has_body => return None,
            None => RequestBody::Empty,
        };
        let mut request = Request::new(body);
        *request.method_mut() = spare.method.clone();
        let headers = request.headers_mut();
        // What was expected has been heard, or the body would not have been read.
        let expected = |name: &HeaderName| *name == header::EXPECT;
        for (name, value) in spare.headers.iter().filter(|(name, _)| !expected(name)) {
            headers.append(name.clone(), value.clone());
        }
        Some(request)
    }

    /// Gives one more of it to send beside the one that is under way, if there can be one.
    pub(crate) fn second(&self) -> Option<Request<RequestBody>> {
        let is_here = self.replay.as_ref().is_none_or(|replay| replay.has_all());
        // Asked first: a copy takes the body away from the try that is under way.
        is_here.then(|| self.copy()).flatten()
    }

    /// Whether the client sends a body.
    pub(crate) const fn has_body(&self) -> bool {
        self.has_body
    }

    /// Whether it is a gRPC call.
    pub(crate) const fn is_call(&self) -> bool {
        self.is_call
    }

    /// Whether doing it twice is as good as once, and it can be.
    pub(crate) const fn repeatable(&self) -> Repeatable {
        if self.idempotent && (!self.has_body || self.replay.is_some()) {
            Repeatable::Yes
        } else {
            Repeatable::No
        }
    }

    /// Takes a request back of which certainly nothing was sent.
    pub(crate) fn put_back(&mut self, request: Request<RequestBody>) {
        self.request = Some(request.map(RequestBody::opened));
    }

    /// What the decision on another try needs to know.
    pub(crate) fn facts(&self, attempts_done: u8) -> RequestFacts {
        let unsent = self.request.is_some();
        let is_kept = self.replay.as_ref().is_some_and(|replay| replay.is_whole());
        RequestFacts {
            idempotent: self.idempotent,
            body: match (self.has_body, unsent) {
                (false, _) => Body::None,
                (true, true) => Body::Unread,
                (true, false) if is_kept => Body::Replayable,
                (true, false) => Body::Streamed,
            },
            written: if unsent {
                Written::Nothing
            } else {
                Written::Something
            },
            attempts_done,
        }
    }

    /// Addresses a request to an endpoint, in the form the connection's version needs.
    pub(crate) fn address(
        &self,
        mut request: Request<RequestBody>,
        endpoint: &Endpoint,
        policy: HostPolicy,
        version: Version,
    ) -> Request<RequestBody> {
        let own = policy == HostPolicy::Endpoint || self.asked.host.is_none();
        let host = if own {
            endpoint.host()
        } else {
            self.asked.host.as_ref()
        };
        let is_http2 = version == Version::HTTP_2;
        *request.version_mut() = version;
        *request.uri_mut() = if is_http2 {
            let own = endpoint.authority().filter(|_| own).cloned();
            let asked = || host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
            self.absolute(endpoint, own.or_else(asked))
        } else {
            Uri::from(self.asked.path.clone())
        };
        let has_length = request.body().size_hint().exact().is_some();
        let headers = request.headers_mut();
        match host.filter(|_| !is_http2) {
            Some(host) => headers.insert(header::HOST, host.clone()),
            None => headers.remove(header::HOST),
        };
        if !is_http2 && self.has_body && !has_length {
            // Said here, as the engine sends no body of unknown length with methods that seldom have one.
            let chunked = HeaderValue::from_static("chunked");
            headers.insert(header::TRANSFER_ENCODING, chunked);
        }
        if self.takes_trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if !is_http2 {
                headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
            }
        }
        self.gate(request, is_http2)
    }

    fn absolute(&self, endpoint: &Endpoint, authority: Option<Authority>) -> Uri {
        let path = self.asked.path.clone();
        let Some(authority) = authority else {
            return Uri::from(path);
        };
        let parts = Uri::builder()
            .scheme(endpoint.uri_scheme())
            .authority(authority);
        // A checked host and a parsed path always make a URI.
        parts.path_and_query(path).build().unwrap_or_default()
    }

    fn gate(&self, mut request: Request<RequestBody>, is_http2: bool) -> Request<RequestBody> {
        if !self.has_body || !request.headers().contains_key(header::EXPECT) {
            return request;
        }
        if is_http2 {
            request.headers_mut().remove(header::EXPECT);
            return request;
        }
        let gate = Gate::before(&mut request);
        request.map(|body| body.gated(gate))
    }
}

/// Makes a backend's response one of ours.
pub(crate) fn response(
    (response, loan): (Response<Incoming>, Loan),
    mut exchange: Box<Exchange>,
) -> Response<ResponseBody> {
    let (mut parts, incoming) = response.into_parts();
    hop::strip(&mut parts.headers);
    origin::via(&mut parts.headers, parts.version);
    let version = std::mem::replace(&mut parts.version, Version::HTTP_11);
    parts.extensions.clear();
    if let Some(backend) = exchange.answered(parts.status) {
        parts.headers.insert(BACKEND, backend);
    }
    if let Some(decision) = exchange.decision_header() {
        parts.headers.insert(hop::DECISION, decision);
    }
    if let Some(cookie) = exchange.cookie() {
        parts.headers.append(header::SET_COOKIE, cookie);
    }
    Response::from_parts(
        parts,
        ResponseBody::backend(incoming, version, loan, exchange),
    )
}
