//! **record**: what is known of one exchange, and what becomes of it when it is over: metrics, signals, the access log. An
//! exchange is recorded by its drop, so on every exit path: answered, refused, cut in the middle, client gone. Its tries are
//! followed in [`tries`].

mod tries;

pub(crate) use tries::{Beside, answered};

mod bond;
mod decision;

use std::rc::Rc;
use std::time::Duration;

use bascule_guard::Violation;
use bascule_model::Instant;
use bascule_telemetry::access::Entry;
use bascule_telemetry::{clock, names};
use bascule_traffic::retry::{Phase, Side};
use http::header::{HeaderMap, HeaderValue};
use http::{Method, Request, StatusCode, Uri, Version};
use http_body::Body;

use crate::affinity::Bond;
use crate::http::client::Client;
use crate::http::ids::Ids;
use crate::http::latency;
use crate::http::progress::{Direction, Flow, Progress};
use crate::http::refuse::Refused;
use crate::meters::Meters;
use crate::upstream::Endpoint;
use crate::view::{Lease, ServiceView, WorkerView};
use decision::Decision;

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// The connection it came over.
    pub(crate) client: Rc<Client>,
    /// The state it is handled by, from its beginning to its end.
    pub(crate) view: Rc<WorkerView>,
    /// How far it has come.
    pub(crate) progress: Rc<Progress>,
    method: Method,
    target: Uri,
    version: Version,
    has_body: bool,
    host: Option<HeaderValue>,
    ids: Option<Ids>,
    started: Instant,
    service: Option<Rc<ServiceView>>,
    /// What keeps it together with others, where its service wants that.
    bond: Option<Bond>,
    lease: Option<Lease>,
    attempts: u32,
    /// When the current try began, and when all tries together had been with backends until then.
    try_started: Instant,
    upstream: Duration,
    connect: Option<Duration>,
    /// When the head of the answer of the current try came.
    heard_at: Option<Instant>,
    head: Option<Duration>,
    status: Option<StatusCode>,
    phase: Phase,
    end: Option<(Side, Phase)>,
    /// Why the answer is ours, where it is.
    refused: Option<&'static str>,
    is_probe: bool,
    /// What is decided about it, where that is to be told.
    decision: Option<Box<Decision>>,
}

impl Exchange {
    /// A request's head has been read.
    pub(crate) fn begin<B: Body>(client: &Rc<Client>, request: &Request<B>) -> Box<Self> {
        let progress = client.begin();
        let started = progress.moved();
        Box::new(Self {
            view: client.worker.view(),
            progress,
            method: request.method().clone(),
            target: request.uri().clone(),
            version: request.version(),
            has_body: !request.body().is_end_stream(),
            host: request.headers().get(http::header::HOST).cloned(),
            ids: None,
            started,
            service: None,
            bond: None,
            lease: None,
            attempts: 0,
            try_started: started,
            upstream: Duration::ZERO,
            connect: None,
            heard_at: None,
            head: None,
            status: None,
            phase: Phase::Receive,
            end: None,
            refused: None,
            is_probe: false,
            decision: None,
            client: Rc::clone(client),
        })
    }

    /// Whether some of the request's body has not been read: what follows it cannot be reached without reading that.
    pub(crate) fn has_unread_body(&self) -> bool {
        self.has_body && self.progress.flow(Direction::Request) == Flow::Open
    }

    /// What its client speaks.
    pub(crate) const fn version(&self) -> Version {
        self.version
    }

    /// When its head had been read.
    pub(crate) const fn started(&self) -> Instant {
        self.started
    }

    /// The service is known.
    pub(crate) fn routed(&mut self, service: &Rc<ServiceView>) -> Rc<ServiceView> {
        self.progress
            .limit_idle(service.service.spec.timeouts.stream_idle);
        if let Some(load) = service.load_meter() {
            self.progress.count_by(load);
        }
        self.service = Some(Rc::clone(service));
        Rc::clone(service)
    }

