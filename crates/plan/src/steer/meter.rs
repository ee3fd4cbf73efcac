//! What the edge's totals say: differences since a step began, and the p95 of the last minute, against which a receiver
//! is judged later.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bascule_model::{BackendName, BackendSignal, Histogram, Instant, ServiceName};

/// How far back the usual p95 is measured: long enough for a few hundred requests of a small backend, short enough to
/// be about now.
const WINDOW: Duration = Duration::from_secs(60);
/// How often the totals are remembered for it.
const EVERY: Duration = Duration::from_secs(5);
/// Totals older than this say nothing about now.
pub(super) const STALE: Duration = Duration::from_secs(5);

/// Totals of one backend over all edges.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Totals {
    pub requests: u64,
    pub errors: u64,
    pub picks: u64,
    pub in_flight: u64,
    pub latency: Histogram,
}

/// Totals by service and backend.
pub(super) type Reading = BTreeMap<(ServiceName, BackendName), Totals>;

/// The readings of the edge's totals.
#[derive(Debug, Default)]
pub(super) struct Meter {
    latest: Reading,
    latest_at: Option<Instant>,
    earlier: VecDeque<(Instant, Reading)>,
}

impl Meter {
    /// Takes in a reading.
    pub(super) fn read(&mut self, now: Instant, signals: Vec<BackendSignal>) {
        let mut reading = Reading::new();
        for signal in signals {
            let totals = reading.entry((signal.service, signal.backend)).or_default();
            totals.requests += signal.requests;
            totals.errors += signal.errors;
            totals.picks += signal.picks;
            totals.in_flight += signal.in_flight;
            totals.latency.merge(&signal.latency);
        }
        let due = self
            .earlier
            .back()
            .is_none_or(|(at, _)| now.since(*at) >= EVERY);
        if due {
            self.earlier.push_back((now, reading.clone()));
        }
        while self
            .earlier
            .front()
            .is_some_and(|(at, _)| now.since(*at) > WINDOW)
        {
            self.earlier.pop_front();
        }
        self.latest = reading;
        self.latest_at = Some(now);
    }

    /// When the latest reading came.
    pub(super) const fn latest_at(&self) -> Option<Instant> {
        self.latest_at
    }

    /// Whether there is a reading that is about now.
    pub(super) fn is_fresh(&self, now: Instant) -> bool {
        self.latest_at.is_some_and(|at| now.since(at) <= STALE)
    }

    /// The latest totals of a service's backends.
    pub(super) fn service(&self, service: &ServiceName) -> BTreeMap<BackendName, Totals> {
        self.latest
            .iter()
            .filter(|((s, _), _)| s == service)
            .map(|((_, backend), totals)| (backend.clone(), totals.clone()))
            .collect()
    }

    /// The latest totals of a backend; zero when nothing was ever counted.
    pub(super) fn backend(&self, service: &ServiceName, backend: &BackendName) -> Totals {
        let key = (service.clone(), backend.clone());
        self.latest.get(&key).cloned().unwrap_or_default()
    }

    /// The p95 of the last minute in seconds, where there were enough requests.
    pub(super) fn p95_usual(
        &self,
        service: &ServiceName,
        backend: &BackendName,
        requests_min: u64,
    ) -> Option<f64> {
        let (_, earlier) = self.earlier.front()?;
        let key = (service.clone(), backend.clone());
        let latest = self.latest.get(&key)?;
        let before = earlier.get(&key).cloned().unwrap_or_default();
        let latency = latest.latency.since(&before.latency);
        (latency.count() >= requests_min)
            .then(|| latency.quantile(0.95))
            .flatten()
            .map(|p95| p95.as_secs_f64())
    }
}

impl Totals {
    /// What came since an earlier reading; everything when the edge began to count anew meanwhile.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        if self.requests < earlier.requests || self.picks < earlier.picks {
            return self.clone();
        }
        Self {
            requests: self.requests - earlier.requests,
            errors: self.errors.saturating_sub(earlier.errors),
            picks: self.picks - earlier.picks,
            in_flight: self.in_flight,
            latency: self.latency.since(&earlier.latency),
        }
    }
}
