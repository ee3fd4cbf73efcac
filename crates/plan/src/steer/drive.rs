//! What is not stored: what workers confirmed, what is measured and held, the proofs being made, what the edge was given,
//! and when to look again.

use bascule_model::{Instant, Revision};

use super::prove::{self, MayAsk, Need, Proving};
use super::{
    Effect, Notice, Now, REPUBLISH, ShiftChange, ShiftRecord, Steer, advance, evacuation,
    is_proving, show,
};
use crate::view::EvacuationPhase;

impl Steer {
    pub(super) fn confirm(&mut self, now: Now, revision: Revision, workers: usize) {
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

    pub(super) fn measure(&mut self, now: Now) {
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
    pub(super) fn hold(&mut self, now: Now) {
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

    pub(super) fn prove(&mut self, now: Now) {
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
    pub(super) fn publish(&mut self, now: Now) {
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

    pub(super) fn own_timeouts(&self) -> impl Iterator<Item = Instant> {
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
}
