//! The control loop as a state machine: what happens, in which order, and when. Told events and the time, it gives
//! effects; it never waits, reads a clock or touches the world. One change is on its way at a time: recorded
//! ([`Effect::Store`]), and only when that is on disk believed, told and published. A change that cannot be recorded did
//! not happen.
//!
//! Read [`draft`] for what a change is, [`request`] for what people may ask, [`advance`] for what time brings, [`shift`]
//! and [`evacuation`] for the two lives it leads, [`watch`] for what lets a step pass, [`record`] for how a change comes to
//! hold, [`keys`] for the bucket maps that every change carries, [`drive`] for what lives only in memory.

mod advance;
mod draft;
mod drive;
mod evacuation;
mod event;
mod keys;
mod meter;
mod notice;
mod persisted;
mod prove;
mod ramp;
mod record;
mod request;
mod shift;
mod show;
mod undo;
mod wanted;
mod watch;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, Revision, ServiceName, Shares, Targets};

pub use event::{BackendHealth, Effect, Event, Facts, Health, Now, Probes, Record};
pub use notice::{Notice, ShiftChange, WeightChange};
pub use persisted::{Checkpoint, Persisted, ServiceRecord, ShiftRecord};

use crate::command::{Refusal, Request};
use crate::view::{Accepted, EvacuationPhase, EvacuationView, HistoryEntry, ShiftPhase, State};
use draft::{Change, World};
use meter::Meter;
use prove::Proofs;
use watch::Watch;

/// Targets that no worker confirmed for this long are given again: the edge may have been starting.
const REPUBLISH: Duration = Duration::from_millis(500);

/// The control loop of all services.
pub struct Steer {
    now: Now,
    persisted: Persisted,
    facts: Facts,
    health: Health,
    meter: Meter,
    watches: BTreeMap<String, Watch>,
    proofs: Proofs,
    /// The evacuation whose probes are on their way.
    asking: Option<String>,
    /// The declared rows that everybody was told of.
    declared: BTreeMap<ServiceName, Shares>,
    /// The configuration that what is stored was made for. Edges are given nothing that mixes it with a newer one: what is
    /// off by the one may have a share by the other.
    agreed: Facts,
    confirmed: Revision,
    workers: usize,
    published: Option<(Revision, Instant)>,
    /// Requests that wait for the record on its way.
    queue: VecDeque<Request>,
    pending: Option<Pending>,
    numbered: u64,
    /// Refusals to be written to history.
    backlog: Vec<HistoryEntry>,
    store_again: Option<Instant>,
    state: Arc<State>,
    effects: VecDeque<Effect>,
}

/// A change whose record is on its way.
struct Pending {
    number: u64,
    state: Persisted,
    change: Change,
    declared: BTreeMap<ServiceName, Shares>,
    facts: Facts,
    /// How many refusals its record writes to history.
    refusals: usize,
    request: Option<(Request, Accepted)>,
}

impl std::fmt::Debug for Steer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Steer")
            .field("revision", &self.persisted.revision)
            .field("pending", &self.pending.as_ref().map(|p| p.number))
            .finish_non_exhaustive()
    }
}

impl Steer {
    /// Goes on from what was stored; a fresh start is `Persisted::default()`. Overrides whose time passed meanwhile end,
    /// and a shift goes on in the middle, its step watched anew.
    #[must_use]
    pub fn restore(now: Now, persisted: Persisted, facts: Facts) -> Self {
        let watch = |shift: &ShiftRecord| !shift.view.phase.is_ended();
        let mut steer = Self {
            now,
            watches: persisted
                .shifts
                .iter()
                .filter(|(_, shift)| watch(shift))
                .map(|(id, _)| (id.clone(), Watch::new(persisted.revision)))
                .collect(),
            persisted,
            health: Health::new(),
            meter: Meter::default(),
            proofs: Proofs::new(),
            asking: None,
            declared: declared(&facts),
            agreed: facts.clone(),
            facts,
            confirmed: Revision(0),
            workers: 0,
            published: None,
            queue: VecDeque::new(),
            pending: None,
            numbered: 0,
            backlog: Vec::new(),
            store_again: None,
            state: Arc::default(),
            effects: VecDeque::new(),
        };
        steer.handle_timeout(now);
        steer
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Now, event: Event) {
        match event {
            Event::Request(request) => self.queue.push_back(request),
            Event::Stored(number) => self.stored(now, number),
            Event::StoreFailed { number, error } => self.store_failed(now, number, &error),
            Event::Confirmed { revision, workers } => self.confirm(now, revision, workers),
            Event::Signals(signals) => {
                self.meter.read(now.instant, signals);
                self.measure(now);
            }
            Event::Health(health) => {
                self.health = health;
                self.measure(now);
            }
            Event::Facts(facts) => self.facts = facts,
            Event::Proved(probes) => {
                self.asking = None;
                if let Some(proving) = self.proofs.get_mut(&probes.evacuation) {
                    proving.answered(now, probes);
                }
            }
        }
        self.handle_timeout(now);
    }

