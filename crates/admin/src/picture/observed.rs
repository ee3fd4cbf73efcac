//! What clouds say of the sources of endpoints, as API and metrics show it. It counts and names; it judges nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_control::observe::Seeing;
use bascule_model::Timestamp;
use bascule_provider::port::{CloudHealth, Observation, Seen};
use bascule_telemetry::names;

use super::sources::failing;
use crate::{api, convert};

/// Names of instances that are shown: enough to look at one, few enough for a screen.
const NAMES_MAX: usize = 16;

/// A number and when it was so.
pub(crate) struct Number {
    /// As the API calls it.
    pub(crate) what: &'static str,
    /// Its metric.
    pub(crate) metric: &'static str,
    pub(crate) value: f64,
    pub(crate) at: Timestamp,
}

/// The numbers of a source as a whole.
pub(crate) fn numbers(seeing: &Seeing) -> impl Iterator<Item = Number> {
    seeing.observations.iter().filter_map(|seen| {
        let (what, metric, value) = match seen.what {
            Seen::Health(_) => return None,
            Seen::Cpu(ratio) => ("cpu_ratio", names::OBSERVED_CPU, ratio),
            Seen::SizeWanted(size) => (
                "instances_wanted",
                names::OBSERVED_SIZE_WANTED,
                f64::from(size),
            ),
            Seen::SizeMax(size) => ("instances_max", names::OBSERVED_SIZE_MAX, f64::from(size)),
        };
        Some(Number {
            what,
            metric,
            value,
            at: seen.at,
        })
    })
}

/// What the cloud says of the health of each, and when the oldest of it was so; `None`: it says nothing.
pub(crate) fn health(seeing: &Seeing) -> Option<(Vec<(&str, CloudHealth)>, Timestamp)> {
    let verdict = |seen: &Observation| match seen.what {
        Seen::Health(health) => Some((health, seen.at)),
        _ => None,
    };
    let judged = seeing.observations.iter();
    let judged: Vec<_> = judged.filter_map(|s| Some((&*s.of, verdict(s)?))).collect();
    let at = judged.iter().map(|(_, (_, at))| *at).min()?;
    let each = judged.iter().map(|(of, (health, _))| (*of, *health));
    Some((each.collect(), at))
}

/// As the API shows it.
pub(super) fn observed(seeing: Seeing, now: Timestamp) -> api::Observed {
    let age = |at: Timestamp| seconds(now.since(at));
    let lag = |at: Timestamp| seconds(seeing.read_at.unwrap_or(at).since(at));
    let health = health(&seeing).map(|(each, at)| {
        let mut instances = BTreeMap::new();
        for (_, health) in &each {
            *instances.entry(health.as_str().to_owned()).or_default() += 1;
        }
        let others = each.iter().filter(|(_, h)| *h != CloudHealth::Healthy);
        let named =
            |(of, health): &(&str, CloudHealth)| ((*of).to_owned(), health.as_str().to_owned());
        api::ObservedHealth {
            instances,
            not_healthy: others.take(NAMES_MAX).map(named).collect(),
            at: convert::time(at),
            age_seconds: age(at),
            lag_seconds: lag(at),
        }
    });
    let values = numbers(&seeing).map(|number| api::ObservedValue {
        what: number.what.to_owned(),
        value: number.value,
        at: convert::time(number.at),
        age_seconds: age(number.at),
        lag_seconds: lag(number.at),
    });
    let values = values.collect();
    api::Observed {
        read_at: seeing.read_at.map(convert::time),
        health,
        values,
        failing: seeing.failing.map(failing),
    }
}

/// To the tenth: clocks of clouds are not better.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
