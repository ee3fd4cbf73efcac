//! A change being made: a copy of the state, and what to tell when it is on disk. Thrown away when the change is refused
//! or cannot be stored; nothing outside sees it before.

use std::collections::{BTreeMap, BTreeSet};

use bascule_model::{BackendName, Revision, ServiceName, Shares};

use super::meter::Meter;
use super::prove::Proofs;
use super::wanted::{Wanted, evacuated, wanted};
use super::watch::Watch;
use super::{Facts, Health, Notice, Now, Persisted, ServiceRecord, WeightChange};
use crate::policy::ServiceFacts;
use crate::view::{HistoryEntry, RowChange};

/// What the world looks like while a change is made.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub now: Now,
    pub facts: &'a Facts,
    pub health: &'a Health,
    pub meter: &'a Meter,
    pub watches: &'a BTreeMap<String, Watch>,
    pub proofs: &'a Proofs,
    pub confirmed: Revision,
    pub before: &'a Persisted,
    /// The declared rows that everybody was told of.
    pub declared: &'a BTreeMap<ServiceName, Shares>,
}

/// A change being made.
pub(super) struct Draft<'a> {
    pub world: World<'a>,
    pub state: Persisted,
    pub change: Change,
    /// Rows that moved and are not yet in a line of history.
    rows: BTreeMap<ServiceName, RowChange>,
}

/// What goes with the state of a change.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub history: Vec<HistoryEntry>,
    pub notices: Vec<Notice>,
    /// Shifts whose step is to be watched anew.
    pub restarted: BTreeSet<String>,
    /// Shifts whose step a person lets pass.
    pub waived: BTreeSet<String>,
    /// For the asker to read.
    pub warnings: Vec<String>,
}

/// Who does something, and why.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub actor: String,
    pub reason: String,
}

impl Who {
    /// The control loop itself.
    pub(super) fn own(reason: impl Into<String>) -> Self {
        Self {
            actor: "bascule".to_owned(),
            reason: reason.into(),
        }
    }
}

/// What moves a row.
#[derive(Debug, Clone)]
pub(super) struct Mover {
    pub cause: &'static str,
    pub who: Who,
    pub shift: Option<String>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(world: World<'a>) -> Self {
        let mut state = world.before.clone();
        state.revision = state.revision.next();
        Self {
            world,
            state,
            change: Change::default(),
            rows: BTreeMap::new(),
        }
    }

    /// Whether anything happened in it.
    pub(super) fn is_empty(&self) -> bool {
        self.change.history.is_empty()
    }

