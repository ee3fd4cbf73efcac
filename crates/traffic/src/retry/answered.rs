//! What an answer says, apart from what it holds: whether it speaks for or against the endpoint, and whether the request is
//! to be tried elsewhere instead of passing it on. Read from the status, and for gRPC from the status that stands beside it
//! where nothing else follows. It never decides whether the request may be tried again.

use std::time::Duration;

use bascule_model::FailureClass;

use crate::retry::Cause;
use crate::spec::RetryWhen;
use crate::suspect::Outcome;

/// gRPC: something failed, and nothing is known of it.
const UNKNOWN: u8 = 2;
/// gRPC: something in the service is broken.
const INTERNAL: u8 = 13;
/// gRPC: data is lost.
const DATA_LOSS: u8 = 15;
/// gRPC: there is too much to do.
const RESOURCE_EXHAUSTED: u8 = 8;
/// gRPC: the service cannot be reached now.
const UNAVAILABLE: u8 = 14;

/// The head of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// `grpc-status`, where the answer to a call is nothing but trailers.
    pub grpc: Option<u8>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Answered {
    /// What it says of the endpoint. 500 says nothing: as a rule it is about the request. What the configuration wants tried
    /// elsewhere speaks against it.
    #[must_use]
    pub fn outcome(&self, when: RetryWhen) -> Outcome {
        let retry_after = self.retry_after;
        let is_too_much = self.status == 429 || self.grpc == Some(RESOURCE_EXHAUSTED);
        let is_failure = matches!(self.status, 502..=504)
            || when.statuses.contains(self.status)
            || self.grpc == Some(UNAVAILABLE)
            || self.grpc.is_some_and(|code| when.grpc.contains(code));
        if is_too_much {
            Outcome::Pushback { retry_after }
        } else if is_failure {
            Outcome::Failed { retry_after }
        } else {
            Outcome::Good
        }
    }

    /// What it says against the endpoint, for the judge, who compares it with what others answer: so a 500 counts too.
    #[must_use]
    pub const fn against_endpoint(&self) -> Option<FailureClass> {
        match self.grpc {
            Some(UNAVAILABLE) => Some(FailureClass::Unavailable),
            Some(UNKNOWN | INTERNAL | DATA_LOSS) => Some(FailureClass::Error),
            _ => FailureClass::of_status(self.status),
        }
    }

    /// Whether another answer is wanted in its place, and why.
    #[must_use]
    pub fn cause(&self, when: RetryWhen) -> Option<Cause> {
        if when.statuses.contains(self.status) {
            Some(Cause::Status)
        } else if self.grpc.is_some_and(|code| when.grpc.contains(code)) {
            Some(Cause::GrpcStatus)
        } else {
            None
        }
    }
}
