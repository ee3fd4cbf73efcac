//! What the controller counts and shows: rows by kind, shifts, overrides, refusals. Names are `telemetry::names`.

use std::collections::BTreeSet;

use bascule_model::{BackendName, ProviderName, ServiceName, Shares};
use bascule_plan::State;
use bascule_plan::steer::{Facts, Notice, ShiftChange};
use bascule_plan::view::{ShiftCause, ShiftPhase, ShiftView};
use bascule_telemetry::names;
use metrics::{counter, gauge, histogram};

/// Who holds a share.
type Holder = (ServiceName, BackendName, ProviderName);

/// The controller's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    facts: Facts,
    /// Those shown before, to be set to zero when they leave.
    shown: BTreeSet<Holder>,
}

impl Metrics {
    pub(crate) const fn new(facts: Facts) -> Self {
        Self {
            facts,
            shown: BTreeSet::new(),
        }
    }

    pub(crate) fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    #[expect(clippy::unused_self, reason = "all metrics are set through this value")]
    pub(crate) fn leads(&self, leads: bool) {
        gauge!(names::CONTROLLER_LEADER).set(if leads { 1.0 } else { 0.0 });
    }

    /// Shows the state.
    pub(crate) fn show(&mut self, state: &State) {
        let holders: BTreeSet<Holder> = self
            .facts
            .iter()
            .flat_map(|(service, facts)| {
                facts
                    .backends
                    .iter()
                    .map(|(backend, b)| (service.clone(), backend.clone(), b.provider.clone()))
            })
            .collect();
        for holder in self
            .shown
            .iter()
            .filter(|holder| !holders.contains(*holder))
        {
            for kind in ["declared", "override", "target"] {
                weight(holder, kind, None);
            }
            expiry(holder, NO_EXPIRY);
        }
        for holder in &holders {
            let Some(view) = state.services.get(&holder.0) else {
                continue;
            };
            let own = view.override_row.as_ref();
            weight(holder, "declared", Some(&view.declared));
            weight(holder, "override", own.map(|row| &row.shares));
            weight(holder, "target", Some(&view.target));
            expiry(holder, own.map_or(NO_EXPIRY, |row| seconds(row.expires_at)));
        }
        for (service, view) in &state.services {
            let shift = view.shift.as_ref().and_then(|id| state.shifts.get(id));
            let active = if shift.is_some() { 1.0 } else { 0.0 };
            gauge!(names::SHIFT_ACTIVE, "service" => service.to_string()).set(active);
            let progress = shift.map_or(0.0, progress);
            gauge!(names::SHIFT_PROGRESS, "service" => service.to_string()).set(progress);
        }
        self.shown = holders;
    }

    /// Counts what a notice tells.
    #[expect(clippy::unused_self, reason = "all metrics are set through this value")]
    pub(crate) fn count(&self, notice: &Notice) {
        match notice {
            Notice::Shift {
                change: ShiftChange::Ended,
                shift,
            } => ended(shift),
            Notice::Refused { rules, .. } => {
                for (service, rule) in rules {
                    let (service, rule) = (service.to_string(), rule.clone());
                    counter!(names::SAFETY_REFUSALS, "service" => service, "rule" => rule)
                        .increment(1);
                }
            }
            _ => {}
        }
    }
}

fn weight(holder: &Holder, kind: &'static str, row: Option<&Shares>) {
    let (service, backend, provider) = holder;
    let share = row.and_then(|row| row.get(backend)).unwrap_or_default();
    gauge!(
        names::WEIGHT,
        "service" => service.to_string(),
        "backend" => backend.to_string(),
        "provider" => provider.to_string(),
        "kind" => kind,
    )
    .set(share.ratio());
}

/// The expiry of no override: not a time, so that no comparison with one is true.
const NO_EXPIRY: f64 = f64::NAN;

fn expiry((service, backend, provider): &Holder, at: f64) {
    gauge!(
        names::OVERRIDE_EXPIRY,
        "service" => service.to_string(),
        "backend" => backend.to_string(),
        "provider" => provider.to_string(),
    )
    .set(at);
}

fn seconds(at: bascule_model::Timestamp) -> f64 {
    at.since(bascule_model::Timestamp::from_millis(0))
        .as_secs_f64()
}

/// How much of the way a shift has come.
fn progress(shift: &ShiftView) -> f64 {
    let whole = shift.from.distance(&shift.to);
    if whole.is_zero() {
        return 1.0;
    }
    (shift.from.distance(&shift.now).ratio() / whole.ratio()).min(1.0)
}

fn ended(shift: &ShiftView) {
    let initiator = if shift.actor == "bascule" {
        "controller"
    } else {
        "human"
    };
    let outcome = match (shift.phase, shift.cause) {
        (ShiftPhase::Completed, ShiftCause::Undo) => "undone",
        (ShiftPhase::Completed, ShiftCause::OverrideEnd) if initiator == "controller" => "expired",
        (ShiftPhase::Completed, _) => "completed",
        _ => "aborted",
    };
    let kind = match shift.cause {
        ShiftCause::Evacuate => "evacuate",
        _ => "shift",
    };
    let service = shift.service.to_string();
    counter!(
        names::SHIFTS,
        "service" => service.clone(),
        "initiator" => initiator,
        "outcome" => outcome,
    )
    .increment(1);
    if let Some(end) = shift.ended_at {
        histogram!(names::SHIFT_DURATION, "service" => service, "kind" => kind)
            .record(end.since(shift.started_at));
    }
}
