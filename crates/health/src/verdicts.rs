//! Active and passive together: what the checks and agents say ([`Judge`]) and what traffic says ([`Passive`]) becomes one verdict
//! for each endpoint, with reasons. Traffic can take out an endpoint whose checks pass, and it stays out while its data path
//! fails, whatever they say; it can hold one up whose checks fail only where those of all fail. An agent can take its own
//! endpoint out, and undo that alone. This is the machine that the shell
//! drives and the simulator plays. It decides nothing beyond how the two are put together, and never lets worse input
//! about an endpoint give that endpoint a better verdict.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    EndpointId, EndpointTotals, FailureClass, Instant, ObservedState, TrafficFailure,
};

use crate::judge::{self, CheckNumber, Judge, Target, Transition};
use crate::passive::{self, Passive, Watched};
use crate::{AgentState, CheckPolicy, Reason, Report, Verdict};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// To checks.
    Check(judge::Input),
    /// Traffic failed at endpoints: those that it could not use are checked soon.
    Failed(Vec<TrafficFailure>),
    /// What all workers have counted by now, of all endpoints.
    Traffic(Vec<(Arc<EndpointId>, EndpointTotals)>),
}

/// What is to be done, or told.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// As [`judge::Action::Check`] says.
    Check {
        /// Which.
        id: Arc<EndpointId>,
        /// The number to give back.
        check: CheckNumber,
        /// How.
        policy: Arc<CheckPolicy>,
    },
    /// As [`judge::Action::AskAgent`] says.
    AskAgent {
        /// Beside which endpoint.
        id: Arc<EndpointId>,
        /// The number to give back.
        check: CheckNumber,
        /// Where it listens.
        address: SocketAddr,
        /// How long it is waited for.
        timeout: Duration,
    },
    /// Let one request of traffic go to an endpoint that is out.
    Trial {
        /// To which.
        id: Arc<EndpointId>,
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
    /// Something else that people should know, after the transitions that come of it.
    Told(passive::Action),
}

/// The two machines and what was said of their verdicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdicts {
    judge: Judge,
    passive: Passive,
    shown: BTreeMap<Arc<EndpointId>, Shown>,
    actions: VecDeque<Action>,
}

/// The state that was last told of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    state: ObservedState,
    since: Instant,
    /// Its agent takes it out.
    out_by_agent: bool,
    /// When it last came back from being down, as far as anybody saw: where its ramp begins. What was held up while its checks
    /// were doubted has not been away when they pass again.
    returned_at: Option<Instant>,
}

impl Verdicts {
    /// They watch nothing yet. The seed decides the jitter of checks.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            judge: Judge::new(seed),
            passive: Passive::new(),
            shown: BTreeMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// Checks and watches these endpoints and no others. What is known of an endpoint stays with its id.
    pub fn set_targets(&mut self, now: Instant, targets: Vec<Target>, watched: Vec<Watched>) {
        let ids: Vec<Arc<EndpointId>> = targets.iter().map(|t| Arc::clone(&t.id)).collect();
        self.judge.set_targets(now, targets);
        let mut known = std::mem::take(&mut self.shown);
        for id in ids {
            let new = || Shown {
                state: self.judge.verdict(&id).map(|v| v.state).unwrap_or_default(),
                since: now,
                out_by_agent: false,
                returned_at: None,
            };
            let shown = known.remove(&id).unwrap_or_else(new);
            self.shown.insert(id, shown);
        }
        self.passive.set_targets(now, watched);
        self.collect(now);
        // An agent that is no longer asked takes nothing out.
        let is_free = |id: &Arc<EndpointId>| !self.is_out_by_agent(id);
        let shown = self.shown.iter().filter(|(_, shown)| shown.out_by_agent);
        let freed = shown.map(|(id, _)| Arc::clone(id)).filter(is_free);
        let freed: Vec<Arc<EndpointId>> = freed.collect();
        freed.iter().for_each(|id| self.heed_agent(now, id));
        self.collect(now);
    }

