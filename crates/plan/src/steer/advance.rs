//! What the control loop does by itself as time passes: take the next step of a shift, hold it, turn it back, end it;
//! end overrides whose time is over; follow a changed configuration.

use bascule_model::ServiceName;

use super::draft::{Draft, Mover, Who};
use super::meter::Meter;
use super::shift::{Begin, Tempo, gate, urgent};
use super::wanted::fit;
use super::watch::{Verdict, Watch, is_down};
use super::{Health, Now, ShiftRecord, keys, ramp};
use crate::policy::{ServiceFacts, ServicePolicy};
use crate::view::{ShiftCause, ShiftPhase, TurnedBy};

/// What is due for a shift.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Next {
    /// Nothing yet.
    Wait,
    /// It would go on but must not, and why.
    Hold(String),
    /// The next step.
    Step,
    /// The last step, at once.
    LastStep,
    /// It must turn back, and why.
    TurnBack(String),
    /// It is where it should be.
    Finish,
}

/// Decides what is due for a shift that runs.
pub(super) fn next(
    now: Now,
    shift: &ShiftRecord,
    watch: &Watch,
    policy: &ServicePolicy,
    meter: &Meter,
    health: &Health,
) -> Next {
    let view = &shift.view;
    let go_on = || match gate(shift, health) {
        Ok(()) => Next::Step,
        Err(why) => Next::Hold(why),
    };
    if view.phase == ShiftPhase::Paused {
        return Next::Wait;
    }
    if view.step == 0 {
        let is_urgent = view.turned_by.is_some() && urgent(shift, health);
        return if is_urgent { Next::LastStep } else { go_on() };
    }
    let Some(since) = watch.since else {
        return Next::Wait;
    };
    let is_last = view.step >= view.steps;
    let is_baked = now.instant.since(since.instant) >= shift.bake();
    if view.turned_by.is_some() {
        return match (is_last, urgent(shift, health), is_baked) {
            (true, _, _) => Next::Finish,
            (false, true, _) => Next::LastStep,
            (false, false, true) => go_on(),
            (false, false, false) => Next::Wait,
        };
    }
    // At its last step an evacuation is done when all workers have it: it would not turn back whatever is measured.
    if is_last && (!shift.judged || view.cause == ShiftCause::Evacuate) {
        return Next::Finish;
    }
    if shift.judged && !watch.waived {
        match judge(now, shift, watch, policy, meter, health) {
            Some(Next::Hold(_)) if !is_baked => return Next::Wait,
            Some(next) => return next,
            None => {}
        }
    }
    match (is_baked, is_last) {
        (false, _) => Next::Wait,
        (true, true) => Next::Finish,
        (true, false) => go_on(),
    }
}

/// What the guardrails make of the step; `None` when they let it go on.
fn judge(
    now: Now,
    shift: &ShiftRecord,
    watch: &Watch,
    policy: &ServicePolicy,
    meter: &Meter,
    health: &Health,
) -> Option<Next> {
    let guardrails = &policy.guardrails;
    let verdict = watch.judge(now.instant, shift, guardrails, meter, health);
    if let Verdict::Broken(why) = &verdict {
        if may_return(now, shift) && watch.broken_for(now.instant, guardrails.hold) {
            return Some(Next::TurnBack(why.clone()));
        }
        // Where all that is evacuated is down, holding would help nobody.
        if shift.view.cause == ShiftCause::Evacuate && all_given_is_down(shift, health) {
            return None;
        }
    }
    let held = verdict
        .lets_go_on(shift.view.cause, watch.was_broken)
        .err()?;
    Some(Next::Hold(match shift.view.cause {
        ShiftCause::Evacuate => format!(
            "{held}; an evacuation does not turn back by itself: resume takes the next step, abort goes back"
        ),
        _ => held,
    }))
}

/// Whether a guardrail may turn the shift back: not where the way back is no longer wanted.
pub(super) fn may_return(now: Now, shift: &ShiftRecord) -> bool {
    match shift.view.cause {
        ShiftCause::Override | ShiftCause::Undo => true,
        ShiftCause::OverrideEnd => shift
            .previous
            .as_ref()
            .is_some_and(|row| row.expires_at > now.wall),
        ShiftCause::Evacuate | ShiftCause::Restore => false,
    }
}

fn all_given_is_down(shift: &ShiftRecord, health: &Health) -> bool {
    shift
        .leg_from
        .iter()
        .filter(|(name, from)| *from > shift.leg_to.get(name).unwrap_or_default())
        .all(|(name, _)| is_down(health, shift, name))
}

