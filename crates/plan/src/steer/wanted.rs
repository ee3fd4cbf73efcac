//! The row a service should come to: what the file declares, over it a person's row, over that the evacuations. Rows are
//! fitted to the backends that the file has now.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, ServiceName, Shares};

use super::Persisted;
use crate::policy::ServiceFacts;
use crate::view::OverrideView;

/// Where a service should come to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wanted {
    /// The row.
    pub shares: Shares,
    /// Backends that are off: by the file, a person or an evacuation.
    pub off: BTreeSet<BackendName>,
    /// The evacuation that shapes the row, if one does.
    pub evacuation: Option<String>,
}

/// The row with exactly the backends that the file has: one that left gives its part to the others in proportion, a new
/// one has zero. `None` when nothing is left.
pub(super) fn fit(row: &Shares, facts: &ServiceFacts) -> Option<Shares> {
    let weights = facts.declared.iter().map(|(name, _)| {
        let share = row.get(name).unwrap_or_default();
        (name.clone(), u64::from(share.get()))
    });
    Shares::from_weights(weights).ok()
}

/// The row without evacuations: a person's where there is one that still fits, else what is declared.
pub(super) fn base(own: Option<&OverrideView>, facts: &ServiceFacts) -> Wanted {
    let fitted = own.and_then(|own| Some((own, fit(&own.shares, facts)?)));
    let off_in_file = |name: &BackendName| facts.backends.get(name).is_some_and(|b| b.off);
    let row = fitted
        .as_ref()
        .map_or(&facts.declared, |(_, shares)| shares);
    let is_off = |name: &BackendName| {
        let by_person = fitted
            .as_ref()
            .is_some_and(|(own, _)| own.off.contains(name));
        by_person || off_in_file(name)
    };
    let off = row
        .iter()
        .filter(|(name, share)| share.is_zero() && is_off(name))
        .map(|(name, _)| name.clone())
        .collect();
    Wanted {
        shares: row.clone(),
        off,
        evacuation: None,
    }
}

/// The backends that running evacuations take out of the service, with the evacuation.
pub(super) fn evacuated(state: &Persisted, facts: &ServiceFacts) -> BTreeMap<BackendName, String> {
    let mut out = BTreeMap::new();
    for evacuation in state.evacuations.values().filter(|e| !e.phase.is_over()) {
        let names = facts
            .backends
            .iter()
            .filter(|(_, backend)| backend.provider == evacuation.provider)
            .map(|(name, _)| (name.clone(), evacuation.id.clone()));
        out.extend(names);
    }
    out
}

/// A row without some backends: the others keep their proportion; where they have none, what the file declares for them
/// counts, then their role as standby. `None` when nobody is left.
pub(super) fn without(
    base: &Wanted,
    out: &BTreeMap<BackendName, String>,
    facts: &ServiceFacts,
) -> Option<Shares> {
    let left: BTreeSet<&BackendName> = facts
        .declared
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !out.contains_key(*name) && !base.off.contains(*name))
        .collect();
    let standby = |name: &BackendName| facts.backends.get(name).is_some_and(|b| b.standby);
    let by = |weight: &dyn Fn(&BackendName) -> u64| {
        let weights = facts.declared.iter().map(|(name, _)| {
            let weight = if left.contains(name) { weight(name) } else { 0 };
            (name.clone(), weight)
        });
        Shares::from_weights(weights).ok()
    };
    let share =
        |row: &Shares, name: &BackendName| u64::from(row.get(name).unwrap_or_default().get());
    by(&|name| share(&base.shares, name))
        .or_else(|| by(&|name| share(&facts.declared, name)))
        .or_else(|| by(&|name| u64::from(standby(name))))
        .or_else(|| by(&|_| 1))
}

/// Where the service should come to. An evacuation that would leave it with nobody does not hold for it.
pub(super) fn wanted(state: &Persisted, service: &ServiceName, facts: &ServiceFacts) -> Wanted {
    let own = state
        .services
        .get(service)
        .and_then(|record| record.override_row.as_ref());
    let base = base(own, facts);
    let out = evacuated(state, facts);
    match (out.values().next(), without(&base, &out, facts)) {
        (Some(evacuation), Some(shares)) => Wanted {
            shares,
            off: base.off.into_iter().chain(out.keys().cloned()).collect(),
            evacuation: Some(evacuation.clone()),
        },
        _ => base,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fixture::{facts, name, row};
    use super::*;

    #[test]
    fn a_backend_that_left_the_file_gives_its_part_to_the_others() {
        let facts = facts(&[("aws", 50), ("oci", 50)]);
        let old = row(&[("aws", 20), ("gcp", 20), ("oci", 60)]);
        assert_eq!(fit(&old, &facts).unwrap().to_string(), "aws=25 oci=75");
        assert_eq!(fit(&row(&[("gcp", 1)]), &facts), None);
    }

    #[test]
    fn when_only_backends_without_a_share_are_left_the_standby_receives() {
        let mut facts = facts(&[("aws", 100), ("gcp", 0), ("oci", 0)]);
        facts.backends.get_mut("gcp").unwrap().standby = true;
        facts.backends.get_mut("oci").unwrap().off = true;
        let base = base(None, &facts);
        let out = BTreeMap::from([(name("aws"), "e-0001".to_owned())]);
        let row = without(&base, &out, &facts).unwrap();
        assert_eq!(row.to_string(), "aws=0 gcp=100 oci=0");
    }
}
