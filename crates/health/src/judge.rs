//! When which endpoint is checked, and what its verdict is. Told the time and the results; says what to do through
//! [`poll_action`](Judge::poll_action). It must never have two checks of one endpoint under way, never check one that
//! is in maintenance or offline, and never count a result twice or for a check it did not ask for.
//!
//! A check starts `interval` after the one before it started (`interval_fast` while results speak against the state),
//! give or take the jitter; at once if that time has passed when it ends. New endpoints start one after the other, not
//! all at once. A failure that traffic sees brings the next check forward to now, at most once per fast interval, as an
//! edge under load sees thousands of them. Read next: `judge/entry.rs` (one endpoint's timing), then
//! [`opinion`](crate::opinion) (what a result does to a verdict).

mod entry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, ObservedState, Rng};

pub use entry::INTERVAL_MIN;
use entry::{Entry, Queue};

use crate::{CheckPolicy, CheckResult, Reason, Report, Verdict};

/// The longest time between the first checks of two new endpoints. Four endpoints are all known within 30 ms; many
/// share their interval instead, so that the first round is as wide as every later one.
pub const START_SPACING_MAX: Duration = Duration::from_millis(10);

/// An endpoint to watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub id: Arc<EndpointId>,
    /// How it is checked.
    pub policy: Arc<CheckPolicy>,
    /// Whether it is checked; if not, it keeps its last verdict, marked so.
    pub checked: bool,
}

/// The number of a check, so that a result is counted for the check it belongs to and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckNumber(u64);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A check ended.
    Checked {
        /// Of which endpoint.
        id: Arc<EndpointId>,
        /// Which check.
        check: CheckNumber,
        /// How.
        result: CheckResult,
    },
    /// Traffic could not connect to an endpoint, or was reset before an answer.
    TrafficFailed {
        /// Which.
        id: EndpointId,
    },
    /// Traffic got no answer in time: as a failure, and the check that looks has little time itself.
    TrafficSilent {
        /// Which.
        id: EndpointId,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Check an endpoint, and tell the result by [`Input::Checked`], always.
    Check {
        /// Which.
        id: Arc<EndpointId>,
        /// The number to give back.
        check: CheckNumber,
        /// How.
        policy: Arc<CheckPolicy>,
    },
    /// A state changed: tell people and edges.
    Transition(Transition),
}

/// A change of an endpoint's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// Of which endpoint.
    pub id: Arc<EndpointId>,
    /// The old state.
    pub from: ObservedState,
    /// The new one.
    pub to: ObservedState,
    /// What the last result said.
    pub reason: Reason,
    /// When the results began that led to it.
    pub began: Instant,
    /// How long it was in the old state.
    pub after: Duration,
    /// When.
    pub at: Instant,
}

/// The state machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Judge {
    rng: Rng,
    entries: BTreeMap<Arc<EndpointId>, Entry>,
    queue: Queue,
    actions: VecDeque<Action>,
    checks: u64,
}

