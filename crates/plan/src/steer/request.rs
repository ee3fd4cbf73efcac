//! What becomes of a person's request: refused with evidence, or a change of the state. Every refusal is decided here,
//! before anything is touched.

mod admin;
mod provider;
mod running;

use super::draft::{Draft, Who};
use super::evacuation::tempo_out;
use super::shift::{Begin, Tempo};
use super::wanted::{Wanted, base, evacuated};
use crate::check::{Kind, Proposal, check, nearest};
use crate::command::{BrokenRail, Command, Pace, Refusal, Request};
use crate::policy::{ServiceFacts, ServicePolicy};
use crate::view::{Accepted, OverrideView, ShiftCause};
use bascule_model::{BackendName, BasisPoints, ServiceName, ShareError, Shares};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
