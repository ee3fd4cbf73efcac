//! What one result does to the verdict on one endpoint: rise, fall, and why. No scheduling (that is
//! [`judge`](crate::judge)). It must stay monotone: of two histories of equal length, the one whose results are nowhere
//! better never ends in a better state. The order that holds this, from best to worst, is: up with 0, 1, … failures;
//! beside it unknown with as many; then down with the most passes, … with none. A pass and a failure both keep it.

use std::time::Duration;

use bascule_model::{Instant, ObservedState};

use crate::{CheckPolicy, Reason, Verdict};

/// The most reasons kept for one verdict: what a person can read in a line; the rest adds nothing.
pub const REASONS_MAX: usize = 4;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckResult {
    /// As the policy expects.
    Passed,
    /// Otherwise.
    Failed(CheckFailure),
}

/// Why a check failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CheckFailure {
    /// The connection was refused, reset or unreachable.
    Connect,
    /// No answer in time.
    Timeout,
    /// The TLS handshake failed, or the certificate is not trusted.
    Tls,
    /// Another status than expected.
    Status {
        /// The status.
        status: u16,
    },
    /// An answer that is not HTTP, or broke off.
    Protocol,
}

impl From<CheckFailure> for Reason {
    fn from(failure: CheckFailure) -> Self {
        match failure {
            CheckFailure::Connect => Self::Connect,
            CheckFailure::Timeout => Self::Timeout,
            CheckFailure::Tls => Self::Tls,
            CheckFailure::Status { status } => Self::Status { status },
            CheckFailure::Protocol => Self::Protocol,
        }
    }
}

impl From<CheckResult> for Reason {
    fn from(result: CheckResult) -> Self {
        match result {
            CheckResult::Passed => Self::CheckPassed,
            CheckResult::Failed(failure) => failure.into(),
        }
    }
}

/// A state that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) state: ObservedState,
    pub(crate) after: Duration,
    /// When the results began that led out of it.
    pub(crate) began: Instant,
}

/// What is thought of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    state: ObservedState,
    since: Instant,
    returned_at: Option<Instant>,
    /// Results in a row that speak against the state; always below the number that would change it.
    against: u32,
    /// When the first of them came.
    against_since: Instant,
    /// What spoke for the state, latest first.
    reasons: Vec<Reason>,
    /// The failures of the run that may take it down, latest first.
    doubts: Vec<Reason>,
    last: Option<Reason>,
    checked_at: Option<Instant>,
}

impl Opinion {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            state: ObservedState::Unknown,
            since: now,
            returned_at: None,
            against: 0,
            against_since: now,
            reasons: Vec::new(),
            doubts: Vec::new(),
            last: None,
            checked_at: None,
        }
    }

    pub(crate) const fn state(&self) -> ObservedState {
        self.state
    }

    /// Whether the last results speak against the state, or none spoke yet and one has failed: check faster.
    pub(crate) const fn in_transition(&self) -> bool {
        self.against > 0
    }

    /// Takes a result; the state that was left, if one was.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        result: CheckResult,
        policy: &CheckPolicy,
    ) -> Option<Left> {
        let reason = Reason::from(result);
        self.last = Some(reason);
        self.checked_at = Some(now);
        if self.against == 0 {
            self.against_since = now;
        }
        match (result, self.state) {
            (CheckResult::Passed, ObservedState::Down) => {
                self.against = self.against.saturating_add(1);
                (self.against >= policy.rise.max(1)).then(|| {
                    self.returned_at = Some(now);
                    self.enter(now, ObservedState::Up, vec![reason])
                })
            }
            (CheckResult::Passed, ObservedState::Up) => {
                self.against = 0;
                self.doubts.clear();
                None
            }
            (CheckResult::Passed, ObservedState::Unknown | ObservedState::Degraded) => {
                Some(self.enter(now, ObservedState::Up, vec![reason]))
            }
            (CheckResult::Failed(_), ObservedState::Down) => {
                self.against = 0;
                push(&mut self.reasons, reason);
                None
            }
            (CheckResult::Failed(_), _) => {
                self.against = self.against.saturating_add(1);
                push(&mut self.doubts, reason);
                (self.against >= policy.fall.max(1)).then(|| {
                    let doubts = std::mem::take(&mut self.doubts);
                    self.enter(now, ObservedState::Down, doubts)
                })
            }
        }
    }

    /// Traffic failed to connect. This alone changes no state; it is named should the state change.
    pub(crate) fn doubt(&mut self) {
        if self.state != ObservedState::Down && !self.doubts.contains(&Reason::Traffic) {
            push(&mut self.doubts, Reason::Traffic);
        }
    }

    /// The policy changed: what was counted stays, but one more result is needed to change the state.
    pub(crate) fn adapt(&mut self, policy: &CheckPolicy) {
        self.against = self.against.min(self.needed(policy).saturating_sub(1));
    }

    fn needed(&self, policy: &CheckPolicy) -> u32 {
        match self.state {
            ObservedState::Down => policy.rise.max(1),
            ObservedState::Up | ObservedState::Unknown | ObservedState::Degraded => {
                policy.fall.max(1)
            }
        }
    }

    fn enter(&mut self, now: Instant, state: ObservedState, reasons: Vec<Reason>) -> Left {
        let left = Left {
            state: self.state,
            after: now.since(self.since),
            began: self.against_since,
        };
        self.state = state;
        self.since = now;
        self.against = 0;
        self.reasons = reasons;
        self.doubts.clear();
        left
    }

    pub(crate) fn verdict(&self, checked: bool) -> Verdict {
        Verdict {
            state: self.state,
            by_checks: self.state,
            ejection: None,
            held: false,
            since: self.since,
            reasons: self.reasons.clone(),
            last: self.last,
            returned_at: self.returned_at,
            against: self.against,
            checked_at: self.checked_at,
            checked,
        }
    }

    pub(crate) fn check_invariants(&self, policy: &CheckPolicy) {
        debug_assert!(self.against < self.needed(policy), "a verdict is overdue");
        debug_assert!(
            self.state != ObservedState::Degraded,
            "degraded is for groups"
        );
        debug_assert!(self.reasons.len() <= REASONS_MAX && self.doubts.len() <= REASONS_MAX);
        debug_assert!(
            self.state == ObservedState::Unknown || !self.reasons.is_empty(),
            "a verdict without a reason"
        );
    }
}

/// Puts a reason first; one that is there moves, the oldest goes when there are too many.
fn push(reasons: &mut Vec<Reason>, reason: Reason) {
    reasons.retain(|known| *known != reason);
    reasons.insert(0, reason);
    reasons.truncate(REASONS_MAX);
}
