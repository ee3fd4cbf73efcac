//! Plays the endpoints of a judge in virtual time, and fails when two checks of one are under way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BasisPoints, EndpointId, Instant, ObservedState, Scheme};

use crate::{Action, CheckFailure, CheckNumber, CheckPolicy, CheckResult, Input, Judge};
use crate::{Target, Transition, Verdict};

pub(super) const REFUSED: CheckResult = CheckResult::Failed(CheckFailure::Connect);
pub(super) const PASSED: CheckResult = CheckResult::Passed;
pub(super) const SECOND: Duration = Duration::from_secs(1);

pub(super) fn id(number: u16) -> EndpointId {
    EndpointId {
        service: "meet".parse().unwrap(),
        backend: "aws".parse().unwrap(),
        scheme: Scheme::Http,
        host: None,
        address: format!("10.0.0.1:{number}").parse().unwrap(),
    }
}

/// The built-in policy without jitter: 3 s, fast 500 ms, fall 3, rise 2.
pub(super) fn policy() -> CheckPolicy {
    CheckPolicy {
        jitter: BasisPoints::ZERO,
        ..CheckPolicy::default()
    }
}

pub(super) fn target(number: u16, policy: &CheckPolicy) -> Target {
    Target {
        id: Arc::new(id(number)),
        policy: Arc::new(policy.clone()),
        checked: true,
        trust: 0,
    }
}

/// A judge, the time, and what it asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct World {
    pub(super) judge: Judge,
    pub(super) now: Instant,
    pub(super) asked: Vec<(Instant, Arc<EndpointId>, CheckNumber)>,
    pub(super) moved: Vec<Transition>,
    /// Questions to agents, and what came of them.
    pub(super) questions: Vec<CheckNumber>,
    pub(super) told: Vec<String>,
    /// The checks that are on the wire and may still count, with the endpoints they were started for.
    pub(super) open: BTreeMap<CheckNumber, Vec<Arc<EndpointId>>>,
}

impl World {
    pub(super) fn new(targets: Vec<Target>) -> Self {
        let mut world = Self {
            judge: Judge::new(7),
            now: Instant::from_millis(1_000_000),
            asked: Vec::new(),
            moved: Vec::new(),
            questions: Vec::new(),
            told: Vec::new(),
            open: BTreeMap::new(),
        };
        world.set_targets(targets);
        world
    }

    /// The last endpoint of a check that leaves takes it with it: its result will be nobody's.
    pub(super) fn set_targets(&mut self, targets: Vec<Target>) {
        self.judge.set_targets(self.now, targets);
        self.open.retain(|check, _| self.judge.is_awaited(*check));
        self.collect();
    }

    pub(super) fn with_one(policy: &CheckPolicy) -> Self {
        Self::new(vec![target(1, policy)])
    }

    pub(super) fn collect(&mut self) {
        while let Some(action) = self.judge.poll_action() {
            match action {
                Action::Check { id, check, .. } => {
                    let members = self.judge.members(check).to_vec();
                    let mut others = self.open.values().flatten();
                    assert!(
                        !others.any(|m| members.contains(m)),
                        "two checks of {id} at once"
                    );
                    self.open.insert(check, members);
                    self.asked.push((self.now, id, check));
                }
                Action::AskAgent { check, .. } => self.questions.push(check),
                Action::Transition(transition) => self.moved.push(transition),
                Action::AgentChanged { state, .. } => self.told.push(state.to_string()),
            }
        }
    }

    /// The check under way whose result is this endpoint's too.
    fn check_of(&self, id: &EndpointId) -> Option<CheckNumber> {
        let is_member = |check: &CheckNumber| self.judge.members(*check).iter().any(|m| **m == *id);
        self.open.keys().copied().find(is_member)
    }

    pub(super) fn pass_time(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(due) = self.judge.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.judge.handle_timeout(due);
            self.collect();
        }
        self.now = end;
    }

    /// Answers the check under way of this endpoint.
    pub(super) fn answer(&mut self, number: u16, result: CheckResult) {
        let check = self.check_of(&id(number)).expect("a check was asked for");
        self.open.remove(&check);
        self.judge
            .handle(self.now, Input::Checked { check, result });
        self.collect();
    }

    /// Moves to the next check of the only endpoint and answers it; when it started.
    pub(super) fn round(&mut self, result: CheckResult) -> Instant {
        let before = self.asked.len();
        if !self.is_under_way(1) {
            let due = self.judge.poll_timeout().expect("a check is due");
            self.pass_time(due.since(self.now));
            assert_eq!(self.asked.len(), before + 1);
        }
        self.answer(1, result);
        self.asked.last().expect("asked").0
    }

    pub(super) fn is_under_way(&self, number: u16) -> bool {
        self.check_of(&id(number)).is_some()
    }

    pub(super) fn traffic_failed(&mut self, number: u16) {
        self.judge
            .handle(self.now, Input::TrafficFailed { id: id(number) });
        self.collect();
    }

    pub(super) fn verdict(&self, number: u16) -> Verdict {
        self.judge.report().endpoints[&id(number)].clone()
    }

    pub(super) fn state(&self) -> ObservedState {
        self.verdict(1).state
    }
}
