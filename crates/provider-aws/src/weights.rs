//! What all actuators of AWS have in common: members that are found by an id of the cloud's, and weights in which 0 is off.
//! Pure.

use std::collections::BTreeMap;

use bascule_model::BackendName;
use bascule_provider::port::{Member, Setting, Settings};

/// Why something cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What is wrong.
    pub(crate) detail: String,
    /// What a person can do.
    pub(crate) fix: String,
}

impl Refusal {
    pub(crate) fn new(detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            fix: fix.into(),
        }
    }
}

/// What is set, from the weight of each id. A backend whose id is not there is a member that is set to nothing: writing makes
/// it. An id of no backend is foreign.
pub(crate) fn settings<'a>(
    version: String,
    there: impl IntoIterator<Item = (&'a str, u32)>,
    ids: impl IntoIterator<Item = (&'a BackendName, &'a str)>,
) -> Settings {
    let mut backends: BTreeMap<&str, &BackendName> =
        ids.into_iter().map(|(backend, id)| (id, backend)).collect();
    let mut settings = Settings {
        version,
        ..Settings::default()
    };
    let mut insert = |backend: &BackendName, setting| {
        let member = Member { setting, size: 1 };
        settings.members.insert(backend.clone(), member);
    };
    for (id, weight) in there {
        let setting = match weight {
            0 => Setting::Off,
            weight => Setting::Weight(weight),
        };
        match backends.remove(id) {
            Some(backend) => insert(backend, Some(setting)),
            None => drop(settings.foreign.insert(id.to_owned(), weight)),
        }
    }
    for backend in backends.into_values() {
        insert(backend, None);
    }
    settings
}

/// The number of a setting, where 0 is off.
///
/// # Errors
/// [`Refusal`] when the setting is beyond what the actuator can say.
pub(crate) fn weight(setting: Setting, max: u32) -> Result<u32, Refusal> {
    match setting {
        Setting::Off => Ok(0),
        Setting::Weight(weight) if (1..=max).contains(&weight) => Ok(weight),
        Setting::Weight(weight) => Err(Refusal::new(
            format!("{weight} is no weight here"),
            format!("a weight is 1 to {max}"),
        )),
    }
}

/// That a backend is wanted that the actuator was not told of.
pub(crate) fn stranger(backend: &BackendName) -> Refusal {
    Refusal::new(
        format!("{backend} is no backend of this actuator"),
        "say in `apply` how it is found there",
    )
}
