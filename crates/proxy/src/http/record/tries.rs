//! The tries of an exchange: where each goes, how long it takes, how it ends, and what that says of the endpoint. What it
//! says is told to the endpoint's watch, and counted for the judge, who hears of failures at once. Nothing here decides
//! whether there is another try.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bascule_model::{FailureClass, Instant, TrafficFailure};
use bascule_telemetry::{clock, names};
use bascule_traffic::retry::{Answered, Cause, Failure, Phase, Side};
use bascule_traffic::spec::{HostPolicy, RetryPolicy};
use bascule_traffic::suspect::Outcome;
use http::Response;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::body::Incoming;

use super::Exchange;
use super::decision::Became;
use crate::http::forward::Outgoing;
use crate::http::latency;
use crate::upstream::Endpoint;
use crate::view::Lease;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// A second try's place, beside the one the exchange has.
#[derive(Debug)]
pub(crate) struct Beside {
    lease: Lease,
    started: Instant,
}

impl Beside {
    /// Where it goes.
    pub(crate) fn endpoint(&self) -> (Rc<Endpoint>, HostPolicy) {
        let host = self.lease.backend.backend().map(|backend| backend.host);
        (Rc::clone(&self.lease.endpoint), host.unwrap_or_default())
    }

    /// It is over.
    fn close(&self, failed: bool) {
        let took = clock::now().since(self.started);
        self.lease.end(took, failed);
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Where that has not been said before, nobody waits for it any more: that speaks for or against no one.
        self.close(false);
    }
}

impl Exchange {
    /// A try begins.
    pub(crate) fn trying(&mut self, lease: Lease) {
        self.note_try(lease.choice);
        self.lease = Some(lease);
        self.attempts = self.attempts.saturating_add(1);
        self.phase = Phase::Connect;
        self.connect = None;
        self.heard_at = None;
        self.try_started = clock::now();
        self.note_use(self.try_started);
    }

    /// Where the current try goes.
    pub(crate) fn endpoint(&self) -> Option<(Rc<Endpoint>, HostPolicy)> {
        let lease = self.lease.as_ref()?;
        let host = lease.backend.backend()?.host;
        Some((Rc::clone(&lease.endpoint), host))
    }

    /// There is a connection; `took` is how long making it took, nothing when it was reused.
    pub(crate) fn connected(&mut self, took: Option<Duration>) {
        self.phase = Phase::Await;
        self.connect = took;
        if let (Some(took), Some(lease)) = (took, &self.lease) {
            lease.backend.meters.connected(took);
        }
    }

    /// The head of an answer to the current try came. What it says, apart from what it holds.
    pub(crate) fn heard(
        &mut self,
        response: &Response<Incoming>,
        policy: &RetryPolicy,
        outgoing: &Outgoing,
    ) -> Answered {
        let answered = answered(response, outgoing);
        if self.heard_at.is_some() {
            // It was heard when it came, and kept while a second try was waited for.
            return answered;
        }
        let now = clock::now();
        self.heard_at = Some(now);
        latency::answered(self.timed_try(), &answered);
        if let Some(lease) = &self.lease {
            self.hear(lease, (now, self.try_started), &answered, policy);
        }
        self.note_end(Became::Answered(answered.status));
        answered
    }

    /// What an answer that came `now` to a try that began at `asked` says of the endpoint.
    fn hear(
        &self,
        lease: &Lease,
        (now, asked): (Instant, Instant),
        answered: &Answered,
        policy: &RetryPolicy,
    ) {
        let had_failed = lease.has_failed();
        match answered.against_endpoint() {
            Some(class) => self.count_failure(lease, class),
            None => lease.succeeded(now.since(asked)),
        }
        let outcome = answered.outcome(policy.when);
        let is_news = !(had_failed && matches!(outcome, Outcome::Failed { .. }));
        let watch = &lease.endpoint.watch;
        if watch.answered(now, asked, Some(outcome).filter(|_| is_news)) {
            self.suspected(lease, "status");
        }
    }

    /// The answer that was heard goes to nobody: the request is tried elsewhere.
    pub(crate) fn thrown_away(&mut self) {
        self.close_try(true);
    }