    /// Takes what happened.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Check(input) => self.judge.handle(now, input),
            Input::Failed(failures) => self.failed(now, failures),
            Input::Traffic(totals) => self.passive.handle(now, passive::Input::Traffic(totals)),
        }
        self.collect(now);
    }

    /// Does what is due. Nothing happens when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.judge.handle_timeout(now);
        self.passive.handle_timeout(now);
        self.collect(now);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let both = [self.judge.poll_timeout(), self.passive.poll_timeout()];
        both.into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// As [`Judge::members`] says.
    #[must_use]
    pub fn members(&self, check: CheckNumber) -> &[Arc<EndpointId>] {
        self.judge.members(check)
    }

    /// As [`Judge::is_awaited`] says.
    #[must_use]
    pub fn is_awaited(&self, check: CheckNumber) -> bool {
        self.judge.is_awaited(check)
    }

    /// All verdicts now.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.judge.report();
        for (id, verdict) in &mut report.endpoints {
            self.complete(id, verdict);
            verdict.returned_at = self.shown.get(id).and_then(|shown| shown.returned_at);
        }
        report
    }

    /// Whether traffic judges any endpoint: else nobody needs to look at totals.
    #[must_use]
    pub fn watches_traffic(&self) -> bool {
        self.passive.watches()
    }

    /// Has checked what traffic could not use, each endpoint once: in a hurry where any of its requests got no answer. That a
    /// request failed inside an endpoint is no reason to check it.
    fn failed(&mut self, now: Instant, failures: Vec<TrafficFailure>) {
        let mut silent_by_id: BTreeMap<Arc<EndpointId>, bool> = BTreeMap::new();
        for TrafficFailure { endpoint, class } in failures {
            if class != FailureClass::Error {
                *silent_by_id.entry(endpoint).or_default() |= class == FailureClass::Timeout;
            }
        }
        for (id, is_silent) in silent_by_id {
            let id = EndpointId::clone(&id);
            let input = if is_silent {
                judge::Input::TrafficSilent { id }
            } else {
                judge::Input::TrafficFailed { id }
            };
            self.judge.handle(now, input);
        }
    }

    /// Does what an endpoint's agent wants.
    fn heed_agent(&mut self, now: Instant, id: &Arc<EndpointId>) {
        let out = self.is_out_by_agent(id);
        if let Some(shown) = self.shown.get_mut(id) {
            shown.out_by_agent = out;
        }
        let input = passive::Input::Agent {
            id: Arc::clone(id),
            out,
        };
        self.passive.handle(now, input);
        self.show(id, now, now, Reason::Agent);
    }

    fn is_out_by_agent(&self, id: &EndpointId) -> bool {
        self.judge.agent(id).is_some_and(AgentState::takes_out)
    }

    /// Makes of what the checks say what is said in all.
    fn complete(&self, id: &EndpointId, verdict: &mut Verdict) {
        let sight = self.passive.sight(id);
        if sight.held {
            verdict.state = ObservedState::Up;
            verdict.reasons.insert(0, Reason::ChecksDoubted);
        }
        if verdict.agent.as_ref().is_some_and(|a| a.down.is_some()) {
            take_down(verdict, Reason::Agent);
        }
        if let Some(ejection) = sight.ejection {
            take_down(verdict, ejection.offence.reason());
        }
        verdict.reasons.truncate(crate::opinion::REASONS_MAX);
        verdict.held = sight.held;
        verdict.ejection = sight.ejection;
        verdict.returned_at = verdict.returned_at.max(sight.returned_at);
        if let Some(shown) = self.shown.get(id) {
            verdict.since = shown.since;
        }
    }

    /// Puts together what the two machines said.
    fn collect(&mut self, now: Instant) {
        while let Some(action) = self.judge.poll_action() {
            match action {
                judge::Action::Check { id, check, policy } => {
                    self.actions.push_back(Action::Check { id, check, policy });
                }
                judge::Action::AskAgent {
                    id,
                    check,
                    address,
                    timeout,
                } => self.actions.push_back(Action::AskAgent {
                    id,
                    check,
                    address,
                    timeout,
                }),
                judge::Action::AgentChanged { id, state } => {
                    self.heed_agent(now, &id);
                    self.actions.push_back(Action::AgentChanged { id, state });
                }
                judge::Action::Transition(moved) => {
                    let input = passive::Input::Checks {
                        id: Arc::clone(&moved.id),
                        state: moved.to,
                        began: moved.began,
                    };
                    self.passive.handle(now, input);
                    self.show(&moved.id, moved.began, now, moved.reason);
                }
            }
        }
        while let Some(action) = self.passive.poll_action() {
            let (id, reason) = match &action {
                passive::Action::Trial { id } => {
                    self.actions.push_back(Action::Trial { id: Arc::clone(id) });
                    continue;
                }
                passive::Action::Ejected { id, ejection } => (id, ejection.offence.reason()),
                passive::Action::Returned { id, trials: 0, .. } => (id, Reason::PutBack),
                passive::Action::Returned { id, .. } => (id, Reason::TrialsPassed),
                passive::Action::Held { id, held: true } => (id, Reason::ChecksDoubted),
                passive::Action::Held { id, held: false } => (id, self.reason_of_checks(id)),
                passive::Action::Tried { .. }
                | passive::Action::ProviderFails(_)
                | passive::Action::ChecksDoubted { .. } => {
                    self.actions.push_back(Action::Told(action));
                    continue;
                }
            };
            self.show(&Arc::clone(id), now, now, reason);
            self.actions.push_back(Action::Told(action));
        }
    }

    /// What its checks give as their reason, once they are believed again.
    fn reason_of_checks(&self, id: &EndpointId) -> Reason {
        let verdict = self.judge.verdict(id);
        let reason = verdict.and_then(|verdict| verdict.reasons.first().copied());
        reason.unwrap_or(Reason::ChecksDoubted)
    }

    /// Tells of an endpoint's state, if it is another than was told last.
    fn show(&mut self, id: &Arc<EndpointId>, began: Instant, now: Instant, reason: Reason) {
        let Some(mut verdict) = self.judge.verdict(id) else {
            return;
        };
        self.complete(id, &mut verdict);
        let Some(shown) = self.shown.get_mut(id) else {
            return;
        };
        if shown.state == verdict.state {
            return;
        }
        let after: Duration = now.since(shown.since);
        let from = std::mem::replace(&mut shown.state, verdict.state);
        shown.since = now;
        if from == ObservedState::Down {
            let by_agent = (reason == Reason::Agent).then_some(now);
            shown.returned_at = verdict.returned_at.max(by_agent);
        }
        self.actions.push_back(Action::Transition(Transition {
            id: Arc::clone(id),
            from,
            to: verdict.state,
            reason,
            began,
            after,
            at: now,
        }));
    }
}

/// Down, for this reason first. The reasons for being up are none for being down.
fn take_down(verdict: &mut Verdict, reason: Reason) {
    if verdict.state != ObservedState::Down {
        verdict.reasons.clear();
    }
    verdict.state = ObservedState::Down;
    verdict.reasons.insert(0, reason);
}

#[cfg(test)]
mod tests;
