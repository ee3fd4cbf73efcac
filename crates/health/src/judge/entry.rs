//! One endpoint as the judge knows it: the state that its checks make, and what its agent says. It decides nothing about
//! when it is checked: that is [`probes`](super::probes). It must never change its state without saying so.
//!
//! The state is the [`Opinion`] that checks form, and [`settle`](Entry::settle) is called after whatever may change it. What
//! else takes an endpoint out, its agent too, is put together with it by [`Verdicts`](crate::Verdicts).

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, ObservedState};

use super::{Target, Transition};
use crate::opinion::Opinion;
use crate::{AgentState, CheckPolicy, Reason, Verdict};

/// What is known of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) id: Arc<EndpointId>,
    pub(super) policy: Arc<CheckPolicy>,
    pub(super) checked: bool,
    pub(super) opinion: Opinion,
    /// What its agent says; `None` where there is none.
    pub(super) agent: Option<AgentState>,
    /// The state that was told last, and since when it is so.
    told: ObservedState,
    since: Instant,
    /// When it last came back from being down.
    returned_at: Option<Instant>,
}

impl Entry {
    pub(super) fn new(now: Instant, target: Target) -> Self {
        let opinion = Opinion::new(now, &target.policy);
        let agent = target.policy.agent.map(|_| AgentState::default());
        Self {
            id: target.id,
            told: opinion.state(),
            policy: target.policy,
            checked: target.checked,
            opinion,
            agent,
            since: now,
            returned_at: None,
        }
    }

    /// Takes a changed target: what is known stays.
    pub(super) fn change(&mut self, target: Target) {
        if self.policy != target.policy {
            self.policy = target.policy;
            self.opinion.adapt(&self.policy);
            // What an agent said goes with it; a new one starts with nothing said.
            let known = self.agent.take().unwrap_or_default();
            self.agent = self.policy.agent.map(|_| known);
        }
        self.checked = target.checked;
    }

    /// The state by its checks.
    pub(super) const fn state(&self) -> ObservedState {
        self.opinion.state()
    }

    /// The transition, if the state is no longer the one that was told.
    pub(super) fn settle(&mut self, now: Instant, reason: Reason) -> Option<Transition> {
        let (from, to) = (self.told, self.state());
        if from == to {
            return None;
        }
        let after: Duration = now.since(self.since);
        if from == ObservedState::Down {
            self.returned_at = Some(now);
        }
        (self.told, self.since) = (to, now);
        Some(Transition {
            id: Arc::clone(&self.id),
            from,
            to,
            reason,
            began: self.opinion.began(),
            after,
            at: now,
        })
    }

    pub(super) fn verdict(&self) -> Verdict {
        let seen = self.opinion.seen();
        Verdict {
            state: self.state(),
            by_checks: self.state(),
            ejection: None,
            held: false,
            since: self.since,
            reasons: seen.reasons,
            last: seen.last,
            returned_at: self.returned_at,
            against: seen.against,
            checked_at: seen.checked_at,
            agent: self.agent.clone(),
            checked: self.checked,
        }
    }

    pub(super) fn check_invariants(&self) {
        self.opinion.check_invariants(&self.policy);
        debug_assert!(
            self.told == self.state(),
            "{}: a transition was not told",
            self.id
        );
    }
}