impl Draft<'_> {
    /// Everything that is due now.
    pub(super) fn advance(&mut self) {
        self.follow_configuration();
        self.end_overrides();
        self.advance_evacuations();
        self.advance_shifts();
        self.follow_keys();
        self.prune();
    }

    fn advance_shifts(&mut self) {
        let running: Vec<String> = self
            .state
            .services
            .values()
            .filter_map(|record| record.shift.clone())
            .collect();
        for id in running {
            self.advance_shift(&id);
        }
    }

    fn advance_shift(&mut self, id: &str) {
        let Some(shift) = self.state.shifts.get(id).cloned() else {
            return;
        };
        let (world, who) = (self.world, Who::own(shift.view.reason.clone()));
        let (Some(facts), Some(watch)) = (self.facts(&shift.view.service), world.watches.get(id))
        else {
            return;
        };
        let (now, policy) = (world.now, &facts.policy);
        let returning = shift.view.turned_by.is_some();
        let action = if returning { "return" } else { "step" };
        match next(now, &shift, watch, policy, world.meter, world.health) {
            Next::Wait | Next::Hold(_) => {}
            Next::Step => {
                self.take_step(id);
                self.log(&who, action, id);
            }
            Next::LastStep => {
                self.take_last_step(id);
                self.log(&who, action, id);
            }
            Next::TurnBack(why) => {
                self.turn_back(id, TurnedBy::Guardrail, &why);
                self.log(&Who::own(why), "return", id);
            }
            Next::Finish => {
                let phase = if returning {
                    ShiftPhase::Aborted
                } else {
                    ShiftPhase::Completed
                };
                self.finish(id, phase, "");
                self.log(&who, "complete", id);
            }
        }
    }

    /// Ends overrides whose time is over: back to what is declared, in steps.
    fn end_overrides(&mut self) {
        let wall = self.world.now.wall;
        let over: Vec<ServiceName> = self
            .state
            .services
            .iter()
            .filter(|(_, record)| {
                let row = record.override_row.as_ref();
                row.is_some_and(|row| row.expires_at <= wall)
            })
            .map(|(service, _)| service.clone())
            .collect();
        for service in over {
            let Some(facts) = self.facts(&service) else {
                continue;
            };
            let who = Who::own("the override's time is over");
            self.set_override(&service, None, "expired");
            self.begin(Begin {
                service: service.clone(),
                cause: ShiftCause::OverrideEnd,
                who: who.clone(),
                tempo: Tempo::policy(&facts.policy),
                previous: None,
                evacuation: None,
            });
            self.log(&who, "expire", service.as_str());
        }
    }

    /// Fits rows to the backends that the file has now. Without an override a changed row takes effect at once.
    fn follow_configuration(&mut self) {
        let who = Who::own("the configuration changed");
        let gone: Vec<ServiceName> = self
            .state
            .services
            .keys()
            .filter(|service| !self.world.facts.contains_key(*service))
            .cloned()
            .collect();
        for service in gone {
            self.leave(&service, &who);
        }
        for (service, facts) in self.world.facts {
            if self.state.services.contains_key(service) {
                self.refit(service, facts, &who);
                continue;
            }
            let Some(wanted) = self.wanted(service) else {
                continue;
            };
            let mover = Mover {
                cause: "config",
                who: who.clone(),
                shift: None,
            };
            if wanted.evacuation.is_some() {
                // New while a provider is evacuated: it never gets a share of it.
                self.move_to(service, &wanted.shares, mover);
                self.log(&who, "config", service.as_str());
                continue;
            }
            let told = self.world.declared.get(service);
            if told != Some(&facts.declared) {
                self.tell_row(service, told.cloned(), &facts.declared, mover);
                self.log(&who, "config", service.as_str());
            }
        }
    }

    /// Where nothing else moves a row, its map is brought to it: a service has its first key, or the file changed while
    /// the process was away.
    fn follow_keys(&mut self) {
        if !self.is_empty() {
            return;
        }
        let who = Who::own("keys follow the target row");
        for service in keys::changed(&self.state, self.world.facts) {
            self.log(&who, "affinity", service.as_str());
        }
    }

    /// The service left the file.
    fn leave(&mut self, service: &ServiceName, who: &Who) {
        let note = "the service left the configuration";
        if let Some(id) = self.running(service) {
            self.finish(&id, ShiftPhase::Superseded, note);
        }
        let record = self.state.services.remove(service);
        if let Some(row) = record.and_then(|record| record.override_row) {
            self.tell(super::Notice::OverrideEnded {
                service: service.clone(),
                row,
                why: note.to_owned(),
            });
        }
        self.log(who, "config", service.as_str());
    }

    fn refit(&mut self, service: &ServiceName, facts: &ServiceFacts, who: &Who) {
        let (Some(record), Some(wanted)) = (
            self.state.services.get(service).cloned(),
            self.wanted(service),
        ) else {
            return;
        };
        let mover = Mover {
            cause: "config",
            who: who.clone(),
            shift: record.shift.clone(),
        };
        let lost = record
            .override_row
            .as_ref()
            .is_some_and(|row| fit(&row.shares, facts).is_none());
        if lost {
            self.set_override(service, None, "none of its backends is left in the file");
        }
        let target = fit(&record.target, facts).unwrap_or_else(|| wanted.shares.clone());
        let shift = record
            .shift
            .as_ref()
            .and_then(|id| self.state.shifts.get(id));
        let changed = match shift {
            None => wanted.shares != record.target,
            Some(shift) => shift.leg_to != wanted.shares || target != record.target,
        };
        if !changed && !lost {
            return;
        }
        let Some(mut shift) = shift.cloned() else {
            self.move_to(service, &wanted.shares, mover);
            self.log(who, "config", service.as_str());
            return;
        };
        // The ramp goes on from where it stands, in steps of the same size, to where it should come now.
        shift.view.from = fit(&shift.view.from, facts).unwrap_or_else(|| target.clone());
        shift.view.now = target.clone();
        if shift.view.turned_by.is_none() {
            shift.view.to = wanted.shares.clone();
        }
        shift.view.step = 0;
        shift.view.steps = ramp::steps(&target, &wanted.shares, shift.pace);
        shift.leg_from = target.clone();
        shift.leg_to = wanted.shares;
        let (id, is_there) = (shift.view.id.clone(), shift.view.steps == 0);
        self.change.restarted.insert(id.clone());
        self.state.shifts.insert(id.clone(), shift);
        self.move_to(service, &target, mover);
        if is_there {
            self.finish(
                &id,
                ShiftPhase::Completed,
                "the configuration came to meet it",
            );
        }
        self.log(who, "config", service.as_str());
    }
}

impl Tempo {
    /// The service's own pace.
    pub(super) const fn policy(policy: &ServicePolicy) -> Self {
        Self {
            pace: policy.step,
            steps: None,
            bake: policy.bake,
            judged: true,
        }
    }
}