impl Judge {
    /// One that watches nothing yet. The seed decides the jitter.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            entries: BTreeMap::new(),
            queue: BTreeSet::new(),
            actions: VecDeque::new(),
            checks: 0,
        }
    }

    /// Watches these endpoints and no others. What is known of an endpoint stays with its id; policies change in place. The
    /// last target of an id counts.
    pub fn set_targets(&mut self, now: Instant, targets: Vec<Target>) {
        let mut wanted: BTreeMap<Arc<EndpointId>, Target> = targets
            .into_iter()
            .map(|target| (Arc::clone(&target.id), target))
            .collect();
        self.entries.retain(|id, entry| {
            let keep = wanted.contains_key(id);
            if let (false, Some(due)) = (keep, entry.due) {
                self.queue.remove(&(due, Arc::clone(id)));
            }
            keep
        });
        let mut starting = Vec::new();
        for (id, entry) in &mut self.entries {
            if let Some(target) = wanted.remove(id)
                && entry.change(now, target, &mut self.queue)
            {
                starting.push(Arc::clone(id));
            }
        }
        for (id, target) in wanted {
            if target.checked {
                starting.push(Arc::clone(&id));
            }
            let rng = self.rng.fork(&format!("{id:?}"));
            self.entries.insert(id, Entry::new(now, target, rng));
        }
        self.start(now, &starting);
        self.fire(now);
        self.check_invariants();
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Checked { id, check, result } => self.checked(now, &id, check, result),
            Input::TrafficSilent { id } => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.traffic_silent(now, &mut self.queue);
                }
            }
            Input::TrafficFailed { id } => {
                if let Some(entry) = self.entries.get_mut(&id) {
                    entry.traffic_failed(now, &mut self.queue);
                }
            }
        }
        self.fire(now);
        self.check_invariants();
    }

    /// Starts the checks that are due. Nothing happens when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.fire(now);
        self.check_invariants();
    }

    /// When the next check is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.queue.first().map(|(due, _)| *due)
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// All verdicts now.
    #[must_use]
    pub fn report(&self) -> Report {
        Report {
            endpoints: self
                .entries
                .values()
                .map(|entry| {
                    (
                        EndpointId::clone(&entry.id),
                        entry.opinion.verdict(entry.checked),
                    )
                })
                .collect(),
        }
    }

    /// The verdict on one endpoint now.
    #[must_use]
    pub fn verdict(&self, id: &EndpointId) -> Option<Verdict> {
        let entry = self.entries.get(id)?;
        Some(entry.opinion.verdict(entry.checked))
    }

    /// Gives the first checks of endpoints that begin to be checked their times: evenly over the interval, or closer.
    fn start(&mut self, now: Instant, ids: &[Arc<EndpointId>]) {
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        for (place, id) in (0_u32..).zip(ids) {
            if let Some(entry) = self.entries.get_mut(id) {
                let spacing = (entry.policy.interval / count.max(1)).min(START_SPACING_MAX);
                entry.schedule(now + spacing * place, &mut self.queue);
            }
        }
    }

    fn checked(&mut self, now: Instant, id: &EndpointId, check: CheckNumber, result: CheckResult) {
        let Some(entry) = self.entries.get_mut(id) else {
            return;
        };
        let Some((_, started)) = entry.under_way.filter(|(number, _)| *number == check) else {
            return;
        };
        entry.under_way = None;
        if !entry.checked {
            return;
        }
        if let Some(left) = entry.opinion.take(now, result, &entry.policy) {
            self.actions.push_back(Action::Transition(Transition {
                id: Arc::clone(&entry.id),
                from: left.state,
                to: entry.opinion.state(),
                reason: result.into(),
                began: left.began,
                after: left.after,
                at: now,
            }));
        }
        let next = started + entry.wait();
        entry.schedule(next.max(now), &mut self.queue);
        if std::mem::take(&mut entry.suspected) {
            entry.traffic_failed(now, &mut self.queue);
        }
    }

    /// Turns what is due into checks.
    fn fire(&mut self, now: Instant) {
        while self.queue.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, id)) = self.queue.pop_first() else {
                return;
            };
            let Some(entry) = self.entries.get_mut(&id) else {
                continue;
            };
            self.checks = self.checks.saturating_add(1);
            let check = CheckNumber(self.checks);
            entry.due = None;
            entry.under_way = Some((check, now));
            if std::mem::take(&mut entry.due_by_traffic) {
                entry.traffic_check_at = Some(now);
            }
            let policy = entry.policy_of_check();
            self.actions.push_back(Action::Check { id, check, policy });
        }
    }

    /// Fails in debug builds when the machine contradicts itself.
    pub fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let mut queued = 0_usize;
        for (id, entry) in &self.entries {
            debug_assert!(id == &entry.id, "an entry is kept under another id");
            entry.opinion.check_invariants(&entry.policy);
            debug_assert!(
                entry.due.is_some() == (entry.checked && entry.under_way.is_none()),
                "{id}: either one check is under way or one is due, if it is checked at all"
            );
            if let Some(due) = entry.due {
                queued = queued.saturating_add(1);
                debug_assert!(
                    self.queue.contains(&(due, Arc::clone(id))),
                    "{id}: not queued"
                );
            }
        }
        debug_assert!(
            queued == self.queue.len(),
            "the queue holds what is not due"
        );
    }
}

#[cfg(test)]
mod tests;