    /// The current try failed.
    pub(crate) fn failed(&mut self, failure: &Failure) {
        let took = clock::now().since(self.try_started);
        self.failed_after(took, failure);
    }

    /// The first of two tries failed; the second is waited for.
    pub(crate) fn failed_first(&mut self, failure: &Failure, beside: &Beside) {
        self.failed_after(self.alone(beside), failure);
    }

    fn failed_after(&mut self, took: Duration, failure: &Failure) {
        self.note_end(Became::Failed(failure.cause));
        self.close_try_after(took, failure.side == Side::Upstream);
        if failure.side == Side::Upstream {
            latency::failed(self.timed_try());
        }
        if let (Some(outcome), Some(lease)) = (failure.outcome(), &self.lease)
            && failure.endpoint.is_some()
        {
            self.tell(lease, self.try_started, outcome, failure.cause);
        }
    }

    /// The current try takes strangely long, and is waited for all the same.
    pub(crate) fn strange(&self, cause: Cause) {
        let failure = Failure::new(cause, None);
        if let (Some(outcome), Some(lease)) = (failure.outcome(), &self.lease) {
            self.tell(lease, self.try_started, outcome, cause);
        }
    }

    /// The endpoint broke its answer off.
    pub(super) fn cut_by_endpoint(&self) {
        let failure = Failure::new(Cause::ResponseCut, None);
        if let (Some(outcome), Some(lease)) = (failure.outcome(), &self.lease) {
            self.tell(lease, self.try_started, outcome, Cause::ResponseCut);
        }
    }

    /// A second try begins beside the current one.
    pub(crate) fn beside(&mut self, lease: Lease) -> Beside {
        self.attempts = self.attempts.saturating_add(1);
        self.note_try(lease.choice);
        let started = clock::now();
        Beside { lease, started }
    }

    /// The second of two tries was answered, and another answer is wanted in its place.
    pub(crate) fn heard_beside(
        &mut self,
        beside: &Beside,
        answered: &Answered,
        policy: &RetryPolicy,
    ) {
        self.note_end_of(beside.lease.choice, Became::Answered(answered.status));
        beside.close(true);
        latency::answered(self.timed(&beside.lease, beside.started), answered);
        let when = (clock::now(), beside.started);
        self.hear(&beside.lease, when, answered, policy);
    }

    /// The second of two tries failed; what the first brings is waited for, or here.
    pub(crate) fn failed_beside(&mut self, beside: &Beside, failure: &Failure) {
        self.note_end_of(beside.lease.choice, Became::Failed(failure.cause));
        let is_theirs = failure.side == Side::Upstream;
        beside.close(is_theirs);
        if is_theirs {
            latency::failed(self.timed(&beside.lease, beside.started));
        }
        if let Some(outcome) = failure.outcome() {
            self.tell(&beside.lease, beside.started, outcome, failure.cause);
        }
    }

    /// The second of two tries is the one that counts from now on; `took` is how long connecting took.
    pub(crate) fn overtaken(&mut self, mut beside: Beside, took: Option<Duration>) {
        let was_waited_for = self.lease.as_ref().is_some_and(|first| !first.has_ended());
        if was_waited_for && self.heard_at.is_none() {
            latency::given_up(self);
        }
        self.close_try_after(self.alone(&beside), true);
        if let Some(lease) = &mut self.lease {
            std::mem::swap(lease, &mut beside.lease);
        }
        self.try_started = beside.started;
        self.heard_at = None;
        self.connected(took);
    }

    /// How long the first of two tries was the only one: what they have in common is counted once.
    fn alone(&self, beside: &Beside) -> Duration {
        beside.started.since(self.try_started)
    }

    /// Whether the current try was made over a connection that had carried a request before, and that is what failed.
    pub(crate) fn kept_connection_died(&self, failure: &Failure) -> bool {
        self.phase == Phase::Await && self.connect.is_none() && failure.cause == Cause::Died
    }

