//! The metric handles of one worker, built once for each share-holder and carried over by name: recording a request looks
//! nothing up. Cells belong to this worker alone and are summed when somebody reads.

use std::time::Duration;

use bascule_telemetry::names;
use bascule_telemetry::recorder::CellRecorder;
use bascule_traffic::PickReason;
use http::StatusCode;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::http::progress::Direction;

const CODE_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What is measured of one share-holder; also of requests that reached none: their backend is empty.
#[derive(Debug)]
pub(crate) struct Meters {
    requests: [Counter; 5],
    durations: [Histogram; 5],
    connect: Histogram,
    ttfb: Histogram,
    total: Histogram,
    active: Gauge,
    bytes_in: Counter,
    bytes_out: Counter,
    by_weight: Counter,
    by_affinity: Counter,
    by_retry: Counter,
    by_fail_open: Counter,
    by_spill: Counter,
    by_trial: Counter,
    by_wait: Counter,
    errors: Counter,
}

impl Meters {
    /// Of a backend of a service.
    pub(crate) fn new(
        recorder: &CellRecorder,
        service: &str,
        backend: &str,
        provider: &str,
    ) -> Self {
        metrics::with_local_recorder(recorder, || Self::build(service, backend, provider))
    }

    fn build(service: &str, backend: &str, provider: &str) -> Self {
        let own = |text: &str| text.to_owned();
        let labels = || {
            [
                ("service", own(service)),
                ("backend", own(backend)),
                ("provider", own(provider)),
            ]
        };
        let with = |name: &'static str, value: &'static str| {
            let [service, backend, provider] = labels();
            [service, backend, provider, (name, own(value))]
        };
        let upstream = |phase| histogram!(names::UPSTREAM_DURATION, &with("phase", phase));
        let picks = |why| counter!(names::PICKS, &with("why", why));
        let bytes = |way| counter!(names::TRAFFIC_BYTES, &with("direction", way));
        let requests = |class| counter!(names::REQUESTS, &with("code_class", class));
        let durations = |class| histogram!(names::REQUEST_DURATION, &with("code_class", class));
        Self {
            requests: CODE_CLASSES.map(requests),
            durations: CODE_CLASSES.map(durations),
            connect: upstream("connect"),
            ttfb: upstream("ttfb"),
            total: upstream("total"),
            active: gauge!(names::ACTIVE_SESSIONS, &with("proto", "http")),
            bytes_in: bytes("in"),
            bytes_out: bytes("out"),
            by_weight: picks(PickReason::Weight.as_str()),
            by_affinity: picks(PickReason::Affinity.as_str()),
            by_retry: picks(PickReason::Retry.as_str()),
            by_fail_open: picks(PickReason::FailOpen.as_str()),
            by_spill: picks(PickReason::SPILL),
            by_trial: picks(PickReason::Trial.as_str()),
            by_wait: picks(PickReason::Waited.as_str()),
            errors: counter!(names::BACKEND_ERRORS, &labels()),
        }
    }

    /// A request ended. A client that went away before an answer counts as its own fault: 4xx.
    pub(crate) fn request(&self, status: Option<StatusCode>, took: Duration) {
        let class = status.map_or(4, |status| usize::from(status.as_u16() / 100));
        let at = class.clamp(1, CODE_CLASSES.len()) - 1;
        if let (Some(requests), Some(durations)) = (self.requests.get(at), self.durations.get(at)) {
            requests.increment(1);
            durations.record(took);
        }
    }

    /// A backend was picked and gets a request.
    pub(crate) fn pick(&self, why: PickReason) {
        match why {
            PickReason::Weight => self.by_weight.increment(1),
            PickReason::Affinity => self.by_affinity.increment(1),
            PickReason::Retry => self.by_retry.increment(1),
            PickReason::FailOpen => self.by_fail_open.increment(1),
            PickReason::Spill { .. } => self.by_spill.increment(1),
            PickReason::Trial => self.by_trial.increment(1),
            PickReason::Waited => self.by_wait.increment(1),
        }
        self.active.increment(1.0);
    }

    /// What it got is over.
    pub(crate) fn release(&self) {
        self.active.decrement(1.0);
    }

    /// A connection was made.
    pub(crate) fn connected(&self, took: Duration) {
        self.connect.record(took);
    }

    /// The head of a response came.
    pub(crate) fn answered(&self, took: Duration) {
        self.ttfb.record(took);
    }

    /// A try ended.
    pub(crate) fn tried(&self, took: Duration) {
        self.total.record(took);
    }

    /// A try failed for the backend's fault.
    pub(crate) fn error(&self) {
        self.errors.increment(1);
    }

    /// Body bytes moved.
    pub(crate) fn bytes(&self, direction: Direction, bytes: u64) {
        match direction {
            Direction::Request => self.bytes_in.increment(bytes),
            Direction::Response => self.bytes_out.increment(bytes),
        }
    }
}
