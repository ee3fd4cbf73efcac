//! One endpoint as the judge knows it: when it is checked next, and why then. The verdict is its
//! [`Opinion`]'s. It must never be due while a check is under way, and be in the queue exactly when it is due.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, ObservedState, Rng};

use super::{CheckNumber, Target};
use crate::CheckPolicy;
use crate::opinion::Opinion;

/// The shortest time between the starts of two regular checks of one endpoint, whatever the policy says: below it,
/// checks are load.
pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

/// The time-out of a check that is made because traffic got no answer: as long as an endpoint may be silent at least before
/// that is strange (`docs/decisions/0013-suspicion-and-retries.md`).
pub(super) const HURRIED: Duration = Duration::from_millis(300);

/// When which endpoint is due, the next first.
pub(super) type Queue = BTreeSet<(Instant, Arc<EndpointId>)>;

/// What is known of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) id: Arc<EndpointId>,
    pub(super) policy: Arc<CheckPolicy>,
    pub(super) checked: bool,
    pub(super) opinion: Opinion,
    pub(super) rng: Rng,
    /// When the next check starts; also in `Judge::queue`. `None` while one is under way, or when it is not checked.
    pub(super) due: Option<Instant>,
    /// Whether traffic brought `due` forward.
    pub(super) due_by_traffic: bool,
    /// The check under way.
    pub(super) under_way: Option<(CheckNumber, Instant)>,
    /// Whether traffic failed while a check was under way, which may have looked before the failure.
    pub(super) suspected: bool,
    /// When traffic last caused a check.
    pub(super) traffic_check_at: Option<Instant>,
    /// Whether traffic got no answer, so that the next check is one in a hurry.
    pub(super) hurried: bool,
}

impl Entry {
    pub(super) fn new(now: Instant, target: Target, rng: Rng) -> Self {
        Self {
            id: target.id,
            policy: target.policy,
            checked: target.checked,
            opinion: Opinion::new(now),
            rng,
            due: None,
            due_by_traffic: false,
            under_way: None,
            suspected: false,
            traffic_check_at: None,
            hurried: false,
        }
    }

    /// How the check that starts now is made.
    pub(super) fn policy_of_check(&mut self) -> Arc<CheckPolicy> {
        if !std::mem::take(&mut self.hurried) || self.policy.timeout <= HURRIED {
            return Arc::clone(&self.policy);
        }
        let timeout = HURRIED;
        let policy = CheckPolicy::clone(&self.policy);
        Arc::new(CheckPolicy { timeout, ..policy })
    }

    /// Takes a changed target. Whether its checks must be started: it is checked from now on and none is under way.
    pub(super) fn change(&mut self, now: Instant, target: Target, queue: &mut Queue) -> bool {
        if self.policy != target.policy {
            self.policy = target.policy;
            self.opinion.adapt(&self.policy);
            if let Some(due) = self.due {
                let soonest = now + self.wait();
                self.schedule(due.min(soonest), queue);
            }
        }
        self.checked = target.checked;
        if !self.checked {
            self.suspected = false;
            self.unschedule(queue);
        }
        self.checked && self.due.is_none() && self.under_way.is_none()
    }

    /// As [`traffic_failed`](Self::traffic_failed), and that check has little time.
    pub(super) fn traffic_silent(&mut self, now: Instant, queue: &mut Queue) {
        self.hurried = self.checked && self.opinion.state() != ObservedState::Down;
        self.traffic_failed(now, queue);
    }

    /// Brings the next check forward to now, or to when traffic may next cause one.
    pub(super) fn traffic_failed(&mut self, now: Instant, queue: &mut Queue) {
        if !self.checked || self.opinion.state() == ObservedState::Down {
            return; // Not to be checked, or no news.
        }
        self.opinion.doubt();
        let Some(due) = self.due else {
            self.suspected = true;
            return;
        };
        let allowed = self
            .traffic_check_at
            .map_or(now, |at| now.max(at + self.interval_fast()));
        if allowed < due {
            self.schedule(allowed, queue);
            self.due_by_traffic = true;
        }
    }

    pub(super) fn schedule(&mut self, due: Instant, queue: &mut Queue) {
        self.unschedule(queue);
        queue.insert((due, Arc::clone(&self.id)));
        self.due = Some(due);
    }

    pub(super) fn unschedule(&mut self, queue: &mut Queue) {
        self.due_by_traffic = false;
        if let Some(due) = self.due.take() {
            queue.remove(&(due, Arc::clone(&self.id)));
        }
    }

    pub(super) fn interval_fast(&self) -> Duration {
        self.policy
            .interval_fast
            .min(self.policy.interval)
            .max(INTERVAL_MIN)
    }

    /// From the start of a check to the start of the next, jitter in it.
    pub(super) fn wait(&mut self) -> Duration {
        let wait = if self.opinion.in_transition() {
            self.interval_fast()
        } else {
            self.policy.interval.max(INTERVAL_MIN)
        };
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        let part = u128::from(nanos) * u128::from(self.policy.jitter.get()) / 10_000;
        let part = u64::try_from(part).unwrap_or(nanos);
        let shift = self.rng.below(part.saturating_mul(2).saturating_add(1));
        let jittered = Duration::from_nanos(nanos.saturating_sub(part).saturating_add(shift));
        jittered.max(INTERVAL_MIN)
    }
}
