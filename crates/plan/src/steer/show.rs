//! From the state of the control loop to what everybody reads: the stored part, and over it what is measured now.

use std::collections::BTreeMap;

use bascule_model::{ServiceName, TargetRow, Targets};

use super::draft::target;
use super::meter::Meter;
use super::wanted::{base, wanted};
use super::watch::Watch;
use super::{Facts, Persisted, ShiftRecord};
use crate::policy::ServiceFacts;
use crate::view::{EvacuationView, OverrideView, ServiceView, ShiftPhase, ShiftView, State};

/// What everybody reads.
pub(super) fn state(
    persisted: &Persisted,
    facts: &Facts,
    watches: &BTreeMap<String, Watch>,
    meter: &Meter,
) -> State {
    let services = facts
        .iter()
        .map(|(name, facts)| (name.clone(), service(persisted, name, facts)))
        .collect();
    let shifts = persisted
        .shifts
        .iter()
        .map(|(id, record)| (id.clone(), shift(record, watches.get(id))))
        .collect();
    let evacuations = persisted
        .evacuations
        .values()
        .map(|e| (e.id.clone(), evacuation(persisted, facts, meter, e)))
        .collect();
    State {
        revision: persisted.revision,
        services,
        shifts,
        evacuations,
        admin: persisted.admin.clone(),
    }
}

fn service(persisted: &Persisted, name: &ServiceName, facts: &ServiceFacts) -> ServiceView {
    let record = persisted.services.get(name);
    let wanted = wanted(persisted, name, facts);
    let evacuation = wanted
        .evacuation
        .as_ref()
        .and_then(|id| persisted.evacuations.get(id));
    let own = record.and_then(|record| record.override_row.as_ref());
    let override_row = match (evacuation, own) {
        (Some(evacuation), _) => Some(OverrideView {
            shares: wanted.shares,
            off: wanted.off.clone(),
            actor: evacuation.actor.clone(),
            reason: evacuation.reason.clone(),
            set_at: evacuation.started_at,
            expires_at: evacuation.expires_at,
            evacuation: Some(evacuation.id.clone()),
        }),
        (None, Some(own)) => Some(OverrideView {
            shares: base(Some(own), facts).shares,
            ..own.clone()
        }),
        (None, None) => None,
    };
    let single = Facts::from([(name.clone(), facts.clone())]);
    ServiceView {
        declared: facts.declared.clone(),
        override_row,
        target: target(persisted, name, &single).unwrap_or_else(|| facts.declared.clone()),
        off: wanted.off,
        shift: record.and_then(|record| record.shift.clone()),
    }
}

/// A shift with what is measured in its step.
pub(super) fn shift(record: &ShiftRecord, watch: Option<&Watch>) -> ShiftView {
    let mut view = record.view.clone();
    let Some(watch) = watch.filter(|_| !view.phase.is_ended()) else {
        return view;
    };
    view.receivers.clone_from(&watch.receivers);
    if let Some(since) = watch.since {
        view.step_at = since.wall;
    }
    if view.phase == ShiftPhase::Moving {
        view.phase = match (&watch.held, watch.since) {
            (Some(_), _) => ShiftPhase::Holding,
            (None, Some(_)) => ShiftPhase::Baking,
            (None, None) => ShiftPhase::Moving,
        };
    }
    if let Some(held) = &watch.held {
        view.note = match view.note.as_str() {
            "" => held.clone(),
            note => format!("{note}; {held}"),
        };
    }
    view
}

fn evacuation(
    persisted: &Persisted,
    facts: &Facts,
    meter: &Meter,
    evacuation: &EvacuationView,
) -> EvacuationView {
    let mut view = evacuation.clone();
    if !view.phase.is_over() {
        let out = super::evacuation::scope(persisted, facts, &view.provider);
        view.running = super::evacuation::running(meter, &out);
    }
    view
}

/// What edges should have: a row for each service that does not simply follow its file.
pub(super) fn targets(persisted: &Persisted, facts: &Facts) -> Targets {
    let row = |(name, facts_of): (&ServiceName, &ServiceFacts)| {
        persisted.services.get(name)?;
        let row = TargetRow {
            shares: target(persisted, name, facts)?,
            off: wanted(persisted, name, facts_of).off,
        };
        Some((name.clone(), row))
    };
    Targets {
        revision: persisted.revision,
        services: facts.iter().filter_map(row).collect(),
        admin: persisted
            .admin
            .iter()
            .map(|(target, entry)| (target.clone(), entry.state))
            .collect(),
        buckets: persisted.buckets.clone(),
    }
}
