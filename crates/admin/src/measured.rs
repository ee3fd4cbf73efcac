//! What was measured in the last minute: differences of the edge's totals, read once a second. Pure and told the time.
//! Shares are of what really happened, never of what was wanted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bascule_model::{BackendName, BackendSignal, Histogram, Instant, ServiceName};

use crate::api::{Load, Measured};

/// How far back is measured.
const WINDOW: Duration = Duration::from_secs(60);

/// Readings of the last minute.
#[derive(Debug, Default)]
pub(crate) struct Window(VecDeque<Reading>);

#[derive(Debug)]
struct Reading {
    at: Instant,
    totals: BTreeMap<(ServiceName, BackendName), BackendSignal>,
}

/// What one backend did in the window.
#[derive(Debug, Clone, Default)]
struct Difference {
    requests: u64,
    errors: u64,
    picks: u64,
    in_flight: u64,
    latency: Histogram,
}

impl Window {
    /// Adds a reading. The oldest one kept is at most a minute and one reading old.
    pub(crate) fn push(&mut self, now: Instant, signals: Vec<BackendSignal>) {
        let key = |s: &BackendSignal| (s.service.clone(), s.backend.clone());
        let totals = signals.into_iter().map(|s| (key(&s), s)).collect();
        self.0.push_back(Reading { at: now, totals });
        // The second one is still old enough to measure a whole minute from.
        while self.0.get(1).is_some_and(|r| now.since(r.at) >= WINDOW) {
            self.0.pop_front();
        }
    }

    fn span(&self) -> Duration {
        match (self.0.front(), self.0.back()) {
            (Some(first), Some(last)) => last.at.since(first.at),
            _ => Duration::ZERO,
        }
    }

    fn difference(&self, service: &ServiceName, backend: &BackendName) -> Difference {
        let key = (service.clone(), backend.clone());
        let Some(last) = self.0.back().and_then(|r| r.totals.get(&key)) else {
            return Difference::default();
        };
        // A backend that appeared within the window began at zero.
        let first = self.0.front().and_then(|r| r.totals.get(&key));
        let since =
            |now: u64, then: fn(&BackendSignal) -> u64| now.saturating_sub(first.map_or(0, then));
        Difference {
            requests: since(last.requests, |s| s.requests),
            errors: since(last.errors, |s| s.errors),
            picks: since(last.picks, |s| s.picks),
            in_flight: last.in_flight,
            latency: match first {
                Some(first) => last.latency.since(&first.latency),
                None => last.latency.clone(),
            },
        }
    }

    /// What one backend did.
    pub(crate) fn load(&self, service: &ServiceName, backend: &BackendName) -> Load {
        let d = self.difference(service, backend);
        let span = self.span().as_secs_f64();
        let quantile = |q: f64| d.latency.quantile(q).map(|t| t.as_secs_f64());
        Load {
            window_seconds: span,
            requests_per_second: if span > 0.0 {
                number(d.requests) / span
            } else {
                0.0
            },
            error_ratio: (d.requests > 0).then(|| number(d.errors) / number(d.requests)),
            latency_p50_seconds: quantile(0.5),
            latency_p95_seconds: quantile(0.95),
            latency_p99_seconds: quantile(0.99),
            in_flight: d.in_flight,
        }
    }

    /// The measured shares of a service, in percent.
    pub(crate) fn shares<'a>(
        &self,
        service: &ServiceName,
        backends: impl Iterator<Item = &'a BackendName>,
    ) -> Measured {
        let parts: Vec<(&BackendName, Difference)> = backends
            .map(|backend| (backend, self.difference(service, backend)))
            .collect();
        let row = |of: fn(&Difference) -> u64| {
            let total: u64 = parts.iter().map(|(_, d)| of(d)).sum();
            let share = |d: &Difference| percent(of(d), total);
            let row = parts.iter().map(|(b, d)| (b.to_string(), share(d)));
            let row = if total > 0 {
                row.collect()
            } else {
                BTreeMap::new()
            };
            (row, total)
        };
        let (requests, requests_count) = row(|d| d.requests);
        let (new_sessions, new_sessions_count) = row(|d| d.picks);
        Measured {
            window_seconds: self.span().as_secs_f64(),
            requests,
            new_sessions,
            requests_count,
            new_sessions_count,
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a minute are far below 2^52"
)]
const fn number(count: u64) -> f64 {
    count as f64
}

/// A part in percent with two decimals.
fn percent(part: u64, total: u64) -> f64 {
    (number(part) / number(total) * 10_000.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(backend: &str, requests: u64, errors: u64) -> BackendSignal {
        BackendSignal {
            at: Instant::ZERO,
            service: ServiceName::parse("meet").unwrap(),
            backend: BackendName::parse(backend).unwrap(),
            requests,
            errors,
            picks: requests * 2,
            in_flight: 1,
            latency: Histogram::default(),
        }
    }

    fn measured(window: &Window) -> (Measured, Load) {
        let service = ServiceName::parse("meet").unwrap();
        let names = ["aws", "oci"].map(|n| BackendName::parse(n).unwrap());
        (
            window.shares(&service, names.iter()),
            window.load(&service, &names[1]),
        )
    }

    #[test]
    fn only_the_last_minute_counts() {
        let mut window = Window::default();
        for second in 0..=120_u64 {
            // In the first minute all goes to aws, then all to oci.
            let (aws, oci) = (second.min(60) * 10, second.saturating_sub(60) * 10);
            let signals = vec![signal("aws", aws, 0), signal("oci", oci, oci / 10)];
            window.push(Instant::from_millis(second * 1000), signals);
        }
        let (shares, load) = measured(&window);
        assert_eq!(shares.requests["oci"].to_bits(), 100_f64.to_bits());
        assert_eq!(
            (shares.requests_count, shares.new_sessions_count),
            (600, 1200)
        );
        assert!((load.requests_per_second - 10.0).abs() < 1e-9);
        assert!((load.error_ratio.unwrap() - 0.1).abs() < 1e-9);
        assert!(window.0.len() <= 61);
    }

    #[test]
    fn nothing_measured_is_not_zero_percent() {
        let mut window = Window::default();
        let (shares, load) = measured(&window);
        assert!(shares.requests.is_empty() && load.error_ratio.is_none());
        window.push(Instant::ZERO, vec![signal("aws", 5, 0)]);
        window.push(Instant::from_millis(1000), vec![signal("aws", 5, 0)]);
        assert!(measured(&window).0.requests.is_empty());
    }

    #[test]
    fn an_edge_that_began_anew_does_not_measure_below_zero() {
        let mut window = Window::default();
        window.push(Instant::ZERO, vec![signal("aws", 500, 0)]);
        window.push(Instant::from_millis(1000), vec![signal("aws", 3, 0)]);
        assert_eq!(measured(&window).0.requests_count, 0);
    }
}
