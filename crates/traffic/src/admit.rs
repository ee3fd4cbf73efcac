//! Whether a request is let in. Here one thing refuses: a service without a backend that may be used; what the pick finds
//! full is refused in the same words. It never refuses without saying why and when to come back.

use std::time::Duration;

use crate::pick::PickRefused;
use crate::snapshot::{Mode, Refusal, Service};

/// When a client that found everything full should come back: what is in flight ends, so soon.
const OVERLOADED_AFTER: Duration = Duration::from_secs(1);

/// A request that is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .reason.as_str())]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// The value of `Retry-After`, in seconds; at least 1, since 0 invites an immediate repetition.
    pub retry_after_seconds: u64,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its service refuses everything.
    Service(Refusal),
    /// All that might take it is full.
    Overloaded,
}

impl Reason {
    /// The reason as clients, logs and metrics get it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service(refusal) => refusal.as_str(),
            Self::Overloaded => "overloaded",
        }
    }
}

impl Rejection {
    fn new(reason: Reason, wait: Duration) -> Self {
        let round_up = u64::from(wait.subsec_nanos() > 0);
        Self {
            reason,
            retry_after_seconds: wait.as_secs().saturating_add(round_up).max(1),
        }
    }

    /// Nothing was picked for a request that had been let in. Where nothing is there any more it hears what it would in
    /// the next moment.
    #[must_use]
    pub fn of_pick(refused: PickRefused, service: &Service) -> Self {
        match refused {
            PickRefused::Full => Self::new(Reason::Overloaded, OVERLOADED_AFTER),
            PickRefused::Nothing => {
                let reason = Reason::Service(Refusal::NoBackendUp);
                Self::new(reason, service.retry_after)
            }
        }
    }
}

/// Lets a request in, or says why not.
///
/// # Errors
/// [`Rejection`] when the service refuses everything.
pub fn admit(service: &Service) -> Result<(), Rejection> {
    match service.mode {
        Mode::Serve | Mode::FailOpen => Ok(()),
        Mode::Refuse(refusal) => {
            let reason = Reason::Service(refusal);
            Err(Rejection::new(reason, service.retry_after))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::spec::Algorithm;

    #[test]
    fn a_service_that_serves_or_fails_open_lets_requests_in() {
        let mut service = service(Algorithm::Random, &[member("aws", 10_000, 1)]);
        assert_eq!(admit(&service), Ok(()));
        service.mode = Mode::FailOpen;
        assert_eq!(admit(&service), Ok(()));
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_back_in_whole_seconds() {
        let mut service = service(Algorithm::Random, &[member("aws", 10_000, 1)]);
        service.mode = Mode::Refuse(Refusal::NoBackendUp);
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            service.retry_after = Duration::from_millis(millis);
            let rejection = admit(&service).unwrap_err();
            assert_eq!(rejection.retry_after_seconds, seconds, "{millis} ms");
            assert_eq!(rejection.to_string(), "refused: no_backend_up");
        }
    }

    #[test]
    fn where_all_is_full_a_client_is_told_to_come_back_soon() {
        let mut service = service(Algorithm::Random, &[member("aws", 10_000, 1)]);
        service.retry_after = Duration::from_secs(30);
        let rejection = Rejection::of_pick(PickRefused::Full, &service);
        assert_eq!(
            (rejection.reason.as_str(), rejection.retry_after_seconds),
            ("overloaded", 1)
        );
        let rejection = Rejection::of_pick(PickRefused::Nothing, &service);
        assert_eq!(
            (rejection.reason.as_str(), rejection.retry_after_seconds),
            ("no_backend_up", 30)
        );
    }
}