    /// Keeps the request's ids, or gives it some.
    pub(crate) fn give_ids(&mut self, headers: &mut HeaderMap) {
        self.ids = Some(Ids::give(headers));
    }

    /// The client asks which backend answers; heard only with the edge's token.
    pub(crate) fn note_probe(&mut self, token: Option<HeaderValue>) {
        let expected = self.client.worker.probe_token.as_ref();
        self.is_probe = token.is_some() && token.as_ref() == expected;
    }

    /// The head of the backend's response goes to the client. Gives the backend's name where it was asked for.
    pub(crate) fn answered(&mut self, status: StatusCode) -> Option<HeaderValue> {
        let now = self.heard_at.unwrap_or_else(clock::now);
        let ttfb = now.since(self.try_started);
        self.upstream += ttfb;
        self.status = Some(status);
        self.head = Some(now.since(self.started));
        self.phase = Phase::Respond;
        self.progress.touch();
        // A client that is answered early may finish its body when it likes.
        self.progress.unhurry();
        let lease = self.lease.as_ref()?;
        lease.backend.meters.answered(ttfb);
        let backend = lease.backend.backend().filter(|_| self.is_probe)?;
        HeaderValue::from_str(backend.name.as_str()).ok()
    }

    /// It is answered by us.
    pub(crate) fn refused(&mut self, refused: &Refused) {
        self.status = Some(refused.status());
        self.head = Some(clock::now().since(self.started));
        self.end = refused.end();
        self.refused = Some(refused.reason());
        if self.end.is_none() {
            self.progress.end(Direction::Response, Flow::Done);
        }
        if !matches!(refused, Refused::Failed(_)) {
            self.close_try(false);
        }
        let service = self.service.as_ref().map(|s| s.service.name().to_string());
        let labels = [
            ("service", service.unwrap_or_default()),
            ("reason", refused.reason().to_owned()),
        ];
        metrics::with_local_recorder(self.client.worker.recorder(), || {
            metrics::counter!(names::REQUESTS_REFUSED, &labels).increment(1);
        });
    }

    /// Its backend sent what is no response, or not the one that was asked for.
    pub(crate) fn count_violation(&self, violation: Violation) {
        let lease = self.lease.as_ref();
        let backend = lease.and_then(|lease| lease.backend.backend());
        let backend = backend.map_or_else(String::new, |backend| backend.name.to_string());
        let service = self.service.as_ref().map(|s| s.service.name().to_string());
        let labels = [
            ("service", service.unwrap_or_default()),
            ("backend", backend),
            ("reason", violation.as_str().to_owned()),
        ];
        metrics::with_local_recorder(self.client.worker.recorder(), || {
            metrics::counter!(names::RESPONSES_REFUSED, &labels).increment(1);
        });
    }

    /// Our text is let go of; whether it was taken whole.
    pub(crate) fn text_left(&mut self, whole: bool) {
        if !whole && self.method != Method::HEAD {
            self.end = Some((Side::Client, Phase::Respond));
        }
    }

    /// The endpoint of the current try, and for how long that has been going on; where its service wants to know.
    pub(crate) fn timed_try(&self) -> Option<(&Endpoint, Duration)> {
        self.timed(self.lease.as_ref()?, self.try_started)
    }

