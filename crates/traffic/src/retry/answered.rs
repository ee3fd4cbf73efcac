//! What an answer says, apart from what it holds: whether it speaks for or against the endpoint, and whether the request is
//! to be tried elsewhere instead of passing it on. Read from the status, and for gRPC from the status that stands beside it
//! where nothing else follows. It never decides whether the request may be tried again.

use std::time::Duration;

use crate::retry::Cause;
use crate::spec::RetryWhen;
use crate::suspect::Outcome;

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
