//! The daemon's own counters, read from `/metrics`: what an attack added to them.

use std::collections::BTreeMap;

use bascule_testkit::Daemon;
use http::Method;

/// All samples of one moment, by the text of the series.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts(BTreeMap<String, f64>);

impl Counts {
    /// As they are now.
    pub(crate) fn now(daemon: &Daemon) -> Self {
        let answer = daemon.api(Method::GET, "/metrics", "").unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let split = samples.filter_map(|line| line.rsplit_once(' '));
        Self(
            split
                .filter_map(|(series, value)| Some((series.to_owned(), value.parse().ok()?)))
                .collect(),
        )
    }

    /// What was added since then.
    pub(crate) fn since(&self, then: &Self) -> Self {
        let old = |series: &String| then.0.get(series).copied().unwrap_or_default();
        Self(
            self.0
                .iter()
                .map(|(series, value)| (series.clone(), value - old(series)))
                .collect(),
        )
    }

    /// The sum over all series of this metric that have this label.
    pub(crate) fn sum(&self, metric: &str, label: &str, value: &str) -> f64 {
        let wanted = format!("{label}=\"{value}\"");
        let fits = |series: &str| {
            series
                .strip_prefix(metric)
                .is_some_and(|labels| labels.starts_with('{') && labels.contains(&wanted))
        };
        self.0
            .iter()
            .filter(|(series, _)| fits(series))
            .map(|(_, value)| value)
            .sum()
    }

    /// The sum over all series of this metric.
    pub(crate) fn total(&self, metric: &str) -> f64 {
        let of_it = self
            .0
            .iter()
            .filter(|(series, _)| series.split('{').next() == Some(metric));
        of_it.map(|(_, value)| value).sum()
    }

    /// All series of the metrics that count refusals and ends, for messages.
    pub(crate) fn refusals(&self) -> String {
        let told = |series: &str| {
            ["_refused_", "_ended_", "handshakes", "panics"]
                .iter()
                .any(|word| series.contains(word))
        };
        self.0
            .iter()
            .filter(|(series, value)| told(series) && **value != 0.0)
            .map(|(series, value)| format!("{series} {value}\n"))
            .collect()
    }
}
