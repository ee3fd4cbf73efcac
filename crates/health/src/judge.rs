//! When which endpoint is checked, and what its verdict is. Told the time and the results; says what to do through
//! [`poll_action`](Judge::poll_action). It must never have two checks of one endpoint under way, never check one that
//! is in maintenance or offline, and never count a result twice or for a check it did not ask for.
//!
//! A check starts `interval` after the one before it started (`interval_fast` while results speak against the state),
//! give or take the jitter; at once if that time has passed when it ends. New endpoints start one after the other, not
//! all at once. A failure that traffic sees brings the next check forward to now, at most once per fast interval, as an
//! edge under load sees thousands of them.
//!
//! Endpoints that are one target (the same address, name, roots and policy, whatever service they are of) are checked once
//! for all of them; each keeps a verdict of its own. An agent beside an endpoint is asked in the same way; what it says is
//! kept with the endpoint, and is no part of what its checks say. Read next: `judge/probes.rs` (what is checked when), `judge/probe.rs`
//! (how and how soon again), `judge/task.rs` (what a probe does, and what is one target), `judge/entry.rs` (one endpoint's state), then
//! [`opinion`](crate::opinion) (what a result does to a verdict).

mod entry;
mod probe;
mod probes;
mod task;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{EndpointId, Instant, ObservedState, Rng};

use entry::Entry;
pub use probe::INTERVAL_MIN;
use probes::{Probes, Start};
use task::{ProbeKey, Sharers, Task};

use crate::{AgentLine, AgentState, CheckPolicy, CheckResult, Reason, Report, Verdict};

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
    /// Which roots its checks trust: any number that differs where they do. Endpoints that trust others are not checked as
    /// one.
    pub trust: usize,
}

/// The number of a check, so that a result is counted for the check it belongs to and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckNumber(u64);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A check ended.
    Checked {
        /// Which check.
        check: CheckNumber,
        /// How.
        result: CheckResult,
    },
    /// An agent was asked.
    AgentAnswered {
        /// Which question.
        check: CheckNumber,
        /// What it said; `None` when it could not be reached or said nothing that is known, which changes nothing.
        said: Option<AgentLine>,
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
        /// Which; the result may be that of others too, [`members`](Judge::members).
        id: Arc<EndpointId>,
        /// The number to give back.
        check: CheckNumber,
        /// How.
        policy: Arc<CheckPolicy>,
    },
    /// Ask the agent beside an endpoint, and tell the answer by [`Input::AgentAnswered`], always.
    AskAgent {
        /// Beside which endpoint; it may be that of others too.
        id: Arc<EndpointId>,
        /// The number to give back.
        check: CheckNumber,
        /// Where it listens.
        address: SocketAddr,
        /// How long it is waited for.
        timeout: Duration,
    },
    /// A state changed: tell people and edges.
    Transition(Transition),
    /// What an agent says changed: tell people and edges.
    AgentChanged {
        /// Beside which endpoint.
        id: Arc<EndpointId>,
        /// What it says now.
        state: AgentState,
    },
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
    entries: BTreeMap<Arc<EndpointId>, Entry>,
    probes: Probes,
    actions: VecDeque<Action>,
}

