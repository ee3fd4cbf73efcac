//! One change after the other: made in a draft, on its way to the disk, then believed, published and told; or refused,
//! or not stored, and forgotten.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::Revision;

use super::draft::{Change, Draft};
use super::watch::Watch;
use super::{Effect, Notice, Now, Pending, Persisted, Record, Steer, declared, is_proving, keys};
use crate::command::{Refusal, Request};
use crate::view::{Accepted, HistoryEntry};

/// After a failed record the loop's own changes wait: a full disk is not emptied by trying.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// Refusals that wait to be written to history; more are not kept, as each was told and logged when it happened.
const BACKLOG_MAX: usize = 100;

impl Steer {
    /// Makes the next change, if none is on its way: a person's first, then the loop's own.
    pub(super) fn change(&mut self, now: Now) {
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
            // What is stored is as right by the newest configuration.
            if self.agreed != self.facts {
                self.agreed.clone_from(&self.facts);
            }
            if !self.backlog.is_empty() {
                let (state, change) = (self.persisted.clone(), Change::default());
                return self.store(now, state, change, None);
            }
            return;
        }
    }

    pub(super) fn answer(&mut self, now: Now, request: Request) {
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

    pub(super) fn refuse(&mut self, now: Now, request: &Request, refusal: Refusal) {
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

    pub(super) fn store(
        &mut self,
        now: Now,
        mut state: Persisted,
        change: Change,
        request: Option<(Request, Accepted)>,
    ) {
        self.numbered += 1;
        keys::follow(&mut state, &self.facts);
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
            facts: self.facts.clone(),
            refusals: self.backlog.len(),
            request,
        });
    }

    pub(super) fn stored(&mut self, now: Now, number: u64) {
        let Some(pending) = self.pending.take_if(|p| p.number == number) else {
            return;
        };
        debug_assert!(pending.state.revision >= self.persisted.revision);
        self.persisted = pending.state;
        self.declared = pending.declared;
        self.agreed = pending.facts;
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
    pub(super) fn follow_running(&mut self, revision: Revision) {
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

    pub(super) fn store_failed(&mut self, now: Now, number: u64, error: &str) {
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
}
