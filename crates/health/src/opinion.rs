//! What one result does to the verdict on one endpoint: rise, fall, and why. No scheduling (that is
//! [`judge`](crate::judge)). It must stay monotone: of two histories of equal length, the one whose results are nowhere
//! better never ends in a better state. The order that holds this, from best to worst, is: up with 0, 1, … failures;
//! beside it unknown with as many; then down with the most passes, … with none. A pass and a failure both keep it.

use bascule_model::{Instant, ObservedState};

use crate::policy::Initial;
use crate::{CheckPolicy, Reason};

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
    /// An answer that is not what the check speaks (HTTP, gRPC), or broke off.
    Protocol,
    /// An answer that ended without the text that is expected.
    Text,
    /// An answer longer than any that is read, whatever it says.
    TooLong,
    /// gRPC: the service says that it does not serve.
    NotServing,
    /// gRPC: the server does not know yet whether the service serves.
    ServingUnknown,
    /// gRPC: the server does not know the service.
    ServiceUnknown,
    /// gRPC: the call failed.
    Grpc {
        /// Its status; 12 is a server without health service.
        status: u16,
    },
}

impl From<CheckFailure> for Reason {
    fn from(failure: CheckFailure) -> Self {
        match failure {
            CheckFailure::Connect => Self::Connect,
            CheckFailure::Timeout => Self::Timeout,
            CheckFailure::Tls => Self::Tls,
            CheckFailure::Status { status } => Self::Status { status },
            CheckFailure::Protocol => Self::Protocol,
            CheckFailure::Text => Self::Text,
            CheckFailure::TooLong => Self::TooLong,
            CheckFailure::NotServing => Self::NotServing,
            CheckFailure::ServingUnknown => Self::ServingUnknown,
            CheckFailure::ServiceUnknown => Self::ServiceUnknown,
            CheckFailure::Grpc { status } => Self::Grpc { status },
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

/// What was seen, for a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// What speaks for the state, latest first.
    pub(crate) reasons: Vec<Reason>,
    pub(crate) last: Option<Reason>,
    pub(crate) against: u32,
    pub(crate) checked_at: Option<Instant>,
}

/// What is thought of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Opinion {
    state: ObservedState,
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
    pub(crate) fn new(now: Instant, policy: &CheckPolicy) -> Self {
        let (against, reasons) = match policy.initial {
            Initial::Unknown => (0, Vec::new()),
            Initial::Up => (0, vec![Reason::Initial]),
            // As if all passes but one had been seen: the first makes it up, a failure asks for all of them.
            Initial::Down => (policy.rise.max(1) - 1, vec![Reason::Initial]),
        };
        Self {
            state: policy.initial.state(),
            against,
            against_since: now,
            reasons,
            doubts: Vec::new(),
            last: None,
            checked_at: None,
        }
    }

    /// When the results began that led to the state, or speak against it.
    pub(crate) const fn began(&self) -> Instant {
        self.against_since
    }

    pub(crate) const fn state(&self) -> ObservedState {
        self.state
    }

    /// Whether the last results speak against the state, or none spoke yet and one has failed: check faster.
    pub(crate) const fn in_transition(&self) -> bool {
        self.against > 0
    }

    /// Takes a result.
    pub(crate) fn take(&mut self, now: Instant, result: CheckResult, policy: &CheckPolicy) {
        let reason = Reason::from(result);
        self.last = Some(reason);
        self.checked_at = Some(now);
        if self.against == 0 {
            self.against_since = now;
        }
        match (result, self.state) {
            (CheckResult::Passed, ObservedState::Down) => {
                self.against = self.against.saturating_add(1);
                if self.against >= policy.rise.max(1) {
                    self.enter(ObservedState::Up, vec![reason]);
                }
            }
            (CheckResult::Passed, ObservedState::Up) => {
                self.against = 0;
                self.doubts.clear();
                if self.reasons.as_slice() == [Reason::Initial] {
                    self.reasons = vec![reason]; // Seen now, not only said.
                }
            }
            (CheckResult::Passed, ObservedState::Unknown | ObservedState::Degraded) => {
                self.enter(ObservedState::Up, vec![reason]);
            }
            (CheckResult::Failed(_), ObservedState::Down) => {
                self.against = 0;
                self.reasons.retain(|known| *known != Reason::Initial);
                push(&mut self.reasons, reason);
            }
            (CheckResult::Failed(_), _) => {
                self.against = self.against.saturating_add(1);
                push(&mut self.doubts, reason);
                if self.against >= policy.fall.max(1) {
                    let doubts = std::mem::take(&mut self.doubts);
                    self.enter(ObservedState::Down, doubts);
                }
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

    fn enter(&mut self, state: ObservedState, reasons: Vec<Reason>) {
        self.state = state;
        self.against = 0;
        self.reasons = reasons;
        self.doubts.clear();
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen {
            reasons: self.reasons.clone(),
            last: self.last,
            against: self.against,
            checked_at: self.checked_at,
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
