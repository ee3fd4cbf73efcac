//! Whether a request that failed is tried once more. Decided from three things: the [`Failure`], complete at its
//! construction; the [`RequestFacts`]; and a [`Budget`] that keeps retries from becoming the load that kills what is
//! left. It never replays what may have arrived and is not idempotent, nor a body that is gone. Which endpoint comes
//! next is [`pick`](crate::pick)'s to say; what an answer says of the endpoint and of a further try is [`Answered`]'s.

mod answered;
mod backoff;
mod budget;
mod failure;

pub use answered::Answered;
pub use backoff::backoff;
pub use budget::{Budget, Ledger};
pub use failure::{Cause, Failure, Phase, Retry, Side};

use bascule_model::Instant;

use crate::spec::{RetryPolicy, RetryWhen};

/// What must be known of a request to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestFacts {
    /// Whether doing it twice is as good as once; see [`is_idempotent`].
    pub idempotent: bool,
    /// Its body.
    pub body: Body,
    /// How much of it went out in the try that failed.
    pub written: Written,
    /// Tries so far, the failed one included; at least 1.
    pub attempts_done: u8,
}

/// What is left of a request's body for another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// It is kept whole.
    Replayable,
    /// It streams in, and none of it has been read yet.
    Unread,
    /// It streams in, and some of it has been read and is gone.
    Streamed,
}

/// How much of a request went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Certainly not a byte.
    Nothing,
    /// Some of it, or that is not known.
    Something,
}

/// Whether a failed request is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is; the budget has been charged for it.
    Retry,
    /// It is not.
    GiveUp(Reason),
}

/// Why a failed request is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// This failure is never tried again.
    Final,
    /// The configuration forbids it for this failure.
    Configured,
    /// All tries are used.
    Attempts,
    /// It may have arrived, and doing it twice is not as good as once.
    NotIdempotent,
    /// Its body is gone.
    BodyGone,
    /// The budget is spent.
    Budget,
}

impl Reason {
    /// The word used in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Configured => "configured",
            Self::Attempts => "attempts",
            Self::NotIdempotent => "not_idempotent",
            Self::BodyGone => "body_gone",
            Self::Budget => "budget",
        }
    }
}

/// Decides about one failed try, and charges the budget if it is tried again. Ask [`pick`](crate::pick) for another
/// endpoint first: without one there is nothing to decide.
#[must_use]
pub fn decide(
    failure: &Failure,
    facts: &RequestFacts,
    policy: &RetryPolicy,
    budget: &mut Budget,
    now: Instant,
) -> Decision {
    let reason = match refuse(failure, facts, policy) {
        Some(reason) => reason,
        None if budget.take(now) => return Decision::Retry,
        None => Reason::Budget,
    };
    Decision::GiveUp(reason)
}

/// Whether it could be tried again as far as the request is concerned; asks no budget and charges none.
#[must_use]
pub fn may(failure: &Failure, facts: &RequestFacts, policy: &RetryPolicy) -> bool {
    refuse(failure, facts, policy).is_none()
}

fn refuse(failure: &Failure, facts: &RequestFacts, policy: &RetryPolicy) -> Option<Reason> {
    let unsent = facts.written == Written::Nothing;
    let allowed = match failure.retry {
        Retry::Never => return Some(Reason::Final),
        Retry::IfUnsent if unsent => true,
        Retry::IfUnsent => return Some(Reason::Final),
        Retry::IfIdempotent => unsent || facts.idempotent,
        Retry::Always => true,
    };
    if !is_configured(failure.cause, policy.when) {
        Some(Reason::Configured)
    } else if facts.attempts_done >= policy.attempts {
        Some(Reason::Attempts)
    } else if !allowed {
        Some(Reason::NotIdempotent)
    } else if facts.body == Body::Streamed {
        Some(Reason::BodyGone)
    } else {
        None
    }
}

const fn is_configured(cause: Cause, when: RetryWhen) -> bool {
    match cause {
        Cause::Connect | Cause::ConnectTimeout | Cause::Tls | Cause::Exhausted => {
            when.connect_failure
        }
        Cause::StreamRefused => when.refused_stream,
        Cause::Silent | Cause::WentDown => when.silence,
        // Made only where the configuration says so.
        Cause::Status | Cause::GrpcStatus | Cause::TryTimeout => true,
        _ => when.reset_before_response,
    }
}

/// Whether a method's effect is the same for one request and for several (RFC 9110 §9.2.2). A method that is not known
/// is not. `CONNECT` is not: a tunnel is never replayed.
#[must_use]
pub fn is_idempotent(method: &str) -> bool {
    matches!(
        method,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE"
    )
}

#[cfg(test)]
mod tests;
