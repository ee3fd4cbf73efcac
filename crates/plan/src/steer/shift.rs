//! The life of one shift as changes of the state: begin, take a step, turn back, end. When each of them is due is
//! decided in [`advance`](super::advance).

use std::time::Duration;

use bascule_model::{BackendName, BasisPoints, ServiceName, Shares};

use super::draft::{Draft, Mover, Who};
use super::watch::{REQUESTS_MIN, is_down};
use super::{Notice, ShiftChange, ShiftRecord, ramp};
use crate::view::{OverrideView, ShiftCause, ShiftPhase, ShiftView, TurnedBy};

/// A shift to begin. It goes from where the target stands to what is wanted in the draft.
pub(super) struct Begin {
    pub service: ServiceName,
    pub cause: ShiftCause,
    pub who: Who,
    pub tempo: Tempo,
    pub previous: Option<OverrideView>,
    pub evacuation: Option<String>,
}

/// How a ramp goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tempo {
    /// The largest change in one step.
    pub pace: BasisPoints,
    /// How many steps, where that is given instead.
    pub steps: Option<usize>,
    /// How long a step is watched.
    pub bake: Duration,
    /// Whether steps are judged by the guardrails.
    pub judged: bool,
}

impl Draft<'_> {
    /// Begins a shift, in place of one that runs. The first step is taken at once unless a receiver is down. `None` when
    /// the service is where it should be.
    pub(super) fn begin(&mut self, begin: Begin) -> Option<String> {
        let service = begin.service.clone();
        self.supersede(&service, begin.cause);
        let (from, to) = (self.target(&service)?, self.wanted(&service)?.shares);
        if from == to {
            return None;
        }
        self.state.shifts_begun += 1;
        let id = format!("s-{:04}", self.state.shifts_begun);
        let record = self.new_record(id.clone(), begin, from, to);
        self.record(&service)?.shift = Some(id.clone());
        self.tell_shift(ShiftChange::Started, &record);
        self.state.shifts.insert(id.clone(), record);
        if self.gate(&id).is_ok() {
            self.take_step(&id);
        }
        Some(id)
    }

    fn new_record(&self, id: String, begin: Begin, from: Shares, to: Shares) -> ShiftRecord {
        let Tempo {
            pace,
            steps,
            bake,
            judged,
        } = begin.tempo;
        let meter = self.world.meter;
        let usual = |name: &BackendName| meter.p95_usual(&begin.service, name, REQUESTS_MIN);
        ShiftRecord {
            p95_before: to
                .iter()
                .filter_map(|(name, _)| Some((name.clone(), usual(name)?)))
                .collect(),
            leg_from: from.clone(),
            leg_to: to.clone(),
            pace: steps.map_or(pace, |steps| ramp::pace_of(&from, &to, steps)),
            previous: begin.previous,
            judged,
            evacuation: begin.evacuation,
            view: ShiftView {
                id,
                service: begin.service,
                cause: begin.cause,
                steps: steps.unwrap_or_else(|| ramp::steps(&from, &to, pace)),
                now: from.clone(),
                from,
                to,
                step: 0,
                phase: ShiftPhase::Moving,
                bake,
                step_at: self.world.now.wall,
                receivers: std::collections::BTreeMap::new(),
                note: String::new(),
                turned_by: None,
                actor: begin.who.actor,
                reason: begin.who.reason,
                started_at: self.world.now.wall,
                ended_at: None,
            },
        }
    }

    /// Whether the receivers of the shift's leg are up; else who is not. An evacuation asks nobody.
    pub(super) fn gate(&self, id: &str) -> Result<(), String> {
        match self.state.shifts.get(id) {
            Some(shift) => gate(shift, self.world.health),
            None => Ok(()),
        }
    }

    /// Takes the next step.
    pub(super) fn take_step(&mut self, id: &str) {
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        shift.view.step = (shift.view.step + 1).min(shift.view.steps);
        self.take(id);
    }

    /// Takes the last step, leaving out those between.
    pub(super) fn take_last_step(&mut self, id: &str) {
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        shift.view.steps = (shift.view.step + 1).min(shift.view.steps);
        shift.view.step = shift.view.steps;
        self.take(id);
    }

    fn take(&mut self, id: &str) {
        let wall = self.world.now.wall;
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        let ShiftView { step, steps, .. } = shift.view;
        let row = ramp::row(&shift.leg_from, &shift.leg_to, step, steps);
        shift.view.now = row.clone();
        shift.view.step_at = wall;
        let shift = shift.clone();
        self.move_to(&shift.view.service, &row, mover(&shift));
        self.tell_shift(ShiftChange::Step, &shift);
        self.change.restarted.insert(id.to_owned());
    }

    /// Ramps back to what held before, at the same pace, or at once when those who had received are down.
    pub(super) fn turn_back(&mut self, id: &str, by: TurnedBy, why: &str) {
        let Some(mut shift) = self.state.shifts.get(id).cloned() else {
            return;
        };
        let (now, service) = (self.world.now, shift.view.service.clone());
        if shift.evacuation.is_none() {
            let in_force = |row: &OverrideView| row.expires_at > now.wall;
            self.set_override(&service, shift.previous.clone().filter(in_force), why);
        }
        let (Some(target), Some(wanted)) = (self.target(&service), self.wanted(&service)) else {
            return;
        };
        shift.leg_from = target;
        shift.leg_to = wanted.shares;
        shift.view.turned_by = Some(by);
        shift.view.phase = ShiftPhase::Returning;
        why.clone_into(&mut shift.view.note);
        shift.view.step = 0;
        shift.view.steps = ramp::steps(&shift.leg_from, &shift.leg_to, shift.pace);
        let is_urgent = urgent(&shift, self.world.health);
        if is_urgent {
            shift.view.steps = shift.view.steps.min(1);
        }
        self.tell_shift(ShiftChange::Returning, &shift);
        let is_back = shift.view.steps == 0;
        self.state.shifts.insert(id.to_owned(), shift);
        if is_back {
            self.finish(id, ShiftPhase::Aborted, "");
        } else if is_urgent || self.gate(id).is_ok() {
            self.take_step(id);
        } else {
            self.change.restarted.insert(id.to_owned());
        }
    }

    /// Ends a shift. An empty note leaves the one it has.
    pub(super) fn finish(&mut self, id: &str, phase: ShiftPhase, note: &str) {
        let wall = self.world.now.wall;
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        shift.view.phase = phase;
        shift.view.ended_at = Some(wall);
        if !note.is_empty() {
            note.clone_into(&mut shift.view.note);
        }
        let shift = shift.clone();
        if let Some(record) = self.state.services.get_mut(&shift.view.service) {
            record.shift = None;
        }
        self.tell_shift(ShiftChange::Ended, &shift);
    }

    /// Ends the shift that runs on the service, if one does, because another takes its place.
    pub(super) fn supersede(&mut self, service: &ServiceName, cause: ShiftCause) {
        if let Some(id) = self.running(service) {
            let note = format!("another took its place: {}", cause.as_str());
            self.finish(&id, ShiftPhase::Superseded, &note);
        }
    }

    /// The shift that runs on the service.
    pub(super) fn running(&self, service: &ServiceName) -> Option<String> {
        self.state.services.get(service)?.shift.clone()
    }

    /// Sets or ends a person's row, and remembers to tell.
    pub(super) fn set_override(
        &mut self,
        service: &ServiceName,
        row: Option<OverrideView>,
        why: &str,
    ) {
        let Some(record) = self.record(service) else {
            return;
        };
        let before = std::mem::replace(&mut record.override_row, row.clone());
        if before == row {
            return;
        }
        let service = service.clone();
        match (before, row) {
            (_, Some(row)) => self.tell(Notice::OverrideSet { service, row }),
            (Some(row), None) => self.tell(Notice::OverrideEnded {
                service,
                row,
                why: why.to_owned(),
            }),
            (None, None) => {}
        }
    }

    pub(super) fn tell_shift(&mut self, change: ShiftChange, shift: &ShiftRecord) {
        self.tell(Notice::Shift {
            change,
            shift: Box::new(shift.view.clone()),
        });
    }
}