    /// The same of any try of it.
    fn timed<'a>(&self, lease: &'a Lease, started: Instant) -> Option<(&'a Endpoint, Duration)> {
        let service = self.service.as_ref()?;
        let timed = || (&*lease.endpoint, clock::now().since(started));
        service.chooses_by_latency().then(timed)
    }

    /// Who ended it, and doing what; `None`: it ended well.
    fn ended(&self) -> Option<(Side, Phase)> {
        if self.end.is_some() {
            return self.end;
        }
        if self.status.is_none() {
            return Some((Side::Client, self.phase));
        }
        match self.progress.flow(Direction::Response) {
            Flow::Done => None,
            Flow::Broken | Flow::TooLarge => Some((Side::Upstream, Phase::Respond)),
            Flow::Open
                if self.progress.is_stalled() && self.progress.is_starved(Direction::Response) =>
            {
                Some((Side::Upstream, Phase::Respond))
            }
            Flow::Open => Some((Side::Client, Phase::Respond)),
        }
    }

    fn meters(&self) -> &Meters {
        let unserved = || {
            self.service
                .as_ref()
                .map_or(&self.view.unrouted, |s| &s.unserved)
        };
        self.lease
            .as_ref()
            .map_or_else(unserved, |lease| &lease.backend.meters)
    }

    fn record(&mut self) {
        let now = clock::now();
        let total = now.since(self.started);
        self.note_use(now);
        let end = self.ended();
        if matches!(self.progress.flow(Direction::Response), Flow::Broken) {
            self.cut_by_endpoint();
        }
        let is_answer = self.status.is_some() && self.end.is_none();
        // A try that failed, or was refused in the middle, has been counted already.
        if is_answer || self.status.is_none() {
            let is_error = self.status.is_some_and(|status| status.is_server_error());
            self.close_try(is_error || end.is_some_and(|(side, _)| side == Side::Upstream));
        }
        if self.status.is_none() && self.phase != Phase::Receive {
            latency::given_up(self);
        }
        let meters = self.meters();
        meters.request(self.status, total);
        for direction in [Direction::Request, Direction::Response] {
            meters.bytes(direction, self.progress.bytes(direction));
        }
        let overhead = self.head.map(|head| head.saturating_sub(self.upstream));
        if let Some(overhead) = overhead {
            self.client.worker.record_overhead(overhead);
        }
        let failed = end.is_some() || self.status.is_some_and(|status| status.is_server_error());
        let log = self.client.worker.access.as_ref();
        if log.is_some_and(|log| log.wants(failed)) || self.logs_decision() {
            self.log(end, total, overhead);
        }
        self.client.end();
    }

    fn log(&self, end: Option<(Side, Phase)>, total: Duration, overhead: Option<Duration>) {
        let Some(log) = &self.client.worker.access else {
            return;
        };
        let lease = self.lease.as_ref();
        let backend = lease.and_then(|lease| lease.backend.backend());
        let endpoint = lease.map(|lease| lease.endpoint.id_ref().label());
        let text = |value: &HeaderValue| value.to_str().unwrap_or("").to_owned();
        let host = self.host.as_ref().map(text);
        let host = host.or_else(|| self.target.authority().map(ToString::to_string));
        let path = self.client.worker.logged_path(&self.target);
        let client = self.client.origin.address.ip().to_string();
        let decision = self.logged_decision();
        let end = end.map(|(side, phase)| format!("{}:{}", side.as_str(), phase.as_str()));
        log.record(&Entry {
            request_id: self
                .ids
                .as_ref()
                .map_or("", |ids| ids.request.to_str().unwrap_or("")),
            trace_id: self.ids.as_ref().map(Ids::trace_id),
            service: self.service.as_ref().map(|s| s.service.name().as_str()),
            backend: backend.map(|backend| backend.name.as_str()),
            provider: backend.map(|backend| backend.provider.as_str()),
            endpoint: endpoint.as_deref(),
            method: self.method.as_str(),
            path: &path,
            status: self.status.map_or(0, |status| status.as_u16()),
            version: match self.version {
                Version::HTTP_10 => "1.0",
                Version::HTTP_2 => "2",
                _ => "1.1",
            },
            client: &client,
            host: host.as_deref().unwrap_or(""),
            bytes_in: self.progress.bytes(Direction::Request),
            bytes_out: self.progress.bytes(Direction::Response),
            t_connect: self.connect,
            t_ttfb: self.head,
            t_total: total,
            t_overhead: overhead,
            pick: lease.map(|lease| lease.choice.why.as_str()),
            attempts: self.attempts,
            end: end.as_deref().unwrap_or("ok"),
            reason: self.refused,
            decision: decision.as_ref(),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.record();
    }
}
