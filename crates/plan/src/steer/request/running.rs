//! What people ask of a shift that runs: to hold it, to let it go on, to turn it back.

use super::super::ShiftChange;
use super::super::draft::{Draft, Who};
use super::{accepted, wrong_phase};
use crate::command::Refusal;
use crate::view::{Accepted, ShiftCause, ShiftPhase, ShiftView, TurnedBy};

impl Draft<'_> {
    pub(super) fn shift_view(&self, id: &str) -> Result<&ShiftView, Refusal> {
        let shift = self.state.shifts.get(id).ok_or_else(|| Refusal::NotFound {
            what: "shift",
            id: id.to_owned(),
        })?;
        if shift.view.phase.is_ended() {
            return Err(wrong_phase(id, shift.view.phase.as_str()));
        }
        Ok(&shift.view)
    }

    pub(super) fn ask_pause(&mut self, id: &str) -> Result<Accepted, Refusal> {
        if self.shift_view(id)?.phase == ShiftPhase::Paused {
            return Err(wrong_phase(id, ShiftPhase::Paused.as_str()));
        }
        self.set_phase(id, ShiftPhase::Paused, ShiftChange::Paused);
        Ok(accepted())
    }

    pub(super) fn ask_resume(&mut self, id: &str) -> Result<Accepted, Refusal> {
        let view = self.shift_view(id)?;
        let (is_paused, is_returning) =
            (view.phase == ShiftPhase::Paused, view.turned_by.is_some());
        let is_held = self
            .world
            .watches
            .get(id)
            .is_some_and(|watch| watch.held.is_some());
        let phase = match (is_paused, is_returning, is_held) {
            (true, true, _) => ShiftPhase::Returning,
            (true, false, _) => ShiftPhase::Moving,
            (false, false, true) => {
                self.change.waived.insert(id.to_owned());
                ShiftPhase::Moving
            }
            _ => return Err(wrong_phase(id, view.phase.as_str())),
        };
        if is_paused {
            self.change.restarted.insert(id.to_owned());
        }
        self.set_phase(id, phase, ShiftChange::Resumed);
        Ok(accepted())
    }

    pub(super) fn set_phase(&mut self, id: &str, phase: ShiftPhase, change: ShiftChange) {
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        shift.view.phase = phase;
        let shift = shift.clone();
        self.tell_shift(change, &shift);
    }

    pub(super) fn ask_abort(&mut self, id: &str, who: &Who) -> Result<Accepted, Refusal> {
        let view = self.shift_view(id)?.clone();
        if view.turned_by.is_some() {
            return Err(wrong_phase(id, ShiftPhase::Returning.as_str()));
        }
        let Some(shift) = self.state.shifts.get(id).cloned() else {
            return Err(Refusal::NotFound {
                what: "shift",
                id: id.to_owned(),
            });
        };
        match (view.cause, &shift.evacuation) {
            (ShiftCause::Restore, _) => Err(wrong_phase(
                id,
                "a restore: pause it, or evacuate the provider again",
            )),
            (_, Some(evacuation)) => Ok(Accepted {
                shifts: self.abort_evacuation(evacuation, who),
                evacuation: Some(evacuation.clone()),
                ..accepted()
            }),
            (_, None) if !super::super::advance::may_return(self.world.now, &shift) => {
                Err(wrong_phase(id, "the end of an override whose time is over"))
            }
            (_, None) => {
                let why = format!("aborted by {}", who.actor);
                self.turn_back(id, TurnedBy::Person, &why);
                Ok(Accepted {
                    shifts: vec![id.to_owned()],
                    ..accepted()
                })
            }
        }
    }
}
