//! What clouds say of the sources of endpoints, as gauges. An age is of the moment of the question, so that one that is not
//! renewed is seen to grow.

use bascule_model::Timestamp;
use bascule_provider::port::CloudHealth;
use bascule_telemetry::names;
use metrics::gauge;

use crate::picture::{Picture, observed};

/// All verdicts, so that one which nobody has any more is 0.
const VERDICTS: [CloudHealth; 5] = [
    CloudHealth::Healthy,
    CloudHealth::Warning,
    CloudHealth::Unhealthy,
    CloudHealth::Draining,
    CloudHealth::Unknown,
];

/// Sets all of them.
pub(super) fn set(picture: &Picture<'_>) {
    for (place, seeing) in picture.app.ports.observed.all() {
        let labels = [
            ("account", place.account.to_string()),
            ("source", place.source.to_string()),
        ];
        let with = |key, value: &str| {
            let [account, source] = labels.clone();
            [account, source, (key, value.to_owned())]
        };
        let age = |what, at: Timestamp| {
            let seconds = picture.now.since(at).as_secs_f64();
            gauge!(names::OBSERVED_AGE, &with("what", what)).set(seconds);
        };
        for number in observed::numbers(&seeing) {
            gauge!(number.metric, &labels).set(number.value);
            age(number.what, number.at);
        }
        let Some((each, at)) = observed::health(&seeing) else {
            continue;
        };
        age("health", at);
        for verdict in VERDICTS {
            let count = each.iter().filter(|(_, health)| *health == verdict).count();
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            gauge!(names::OBSERVED_INSTANCES, &with("health", verdict.as_str()))
                .set(f64::from(count));
        }
    }
}