    pub(super) fn facts(&self, service: &ServiceName) -> Option<&'a ServiceFacts> {
        self.world.facts.get(service)
    }

    /// Where the service should come to, by what is in the draft.
    pub(super) fn wanted(&self, service: &ServiceName) -> Option<Wanted> {
        Some(wanted(&self.state, service, self.facts(service)?))
    }

    /// Where the service's ramp stands.
    pub(super) fn target(&self, service: &ServiceName) -> Option<Shares> {
        target(&self.state, service, self.world.facts)
    }

    /// The record of a service, made when it has none.
    pub(super) fn record(&mut self, service: &ServiceName) -> Option<&mut ServiceRecord> {
        let target = self.target(service)?;
        let record = self.state.services.entry(service.clone());
        Some(record.or_insert(ServiceRecord {
            target,
            override_row: None,
            shift: None,
        }))
    }

    /// Moves a service's target, and remembers to tell.
    pub(super) fn move_to(&mut self, service: &ServiceName, row: &Shares, mover: Mover) {
        let Some(before) = self.target(service) else {
            return;
        };
        if let Some(record) = self.record(service) {
            record.target = row.clone();
        }
        self.tell_row(service, Some(before), row, mover);
    }

    /// Remembers to tell that a row changed, however it did.
    pub(super) fn tell_row(
        &mut self,
        service: &ServiceName,
        before: Option<Shares>,
        row: &Shares,
        mover: Mover,
    ) {
        if before.as_ref() == Some(row) {
            return;
        }
        if let Some(from) = before.clone() {
            self.change.notices.push(Notice::Weight(WeightChange {
                at: self.world.now.wall,
                service: service.clone(),
                from,
                to: row.clone(),
                cause: mover.cause.to_owned(),
                initiator: mover.who.actor,
                reason: mover.who.reason,
                shift: mover.shift,
                rev: self.state.revision,
                prev_rev: self.world.before.revision,
            }));
        }
        let change = self.rows.entry(service.clone()).or_insert(RowChange {
            before,
            after: row.clone(),
        });
        change.after = row.clone();
    }

    /// Writes a line of history with the rows that moved since the last one.
    pub(super) fn log(&mut self, who: &Who, action: &str, object: impl Into<String>) {
        self.change.history.push(HistoryEntry {
            revision: self.state.revision,
            at: self.world.now.wall,
            actor: who.actor.clone(),
            action: action.to_owned(),
            object: object.into(),
            reason: who.reason.clone(),
            refused: None,
            rows: std::mem::take(&mut self.rows),
        });
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        self.change.notices.push(notice);
    }

    /// Forgets records of services that follow what is declared again, and what is over for long.
    pub(super) fn prune(&mut self) {
        let facts = self.world.facts;
        let held: BTreeSet<ServiceName> = facts
            .iter()
            .filter(|(_, facts)| !evacuated(&self.state, facts).is_empty())
            .map(|(service, _)| service.clone())
            .collect();
        self.state.services.retain(|service, record| {
            let follows = facts
                .get(service)
                .is_some_and(|f| f.declared == record.target);
            record.override_row.is_some()
                || record.shift.is_some()
                || held.contains(service)
                || !follows
        });
        let ended = |view: &crate::view::ShiftView| view.phase.is_ended();
        while self.state.shifts.len() > super::persisted::SHIFTS_MAX {
            let oldest = self.state.shifts.iter().find(|(_, s)| ended(&s.view));
            let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            self.state.shifts.remove(&id);
        }
        while self.state.evacuations.len() > super::persisted::EVACUATIONS_MAX {
            let restored =
                |e: &crate::view::EvacuationView| e.phase == crate::view::EvacuationPhase::Restored;
            let oldest = self.state.evacuations.iter().find(|(_, e)| restored(e));
            let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            self.state.evacuations.remove(&id);
        }
    }

    /// Backends of a service that cannot take new work, and why.
    pub(super) fn blocked(&self, service: &ServiceName) -> BTreeMap<BackendName, String> {
        let Some(facts) = self.facts(service) else {
            return BTreeMap::new();
        };
        let why = |name: &BackendName| {
            let admin = admin_state(&self.state, self.world.facts, service, name);
            if !admin.takes_new() {
                return Some(format!("is set to {}", admin.as_str()));
            }
            let seen = self.world.health.get(&(service.clone(), name.clone()))?;
            seen.is_down()
                .then(|| "has no endpoint that is up".to_owned())
        };
        facts
            .backends
            .keys()
            .filter_map(|name| Some((name.clone(), why(name)?)))
            .collect()
    }
}

/// Where the service's ramp stands, fitted to the backends it has now.
pub(super) fn target(state: &Persisted, service: &ServiceName, facts: &Facts) -> Option<Shares> {
    let facts = facts.get(service)?;
    let record = state.services.get(service);
    let row = record.and_then(|record| super::wanted::fit(&record.target, facts));
    Some(row.unwrap_or_else(|| facts.declared.clone()))
}

/// What people want of a backend: the strictest of its own state and its provider's.
pub(super) fn admin_state(
    state: &Persisted,
    facts: &Facts,
    service: &ServiceName,
    backend: &BackendName,
) -> bascule_model::AdminState {
    let provider = facts
        .get(service)
        .and_then(|facts| facts.backends.get(backend))
        .map(|backend| bascule_model::AdminTarget::Provider(backend.provider.clone()));
    let own = bascule_model::AdminTarget::Backend(service.clone(), backend.clone());
    provider
        .iter()
        .chain([&own])
        .filter_map(|target| state.admin.get(target))
        .map(|entry| entry.state)
        .max()
        .unwrap_or_default()
}
