//! What the judge says, as plain data: read by `traffic::assemble` (through the shell), the admin API and `explain`.

use std::collections::BTreeMap;

use bascule_model::{EndpointId, FailureClass, Instant, ObservedState};

use crate::AgentState;
use crate::passive::Ejection;

/// The verdicts on all endpoints at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// By endpoint.
    pub endpoints: BTreeMap<EndpointId, Verdict>,
}

/// What the judge says of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The state, of all that is seen: what the checks say, unless its agent or traffic took it out, or traffic shows that they
    /// cannot be right.
    pub state: ObservedState,
    /// What the checks alone say.
    pub by_checks: ObservedState,
    /// Traffic took it out.
    pub ejection: Option<Ejection>,
    /// Its checks fail and are not believed: those of all the service's endpoints do, while its traffic succeeds.
    pub held: bool,
    /// Since when it is in this state.
    pub since: Instant,
    /// Why it is in this state, the latest reason first, at most `opinion::REASONS_MAX`; empty while nothing has been seen.
    pub reasons: Vec<Reason>,
    /// What the last check said; it may speak against the state. `None` before the first.
    pub last: Option<Reason>,
    /// When it came back up after having been down: its ramp starts here. `None` when it never was down.
    pub returned_at: Option<Instant>,
    /// Results of checks in a row that speak against what they said before.
    pub against: u32,
    /// The last check: when it ended.
    pub checked_at: Option<Instant>,
    /// What the agent beside it says; `None` where there is none. Its `down` is in `state`.
    pub agent: Option<AgentState>,
    /// Whether it is checked now. If not (`maint`, `offline`), all of this is what was last seen.
    pub checked: bool,
}

/// One observation that speaks for a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// A check passed.
    CheckPassed,
    /// The connection was refused, reset or unreachable.
    Connect,
    /// No answer in time.
    Timeout,
    /// The TLS handshake failed.
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
    /// An answer longer than any that is read.
    TooLong,
    /// gRPC: the service says that it does not serve.
    NotServing,
    /// gRPC: the server does not know yet whether the service serves.
    ServingUnknown,
    /// gRPC: the server does not know the service.
    ServiceUnknown,
    /// gRPC: the call failed.
    Grpc {
        /// Its status.
        status: u16,
    },
    /// Traffic could not use it: no connection, one that broke, or no answer.
    Traffic,
    /// Tries of traffic failed, more than is usual: it was taken out.
    Failing {
        /// As most of them did.
        class: FailureClass,
    },
    /// Answers to traffic took far longer than is usual: it was taken out.
    Slow,
    /// Trials passed: it was put back.
    TrialsPassed,
    /// It was put back without trials: no other is left, or a person said so.
    PutBack,
    /// All checks fail while traffic succeeds: they are not believed.
    ChecksDoubted,
    /// The configuration says so (`check.initial`), and no check has said anything yet.
    Initial,
    /// The agent beside it says so.
    Agent,
}

impl Reason {
    /// The word used in metrics, logs and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckPassed => "passed",
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Tls => "tls",
            Self::Status { .. } => "status",
            Self::Protocol => "protocol",
            Self::Text => "text",
            Self::TooLong => "too_long",
            Self::NotServing => "not_serving",
            Self::ServingUnknown => "serving_unknown",
            Self::ServiceUnknown => "service_unknown",
            Self::Grpc { .. } => "grpc",
            Self::Traffic => "traffic",
            Self::Failing { .. } => "failing",
            Self::Slow => "slow",
            Self::TrialsPassed => "trials_passed",
            Self::PutBack => "put_back",
            Self::ChecksDoubted => "checks_doubted",
            Self::Initial => "initial",
            Self::Agent => "agent",
        }
    }

    /// The number beside the word where there is one: the status of HTTP, or of gRPC.
    #[must_use]
    pub const fn status(self) -> Option<u16> {
        match self {
            Self::Status { status } | Self::Grpc { status } => Some(status),
            _ => None,
        }
    }
}

impl std::fmt::Display for Reason {
    /// The word, with the status where there is one: `timeout`, `status 503`, `grpc 12`; of what traffic says, a few words.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status { status } | Self::Grpc { status } => {
                write!(f, "{} {status}", self.as_str())
            }
            Self::Failing { class } => write!(f, "traffic fails: {}", class.as_str()),
            Self::Slow => f.write_str("traffic is slow"),
            Self::TrialsPassed => f.write_str("trials passed"),
            Self::PutBack => f.write_str("put back"),
            Self::ChecksDoubted => f.write_str("checks doubted"),
            _ => f.write_str(self.as_str()),
        }
    }
}