impl Judge {
    /// One that watches nothing yet. The seed decides the jitter.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            probes: Probes::new(Rng::new(seed)),
            actions: VecDeque::new(),
        }
    }

    /// Watches these endpoints and no others. What is known of an endpoint stays with its id; policies change in place. The
    /// last target of an id counts.
    pub fn set_targets(&mut self, now: Instant, targets: Vec<Target>) {
        let wanted: BTreeMap<Arc<EndpointId>, Target> = targets
            .into_iter()
            .map(|target| (Arc::clone(&target.id), target))
            .collect();
        self.entries.retain(|id, _| wanted.contains_key(id));
        let mut groups: BTreeMap<ProbeKey, Sharers> = BTreeMap::new();
        for (id, target) in wanted {
            for key in ProbeKey::of(&target) {
                groups.entry(key).or_default().add(&id, target.checked);
            }
            match self.entries.get_mut(&id) {
                Some(entry) => entry.change(target),
                None => {
                    self.entries.insert(id, Entry::new(now, target));
                }
            }
        }
        let hurried = |id: &EndpointId| is_hurried(&self.entries, id);
        self.probes.regroup(now, groups, hurried);
        self.fire(now);
        self.check_invariants();
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Checked { check, result } => self.checked(now, check, result),
            Input::AgentAnswered { check, said } => self.agent_answered(now, check, said),
            Input::TrafficFailed { id } => {
                if self.doubts(&id) {
                    self.probes.traffic_failed(now, &id);
                }
            }
            Input::TrafficSilent { id } => {
                if self.doubts(&id) {
                    self.probes.traffic_silent(now, &id);
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
        self.probes.due_next()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The endpoints that a check under way is made for; none when its result is nobody's any more.
    #[must_use]
    pub fn members(&self, check: CheckNumber) -> &[Arc<EndpointId>] {
        self.probes.members(check)
    }

    /// Whether the result of a check is still waited for. It may be by nobody for the moment, whose endpoint is in
    /// maintenance and may come back.
    #[must_use]
    pub fn is_awaited(&self, check: CheckNumber) -> bool {
        self.probes.is_awaited(check)
    }

    /// All verdicts now.
    #[must_use]
    pub fn report(&self) -> Report {
        let verdict = |entry: &Entry| (EndpointId::clone(&entry.id), entry.verdict());
        Report {
            endpoints: self.entries.values().map(verdict).collect(),
        }
    }

    /// The verdict on one endpoint now.
    #[must_use]
    pub fn verdict(&self, id: &EndpointId) -> Option<Verdict> {
        self.entries.get(id).map(Entry::verdict)
    }

    /// What the agent beside an endpoint says, where there is one.
    #[must_use]
    pub fn agent(&self, id: &EndpointId) -> Option<&AgentState> {
        self.entries.get(id)?.agent.as_ref()
    }

    fn checked(&mut self, now: Instant, check: CheckNumber, result: CheckResult) {
        let mut hurry = false;
        for id in self.probes.members(check) {
            let Some(entry) = self.entries.get_mut(id) else {
                continue;
            };
            entry.opinion.take(now, result, &entry.policy);
            hurry |= entry.opinion.in_transition();
            let moved = entry.settle(now, result.into());
            self.actions.extend(moved.map(Action::Transition));
        }
        self.probes.ended(now, check, Some(result), hurry);
    }

    fn agent_answered(&mut self, now: Instant, check: CheckNumber, said: Option<AgentLine>) {
        for id in self.probes.members(check) {
            let agent = self.entries.get_mut(id).and_then(|e| e.agent.as_mut());
            let (Some(agent), Some(line)) = (agent, &said) else {
                continue;
            };
            if agent.hear(now, line.clone()) {
                let (id, state) = (Arc::clone(id), agent.clone());
                self.actions.push_back(Action::AgentChanged { id, state });
            }
        }
        self.probes.ended(now, check, None, false);
    }

    /// Traffic speaks against an endpoint; whether that is news, and it can be checked.
    fn doubts(&mut self, id: &EndpointId) -> bool {
        let checked = self.entries.get_mut(id).filter(|entry| entry.checked);
        let Some(entry) = checked.filter(|entry| entry.opinion.state() != ObservedState::Down)
        else {
            return false;
        };
        entry.opinion.doubt();
        true
    }

    /// Turns what is due into checks.
    fn fire(&mut self, now: Instant) {
        while let Some(Start { check, id, task }) = self.probes.fire(now) {
            self.actions.push_back(match task {
                Task::Check(policy) => Action::Check { id, check, policy },
                Task::Agent(agent) => Action::AskAgent {
                    id,
                    check,
                    address: agent.address,
                    timeout: agent.timeout,
                },
            });
        }
    }

    /// Fails in debug builds when the machine contradicts itself.
    pub fn check_invariants(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.probes.check_invariants();
        for (id, entry) in &self.entries {
            debug_assert!(id == &entry.id, "an entry is kept under another id");
            entry.check_invariants();
        }
    }
}

/// Whether results speak against what is thought of an endpoint, so that it is checked faster.
fn is_hurried(entries: &BTreeMap<Arc<EndpointId>, Entry>, id: &EndpointId) -> bool {
    let entry = entries.get(id);
    entry.is_some_and(|entry| entry.opinion.in_transition())
}

#[cfg(test)]
mod tests;