    /// Does what the passing of time asks for; calling it too early or too often changes nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        self.prove(now);
        self.change(now);
        self.hold(now);
        self.publish(now);
        let state = show::state(&self.persisted, &self.facts, &self.watches, &self.meter);
        if *self.state != state {
            self.state = Arc::new(state);
        }
        self.check_invariants();
    }

    /// When [`handle_timeout`](Self::handle_timeout) should be called next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let republish = self
            .published
            .filter(|(revision, _)| *revision > self.confirmed)
            .map(|(_, at)| at + REPUBLISH);
        let own = self.own_timeouts().filter(|_| self.pending.is_none());
        own.chain(republish)
            .filter(|at| *at > self.now.instant)
            .min()
    }

    /// The next effect; to be asked until there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// What everybody may read; another value after each change.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// What edges should have.
    #[must_use]
    pub fn targets(&self) -> Targets {
        show::targets(&self.persisted, &self.agreed)
    }

    /// Whether a shift or an evacuation is under way: signals are then needed often.
    #[must_use]
    pub fn is_moving(&self) -> bool {
        let evacuates = |phase: EvacuationPhase| {
            matches!(
                phase,
                EvacuationPhase::Shifting | EvacuationPhase::Proving | EvacuationPhase::Draining
            )
        };
        let mut evacuations = self.persisted.evacuations.values();
        !self.watches.is_empty() || evacuations.any(|e| evacuates(e.phase))
    }

    fn world(&self, now: Now) -> World<'_> {
        World {
            now,
            facts: &self.facts,
            health: &self.health,
            meter: &self.meter,
            watches: &self.watches,
            proofs: &self.proofs,
            confirmed: self.confirmed,
            before: &self.persisted,
            declared: &self.declared,
        }
    }

    fn reply(&mut self, id: u64, result: Result<Accepted, Refusal>) {
        let result = Box::new(result);
        self.effects.push_back(Effect::Reply { id, result });
    }

    fn tell(&mut self, notice: Notice) {
        self.effects.push_back(Effect::Notice(Box::new(notice)));
    }

    /// What must always hold of the state.
    fn check_invariants(&self) {
        for (service, record) in &self.persisted.services {
            let Some(facts) = self.facts.get(service) else {
                continue;
            };
            let runs = |id: &String| {
                let shift = self.persisted.shifts.get(id);
                shift.is_some_and(|s| !s.view.phase.is_ended() && s.view.service == *service)
            };
            debug_assert!(record.shift.as_ref().is_none_or(runs));
            let wanted = wanted::wanted(&self.persisted, service, facts);
            let row = draft::target(&self.persisted, service, &self.facts);
            let rests = record.shift.is_none() && self.pending.is_none();
            let off_has_none = row.is_some_and(|row| {
                let has_none = |name| row.get(name).is_none_or(|share| share.is_zero());
                wanted.off.iter().all(has_none)
            });
            debug_assert!(!rests || off_has_none || self.store_again.is_some());
        }
        let rests = self.pending.is_none() && self.store_again.is_none();
        debug_assert!(!rests || keys::changed(&self.persisted, &self.facts).is_empty());
        debug_assert!(self.persisted.shifts.values().all(|shift| {
            let ended = shift.view.phase.is_ended();
            ended == shift.view.ended_at.is_some()
                && (ended || shift.view.phase != ShiftPhase::Baking)
        }));
    }
}

fn is_proving(evacuation: &EvacuationView) -> bool {
    evacuation.phase == EvacuationPhase::Proving
}

fn declared(facts: &Facts) -> BTreeMap<ServiceName, Shares> {
    facts
        .iter()
        .map(|(service, facts)| (service.clone(), facts.declared.clone()))
        .collect()
}