/// What moves a row when a shift does.
pub(super) fn mover(shift: &ShiftRecord) -> Mover {
    Mover {
        cause: shift.view.cause.as_str(),
        who: Who {
            actor: shift.view.actor.clone(),
            reason: shift.view.reason.clone(),
        },
        shift: Some(shift.view.id.clone()),
    }
}

/// Whether the receivers of the leg are up; else who is not.
pub(super) fn gate(shift: &ShiftRecord, health: &super::Health) -> Result<(), String> {
    if shift.view.cause == ShiftCause::Evacuate && shift.view.turned_by.is_none() {
        return Ok(());
    }
    let grows =
        |name: &BackendName, to: BasisPoints| to > shift.leg_from.get(name).unwrap_or_default();
    let down = shift
        .leg_to
        .iter()
        .find(|(name, to)| grows(name, *to) && is_down(health, shift, name));
    match down {
        Some((name, _)) => Err(format!("waits: {name} has no endpoint that is up")),
        None => Ok(()),
    }
}

/// Whether a way back must not wait: somebody who gives shares back is down.
pub(super) fn urgent(shift: &ShiftRecord, health: &super::Health) -> bool {
    let gives =
        |name: &BackendName, from: BasisPoints| from > shift.leg_to.get(name).unwrap_or_default();
    shift
        .leg_from
        .iter()
        .any(|(name, from)| gives(name, from) && is_down(health, shift, name))
}
