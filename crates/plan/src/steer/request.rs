//! What becomes of a person's request: refused with evidence, or a change of the state. Every refusal is decided here,
//! before anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bascule_model::{
    AdminState, AdminTarget, BackendName, BasisPoints, ProviderName, ServiceName, ShareError,
    Shares, Timestamp,
};

use super::draft::{Draft, Who, admin_state};
use super::evacuation::tempo_out;
use super::shift::{Begin, Tempo};
use super::wanted::{Wanted, base, evacuated};
use super::{Notice, ShiftChange};
use crate::check::{Kind, Proposal, check, nearest};
use crate::command::{BrokenRail, Command, Pace, Refusal, Request};
use crate::policy::{ServiceFacts, ServicePolicy};
use crate::view::{
    Accepted, AdminEntry, EvacuationPhase, OverrideView, ShiftCause, ShiftPhase, ShiftView,
    TurnedBy,
};

impl Draft<'_> {
    /// Makes the change that is asked for, in this draft.
    pub(super) fn answer(&mut self, request: &Request) -> Result<Accepted, Refusal> {
        let current = self.world.before.revision;
        if let Some(seen) = request.if_match.filter(|seen| *seen != current) {
            return Err(Refusal::Stale { seen, current });
        }
        let before: BTreeMap<ServiceName, Option<Shares>> = self
            .world
            .facts
            .keys()
            .map(|service| (service.clone(), self.target(service)))
            .collect();
        let who = Who {
            actor: request.actor.clone(),
            reason: request.reason.clone(),
        };
        let mut done = self.perform(&request.command, &who)?;
        if request.command.is_undoable() {
            self.checkpoint();
        }
        self.log(&who, request.command.action(), request.command.object());
        self.prune();
        done.rows = before
            .into_iter()
            .filter_map(|(service, from)| {
                let to = self.wanted(&service)?.shares;
                let from = from.filter(|from| *from != to)?;
                Some((service, (from, to)))
            })
            .collect();
        done.revision = self.state.revision;
        done.warnings = std::mem::take(&mut self.change.warnings);
        Ok(done)
    }

    fn perform(&mut self, command: &Command, who: &Who) -> Result<Accepted, Refusal> {
        match command {
            Command::Shift {
                service,
                set,
                pace,
                expires_in,
            } => self.ask_shift(service, set, *pace, *expires_in, who),
            Command::ClearOverride { service, pace } => self.ask_clear(service, *pace, who),
            Command::Pause { shift } => self.ask_pause(shift),
            Command::Resume { shift } => self.ask_resume(shift),
            Command::Abort { shift } => self.ask_abort(shift, who),
            Command::Evacuate {
                provider,
                fast,
                expires_in,
            } => self.ask_evacuate(provider, *fast, *expires_in, who),
            Command::Restore { provider } => self.ask_restore(provider, who),
            Command::Undo { to } => self.ask_undo(*to, who),
            Command::SetAdmin { target, state } => self.ask_admin(target, *state, who),
        }
    }

    fn known(&self, service: &ServiceName) -> Result<&'_ ServiceFacts, Refusal> {
        self.facts(service).ok_or_else(|| Refusal::UnknownService {
            service: service.clone(),
            known: self.world.facts.keys().cloned().collect(),
        })
    }

    fn not_busy(&self, service: &ServiceName) -> Result<(), Refusal> {
        match self.running(service) {
            Some(shift) => Err(Refusal::Busy { shift }),
            None => Ok(()),
        }
    }

    fn ask_shift(
        &mut self,
        service: &ServiceName,
        set: &[(BackendName, BasisPoints)],
        pace: Pace,
        expires_in: Option<Duration>,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        let facts = self.known(service)?.clone();
        let policy = &facts.policy;
        let is_known = |name: &BackendName| facts.backends.contains_key(name);
        if let Some((backend, _)) = set.iter().find(|(name, _)| !is_known(name)) {
            return Err(Refusal::UnknownBackend {
                service: service.clone(),
                backend: backend.clone(),
                known: facts.backends.keys().cloned().collect(),
            });
        }
        let ttl = lasting(expires_in, policy.override_ttl, policy.override_ttl_max)?;
        self.not_busy(service)?;
        let current = self.wanted(service).unwrap_or_else(|| base(None, &facts));
        let shares = current.shares.with(set).map_err(sum_refused)?;
        let out = evacuated(&self.state, &facts);
        let off = off_after(&current, &shares, set, &out);
        self.pass_rails(service, &shares, &off, Kind::Person)?;
        let wall = self.world.now.wall;
        let row = OverrideView {
            shares,
            off,
            actor: who.actor.clone(),
            reason: who.reason.clone(),
            set_at: wall,
            expires_at: wall + ttl,
            evacuation: None,
        };
        self.warn_of_evacuated(&row, &out);
        let record = self.state.services.get(service);
        let previous = record.and_then(|record| record.override_row.clone());
        self.set_override(service, Some(row), "replaced");
        Ok(self.accept(self_begin(
            service,
            ShiftCause::Override,
            who,
            tempo(pace, policy),
            previous,
        )))
    }

    fn ask_clear(
        &mut self,
        service: &ServiceName,
        pace: Pace,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        let facts = self.known(service)?.clone();
        let record = self.state.services.get(service);
        let Some(previous) = record.and_then(|record| record.override_row.clone()) else {
            return Err(Refusal::NotFound {
                what: "override",
                id: service.to_string(),
            });
        };
        self.not_busy(service)?;
        self.set_override(service, None, &format!("cleared by {}", who.actor));
        let wanted = self.wanted(service).unwrap_or_else(|| base(None, &facts));
        self.pass_rails(service, &wanted.shares, &wanted.off, Kind::Back)?;
        Ok(self.accept(self_begin(
            service,
            ShiftCause::OverrideEnd,
            who,
            tempo(pace, &facts.policy),
            Some(previous),
        )))
    }

    /// Begins the shift and answers with it.
    fn accept(&mut self, begin: Begin) -> Accepted {
        let shifts = self.begin(begin).into_iter().collect();
        Accepted {
            shifts,
            ..accepted()
        }
    }

    /// Refuses a row that breaks a rail.
    pub(super) fn pass_rails(
        &self,
        service: &ServiceName,
        shares: &Shares,
        off: &BTreeSet<BackendName>,
        kind: Kind,
    ) -> Result<(), Refusal> {
        let (broken, nearest) = self.check_rails(service, shares, off, kind);
        if broken.is_empty() {
            return Ok(());
        }
        Err(Refusal::Rails { broken, nearest })
    }

    pub(super) fn check_rails(
        &self,
        service: &ServiceName,
        shares: &Shares,
        off: &BTreeSet<BackendName>,
        kind: Kind,
    ) -> (Vec<BrokenRail>, Option<Shares>) {
        let (Some(facts), Some(now)) = (self.facts(service), self.target(service)) else {
            return (Vec::new(), None);
        };
        let proposal = Proposal {
            service,
            facts,
            now: &now,
            then: shares,
            off,
            evacuated: &evacuated(&self.state, facts).into_keys().collect(),
            blocked: &self.blocked(service),
            kind,
        };
        (check(&proposal), nearest(&proposal))
    }

    fn warn_of_evacuated(&mut self, row: &OverrideView, out: &BTreeMap<BackendName, String>) {
        for name in out.keys() {
            if row.shares.get(name).is_none_or(BasisPoints::is_zero) {
                let warning =
                    format!("{name} keeps 0 % after its restore until this override ends");
                self.change.warnings.push(warning);
            }
        }
    }

    fn shift_view(&self, id: &str) -> Result<&ShiftView, Refusal> {
        let shift = self.state.shifts.get(id).ok_or_else(|| Refusal::NotFound {
            what: "shift",
            id: id.to_owned(),
        })?;
        if shift.view.phase.is_ended() {
            return Err(wrong_phase(id, shift.view.phase.as_str()));
        }
        Ok(&shift.view)
    }

    fn ask_pause(&mut self, id: &str) -> Result<Accepted, Refusal> {
        if self.shift_view(id)?.phase == ShiftPhase::Paused {
            return Err(wrong_phase(id, ShiftPhase::Paused.as_str()));
        }
        self.set_phase(id, ShiftPhase::Paused, ShiftChange::Paused);
        Ok(accepted())
    }

    fn ask_resume(&mut self, id: &str) -> Result<Accepted, Refusal> {
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

    fn set_phase(&mut self, id: &str, phase: ShiftPhase, change: ShiftChange) {
        let Some(shift) = self.state.shifts.get_mut(id) else {
            return;
        };
        shift.view.phase = phase;
        let shift = shift.clone();
        self.tell_shift(change, &shift);
    }

    fn ask_abort(&mut self, id: &str, who: &Who) -> Result<Accepted, Refusal> {
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
            (_, None) if !super::advance::may_return(self.world.now, &shift) => {
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

    fn has_provider(&self, provider: &ProviderName) -> Result<(), Refusal> {
        let known: BTreeSet<ProviderName> = self
            .world
            .facts
            .values()
            .flat_map(|facts| facts.backends.values())
            .map(|backend| backend.provider.clone())
            .collect();
        if known.contains(provider) {
            return Ok(());
        }
        Err(Refusal::UnknownProvider {
            provider: provider.clone(),
            known: known.into_iter().collect(),
        })
    }

    fn ask_evacuate(
        &mut self,
        provider: &ProviderName,
        fast: bool,
        expires_in: Option<Duration>,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        self.has_provider(provider)?;
        let held = self
            .state
            .evacuations
            .values()
            .find(|e| &e.provider == provider && !e.phase.is_over());
        if let Some(evacuation) = held {
            return Err(wrong_phase(&evacuation.id, evacuation.phase.as_str()));
        }
        let policies = || self.world.facts.values().map(|facts| &facts.policy);
        let defaults = ServicePolicy::default();
        let ttl = policies().map(|p| p.override_ttl).min();
        let ttl_max = policies().map(|p| p.override_ttl_max).min();
        let ttl = lasting(
            expires_in,
            ttl.unwrap_or(defaults.override_ttl),
            ttl_max.unwrap_or(defaults.override_ttl_max),
        )?;
        let expires_at: Timestamp = self.world.now.wall + ttl;
        let id = self.evacuate(provider, who, fast, expires_at);
        self.somebody_is_left(provider)?;
        let shifts = self
            .state
            .evacuations
            .get(&id)
            .map(|e| e.shifts.clone())
            .unwrap_or_default();
        Ok(Accepted {
            shifts,
            evacuation: Some(id),
            ..accepted()
        })
    }

    /// Refuses an evacuation that would leave a service with nobody who can take its requests.
    fn somebody_is_left(&self, provider: &ProviderName) -> Result<(), Refusal> {
        let mut broken = Vec::new();
        for (service, facts) in self.world.facts {
            let concerned = facts.backends.values().any(|b| &b.provider == provider);
            let Some(wanted) = self.wanted(service).filter(|_| concerned) else {
                continue;
            };
            let holds = facts
                .backends
                .iter()
                .filter(|(_, backend)| &backend.provider == provider)
                .all(|(name, _)| wanted.off.contains(name));
            if !holds {
                return Err(Refusal::AllOff {
                    service: service.clone(),
                });
            }
            let before = super::draft::target(self.world.before, service, self.world.facts);
            let Some(now) = before else { continue };
            let proposal = Proposal {
                service,
                facts,
                now: &now,
                then: &wanted.shares,
                off: &wanted.off,
                evacuated: &BTreeSet::new(),
                blocked: &self.blocked(service),
                kind: Kind::Evacuate,
            };
            broken.extend(check(&proposal));
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Refusal::Rails {
            broken,
            nearest: None,
        })
    }

    fn ask_restore(&mut self, provider: &ProviderName, who: &Who) -> Result<Accepted, Refusal> {
        self.has_provider(provider)?;
        let open = self
            .state
            .evacuations
            .values()
            .find(|e| &e.provider == provider && e.phase != EvacuationPhase::Restored);
        let Some(evacuation) = open.cloned() else {
            return Err(Refusal::NotFound {
                what: "evacuation",
                id: provider.to_string(),
            });
        };
        if evacuation.phase.is_over() {
            return Err(wrong_phase(&evacuation.id, evacuation.phase.as_str()));
        }
        let shifts = self.restore(&evacuation.id, who, &format!("asked for by {}", who.actor));
        Ok(Accepted {
            shifts,
            evacuation: Some(evacuation.id),
            ..accepted()
        })
    }

    fn ask_admin(
        &mut self,
        target: &AdminTarget,
        to: AdminState,
        who: &Who,
    ) -> Result<Accepted, Refusal> {
        self.has_target(target)?;
        self.set_admin(target, to, who);
        if !to.takes_new() {
            self.nobody_is_cut_off(target)?;
        }
        Ok(accepted())
    }

    /// Sets an admin state, and remembers to tell.
    pub(super) fn set_admin(&mut self, target: &AdminTarget, to: AdminState, who: &Who) {
        let entry = AdminEntry {
            state: to,
            actor: who.actor.clone(),
            reason: who.reason.clone(),
            set_at: self.world.now.wall,
        };
        let before = match to {
            AdminState::Ready => self.state.admin.remove(target),
            _ => self.state.admin.insert(target.clone(), entry),
        };
        let from = before.map(|entry| entry.state).unwrap_or_default();
        if from != to {
            self.tell(Notice::Admin {
                target: target.clone(),
                from,
                to,
                actor: who.actor.clone(),
                reason: who.reason.clone(),
            });
        }
    }

    fn has_target(&self, target: &AdminTarget) -> Result<(), Refusal> {
        let backend = |service: &ServiceName, backend: &BackendName| {
            let facts = self.known(service)?;
            if facts.backends.contains_key(backend) {
                return Ok(());
            }
            Err(Refusal::UnknownBackend {
                service: service.clone(),
                backend: backend.clone(),
                known: facts.backends.keys().cloned().collect(),
            })
        };
        match target {
            AdminTarget::Provider(provider) => self.has_provider(provider),
            AdminTarget::Backend(s, b) => backend(s, b),
            AdminTarget::Endpoint(s, b, text) => {
                backend(s, b)?;
                let seen = self.world.health.get(&(s.clone(), b.clone()));
                let is_known =
                    seen.is_none_or(|seen| seen.endpoints.iter().any(|e| e.is_named(text)));
                // Going back to ready is always possible, also of one that is gone.
                if is_known || self.state.admin.contains_key(target) {
                    return Ok(());
                }
                Err(Refusal::UnknownTarget {
                    target: target.clone(),
                })
            }
        }
    }

    /// Refuses an admin state after which a service has no backend that takes new requests.
    fn nobody_is_cut_off(&self, target: &AdminTarget) -> Result<(), Refusal> {
        let cuts = |service: &ServiceName, facts: &ServiceFacts| match target {
            AdminTarget::Provider(p) => facts.backends.values().any(|b| &b.provider == p),
            AdminTarget::Backend(s, _) => s == service,
            AdminTarget::Endpoint(..) => false,
        };
        for (service, facts) in self.world.facts {
            let Some(wanted) = self.wanted(service).filter(|_| cuts(service, facts)) else {
                continue;
            };
            let takes = |name: &BackendName| {
                admin_state(&self.state, self.world.facts, service, name).takes_new()
            };
            let is_served = wanted
                .shares
                .iter()
                .any(|(name, share)| !share.is_zero() && takes(name));
            if !is_served {
                return Err(Refusal::AllOff {
                    service: service.clone(),
                });
            }
        }
        Ok(())
    }
}

impl Command {
    /// Whether undo goes back over it.
    const fn is_undoable(&self) -> bool {
        !matches!(self, Self::Pause { .. } | Self::Resume { .. })
    }
}

fn self_begin(
    service: &ServiceName,
    cause: ShiftCause,
    who: &Who,
    tempo: Tempo,
    previous: Option<OverrideView>,
) -> Begin {
    Begin {
        service: service.clone(),
        cause,
        who: who.clone(),
        tempo,
        previous,
        evacuation: None,
    }
}

/// An answer to be filled in.
pub(super) const fn accepted() -> Accepted {
    Accepted {
        revision: bascule_model::Revision(0),
        shifts: Vec::new(),
        evacuation: None,
        rows: BTreeMap::new(),
        warnings: Vec::new(),
    }
}

/// The pace that is asked for.
fn tempo(pace: Pace, policy: &ServicePolicy) -> Tempo {
    match pace {
        Pace::Policy => Tempo::policy(policy),
        Pace::Now => tempo_out(policy, true),
        Pace::Steps { step, bake } => Tempo {
            pace: step.max(BasisPoints::saturating(1)),
            steps: None,
            bake,
            judged: true,
        },
    }
}

fn lasting(asked: Option<Duration>, default: Duration, max: Duration) -> Result<Duration, Refusal> {
    let asked = asked.unwrap_or(default.min(max));
    if asked.is_zero() || asked > max {
        return Err(Refusal::TooLong { asked, max });
    }
    Ok(asked)
}

/// Backends that are off in a person's row: those given zero, and those that were off and are not named. An evacuation's
/// are not a person's.
fn off_after(
    current: &Wanted,
    shares: &Shares,
    set: &[(BackendName, BasisPoints)],
    out: &BTreeMap<BackendName, String>,
) -> BTreeSet<BackendName> {
    let is_off = |name: &BackendName| {
        let named = set.iter().rev().find(|(n, _)| n == name);
        match named {
            Some((_, share)) => share.is_zero(),
            None => current.off.contains(name) && !out.contains_key(name),
        }
    };
    shares
        .iter()
        .filter(|(name, share)| share.is_zero() && is_off(name))
        .map(|(name, _)| name.clone())
        .collect()
}

fn sum_refused(error: ShareError) -> Refusal {
    match error {
        ShareError::Above(sum) => Refusal::Sum { sum, above: true },
        ShareError::Below(sum) | ShareError::Unscalable(sum) => Refusal::Sum { sum, above: false },
        ShareError::AllZero | ShareError::Unknown(_) => Refusal::Sum {
            sum: bascule_model::share::Percent(0),
            above: false,
        },
    }
}

fn wrong_phase(id: &str, phase: &'static str) -> Refusal {
    Refusal::WrongPhase {
        shift: id.to_owned(),
        phase,
    }
}