    /// It is tried once more.
    pub(crate) fn retrying(&self, next: Option<&Lease>, cause: Cause) {
        let name = |lease: Option<&Lease>| {
            let backend = lease.and_then(|lease| lease.backend.backend());
            backend.map_or_else(String::new, |backend| backend.name.to_string())
        };
        let service = self.service.as_ref();
        let labels = [
            (
                "service",
                service.map_or_else(String::new, |s| s.service.name().to_string()),
            ),
            ("from", name(self.lease.as_ref())),
            ("to", name(next)),
            ("reason", cause.as_str().to_owned()),
        ];
        metrics::with_local_recorder(self.client.worker.recorder(), || {
            metrics::counter!(names::RETRIES, &labels).increment(1);
        });
    }

    /// An endpoint failed: counted for the judge, who is told at once; each try once.
    fn count_failure(&self, lease: &Lease, class: FailureClass) {
        if lease.failed(class) {
            let endpoint = lease.endpoint.id();
            let worker = &self.client.worker;
            worker.report_failure(TrafficFailure { endpoint, class });
        }
    }

    /// Tells the judge, and the endpoint's watch. What was said of the same try before is not said again, but for silence:
    /// that alone is enough for suspicion, and a try that took too long before is not.
    fn tell(&self, lease: &Lease, asked: Instant, outcome: Outcome, cause: Cause) {
        let is_news = !lease.has_failed() || outcome == Outcome::Silent;
        if let Some(class) = cause.against_endpoint() {
            self.count_failure(lease, class);
        }
        if is_news && lease.endpoint.watch.failed(clock::now(), asked, outcome) {
            self.suspected(lease, cause.as_str());
        }
    }

    /// An endpoint is suspected from now on: it is counted. The failure has it checked at once.
    #[cold]
    fn suspected(&self, lease: &Lease, reason: &'static str) {
        let endpoint = lease.endpoint.id();
        tracing::info!(event = "endpoint_suspected", %endpoint, reason, "it gets trials alone");
        let backend = lease.backend.backend();
        let name = |name: Option<String>| name.unwrap_or_default();
        let labels = [
            ("service", endpoint.service.to_string()),
            ("backend", endpoint.backend.to_string()),
            ("provider", name(backend.map(|b| b.provider.to_string()))),
            ("reason", reason.to_owned()),
        ];
        metrics::with_local_recorder(self.client.worker.recorder(), || {
            metrics::counter!(names::SUSPICIONS, &labels).increment(1);
        });
    }

    /// The current try is over, if it was not before. Its place is given back with the exchange: the name of the last backend is recorded.
    pub(super) fn close_try(&mut self, failed: bool) {
        let took = clock::now().since(self.try_started);
        self.close_try_after(took, failed);
    }

    fn close_try_after(&mut self, took: Duration, failed: bool) {
        let is_news = self
            .lease
            .as_ref()
            .is_none_or(|lease| lease.end(took, failed));
        if is_news && self.status.is_none() {
            self.upstream += took;
        }
    }
}

/// What the head of an answer says.
pub(crate) fn answered(response: &Response<Incoming>, outgoing: &Outgoing) -> Answered {
    let status = response.status().as_u16();
    let headers = response.headers();
    let grpc = outgoing.is_call().then(|| grpc_status(headers)).flatten();
    let says_more = status == 429 || status >= 500 || grpc.is_some_and(|code| code != 0);
    Answered {
        status,
        grpc,
        retry_after: says_more.then(|| retry_after(headers)).flatten(),
    }
}

/// The status of a gRPC call that stands in the head of an answer, because nothing else follows.
fn grpc_status(headers: &HeaderMap) -> Option<u8> {
    headers.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

/// How long an endpoint asks to be left alone: seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?;
    wait_of(
        value,
        UNIX_EPOCH + Duration::from_millis(clock::wall().as_millis()),
    )
}

fn wait_of(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    let text = value.to_str().ok()?;
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_given_in_seconds_or_by_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777);
        let wait = |text| wait_of(&HeaderValue::from_static(text), now).map(|w| w.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:07 GMT"), Some(0));
        for other in ["", "-1", "1.5", "soon", "99999999999999999999999"] {
            assert_eq!(wait(other), None, "{other}");
        }
    }
}
