//! The control loop as a state machine: what happens, in which order, and when. Told events and the time, it gives
//! effects; it never waits, reads a clock or touches the world. One change is on its way at a time: recorded
//! ([`Effect::Store`]), and only when that is on disk believed, told and published. A change that cannot be recorded did
//! not happen.
//!
//! Read [`draft`] for what a change is, [`request`] for what people may ask, [`advance`] for what time brings, [`shift`]
//! and [`evacuation`] for the two lives it leads, [`watch`] for what lets a step pass.

mod advance;
mod draft;
mod evacuation;
mod event;
mod meter;
mod notice;
mod persisted;
mod prove;
mod ramp;
mod request;
mod shift;
mod show;
mod undo;
mod wanted;
mod watch;

#[cfg(test)]
mod fixture;
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
use draft::{Change, Draft, World};
use meter::Meter;
use prove::{MayAsk, Need, Proofs, Proving};
use watch::Watch;

/// Targets that no worker confirmed for this long are given again: the edge may have been starting.
const REPUBLISH: Duration = Duration::from_millis(500);
/// After a failed record the loop's own changes wait: a full disk is not emptied by trying.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// Refusals that wait to be written to history; more are not kept, as each was told and logged when it happened.
const BACKLOG_MAX: usize = 100;

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
        show::targets(&self.persisted, &self.facts)
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

    /// Makes the next change, if none is on its way: a person's first, then the loop's own.
    fn change(&mut self, now: Now) {
        while self.pending.is_none() {
            if let Some(request) = self.queue.pop_front() {
                self.answer(now, request);
                continue;
            }
            if self.store_again.is_some_and(|at| now.instant < at) {
                return;
            }
            let mut draft = Draft::new(self.world(now));
            draft.advance();
            if !draft.is_empty() {
                let Draft { state, change, .. } = draft;
                return self.store(now, state, change, None);
            }
            if !self.backlog.is_empty() {
                let (state, change) = (self.persisted.clone(), Change::default());
                return self.store(now, state, change, None);
            }
            return;
        }
    }

    fn answer(&mut self, now: Now, request: Request) {
        let mut draft = Draft::new(self.world(now));
        match draft.answer(&request) {
            Err(refusal) => self.refuse(now, &request, refusal),
            Ok(mut accepted) if request.dry_run => {
                accepted.revision = self.persisted.revision;
                self.reply(request.id, Ok(accepted));
            }
            Ok(accepted) => {
                let Draft { state, change, .. } = draft;
                self.store(now, state, change, Some((request, accepted)));
            }
        }
    }

    fn refuse(&mut self, now: Now, request: &Request, refusal: Refusal) {
        if !request.dry_run {
            let (action, object) = (request.command.action(), request.command.object());
            let rules = match &refusal {
                Refusal::Rails { broken, .. } => broken
                    .iter()
                    .map(|b| (b.service.clone(), b.rule.clone()))
                    .collect(),
                _ => Vec::new(),
            };
            self.tell(Notice::Refused {
                actor: request.actor.clone(),
                action: action.to_owned(),
                object: object.clone(),
                rules,
                refusal: refusal.to_string(),
            });
            self.backlog.push(HistoryEntry {
                revision: self.persisted.revision,
                at: now.wall,
                actor: request.actor.clone(),
                action: action.to_owned(),
                object,
                reason: request.reason.clone(),
                refused: Some(refusal.to_string()),
                rows: BTreeMap::new(),
            });
            self.backlog.truncate(BACKLOG_MAX);
        }
        self.reply(request.id, Err(refusal));
    }

    fn store(
        &mut self,
        now: Now,
        state: Persisted,
        change: Change,
        request: Option<(Request, Accepted)>,
    ) {
        self.numbered += 1;
        let history: Vec<HistoryEntry> = self
            .backlog
            .iter()
            .chain(&change.history)
            .cloned()
            .collect();
        self.effects.push_back(Effect::Store(Box::new(Record {
            number: self.numbered,
            at: now.wall,
            state: state.clone(),
            history,
        })));
        self.pending = Some(Pending {
            number: self.numbered,
            state,
            change,
            declared: declared(&self.facts),
            refusals: self.backlog.len(),
            request,
        });
    }

    fn stored(&mut self, now: Now, number: u64) {
        let Some(pending) = self.pending.take_if(|p| p.number == number) else {
            return;
        };
        debug_assert!(pending.state.revision >= self.persisted.revision);
        self.persisted = pending.state;
        self.declared = pending.declared;
        let written = pending.refusals.min(self.backlog.len());
        self.backlog.drain(..written);
        self.store_again = None;
        let revision = self.persisted.revision;
        for id in pending.change.restarted {
            self.watches.insert(id, Watch::new(revision));
        }
        for id in pending.change.waived {
            if let Some(watch) = self.watches.get_mut(&id) {
                watch.waived = true;
            }
        }
        self.follow_running(revision);
        // Targets go out before anybody is told of them.
        self.publish(now);
        if let Some((request, accepted)) = pending.request {
            self.reply(request.id, Ok(accepted));
        }
        for notice in pending.change.notices {
            self.tell(notice);
        }
    }

    /// Watches and proofs are kept for what runs, and for nothing else.
    fn follow_running(&mut self, revision: Revision) {
        let shifts = &self.persisted.shifts;
        let runs = |id: &String| shifts.get(id).is_some_and(|s| !s.view.phase.is_ended());
        self.watches.retain(|id, _| runs(id));
        for id in shifts.keys().filter(|id| runs(id)) {
            let watch = self.watches.entry(id.clone());
            watch.or_insert_with(|| Watch::new(revision));
        }
        let evacuations = &self.persisted.evacuations;
        let proves = |id: &String| evacuations.get(id).is_some_and(is_proving);
        self.proofs.retain(|id, _| proves(id));
    }

    fn store_failed(&mut self, now: Now, number: u64, error: &str) {
        let Some(pending) = self.pending.take_if(|p| p.number == number) else {
            return;
        };
        match pending.request {
            Some((request, _)) => self.reply(request.id, Err(Refusal::Store(error.to_owned()))),
            None => {
                self.store_again = Some(now.instant + STORE_AGAIN);
                self.tell(Notice::StoreFailed {
                    error: error.to_owned(),
                });
            }
        }
    }

    fn confirm(&mut self, now: Now, revision: Revision, workers: usize) {
        self.confirmed = self.confirmed.max(revision);
        self.workers = workers;
        let ids: Vec<String> = self.watches.keys().cloned().collect();
        for id in ids {
            let stepped = |shift: &ShiftRecord| shift.view.step > 0;
            let is_on = self.persisted.shifts.get(&id).is_some_and(stepped);
            if let Some(watch) = self.watches.get_mut(&id)
                && is_on
                && watch.since.is_none()
                && watch.revision <= self.confirmed
            {
                watch.begin(now);
            }
        }
    }

    fn measure(&mut self, now: Now) {
        for (id, watch) in &mut self.watches {
            let shift = self.persisted.shifts.get(id);
            let facts = shift.and_then(|shift| self.facts.get(&shift.view.service));
            if let (Some(shift), Some(facts)) = (shift, facts) {
                let guardrails = &facts.policy.guardrails;
                watch.measure(now.instant, shift, guardrails, &self.meter, &self.health);
            }
        }
    }

    /// Notes which shifts are held and why, and tells when one comes to be. A shift that cannot turn back is measured anew
    /// from time to time while a limit is broken, so that it can go on once its receivers have recovered.
    fn hold(&mut self, now: Now) {
        if self.pending.is_some() {
            return;
        }
        let mut told = Vec::new();
        for (id, watch) in &mut self.watches {
            let shift = self.persisted.shifts.get(id);
            let facts = shift.and_then(|shift| self.facts.get(&shift.view.service));
            let (Some(shift), Some(facts)) = (shift, facts) else {
                continue;
            };
            let policy = &facts.policy;
            let next = advance::next(now, shift, watch, policy, &self.meter, &self.health);
            let held = match next {
                advance::Next::Hold(why) => Some(why),
                _ => None,
            };
            let is_new = held.is_some() && watch.held.is_none();
            let was_held = std::mem::replace(&mut watch.held, held).is_some();
            if is_new {
                told.push((id.clone(), show::shift(shift, Some(watch))));
            }
            let since = watch.based_at().unwrap_or(now.instant);
            let is_long = now.instant.since(since) > policy.guardrails.hold;
            if was_held && watch.was_broken && is_long && !advance::may_return(now, shift) {
                watch.rebase();
            }
        }
        for (_, view) in told {
            self.tell(Notice::Shift {
                change: ShiftChange::Held,
                shift: Box::new(view),
            });
        }
    }

    fn prove(&mut self, now: Now) {
        let evacuations = self.persisted.evacuations.values();
        for evacuation in evacuations.filter(|e| is_proving(e)) {
            // Also after a restart: nothing is asked before all workers have what is to be proven.
            if self.confirmed >= self.persisted.revision {
                let proof = self.proofs.entry(evacuation.id.clone());
                proof.or_insert_with(|| Proving::new(now.instant, self.confirmed, self.workers));
            }
        }
        for (id, proving) in &mut self.proofs {
            let Some(evacuation) = self.persisted.evacuations.get(id) else {
                continue;
            };
            let out = evacuation::scope(&self.persisted, &self.facts, &evacuation.provider);
            let may_ask = if self.asking.is_none() {
                MayAsk::Yes
            } else {
                MayAsk::No
            };
            if proving.advance(now.instant, &self.meter, &out, may_ask) == Need::Probes {
                self.asking = Some(id.clone());
                self.effects.push_back(Effect::Prove {
                    evacuation: id.clone(),
                    services: out.into_keys().collect(),
                    probes: prove::PROBES,
                });
            }
        }
    }

    /// Gives the edge what it should have, once: again only when it has that, or did not take it in time.
    fn publish(&mut self, now: Now) {
        let due = match self.published {
            None => true,
            Some((revision, at)) if revision > self.confirmed => now.instant.since(at) >= REPUBLISH,
            Some((revision, _)) => revision < self.persisted.revision,
        };
        if due {
            self.published = Some((self.persisted.revision, now.instant));
            self.effects.push_back(Effect::Publish(self.targets()));
        }
    }

    fn own_timeouts(&self) -> impl Iterator<Item = Instant> {
        let now = self.now;
        let wall = move |at: bascule_model::Timestamp| now.instant + at.since(now.wall);
        let steps = self.watches.iter().flat_map(move |(id, watch)| {
            let shift = self.persisted.shifts.get(id);
            let facts = shift.and_then(|shift| self.facts.get(&shift.view.service));
            let bake = shift
                .zip(watch.since)
                .map(|(s, since)| since.instant + s.bake());
            let hold = facts.zip(watch.broken_since);
            [
                bake,
                hold.map(|(f, since)| since + f.policy.guardrails.hold),
            ]
        });
        let overrides = self.persisted.services.values();
        let overrides = overrides.filter_map(|s| s.override_row.as_ref().map(|o| o.expires_at));
        let evacuations = self.persisted.evacuations.values();
        let evacuations = evacuations.filter(|e| !e.phase.is_over()).flat_map(|e| {
            let drain = (e.phase == EvacuationPhase::Draining).then_some(e.drain_deadline);
            [Some(e.expires_at), drain]
        });
        steps
            .flatten()
            .chain(self.proofs.values().filter_map(Proving::timeout))
            .chain(self.store_again)
            .chain(overrides.map(wall))
            .chain(evacuations.flatten().map(wall))
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
