//! Whether a request is let in. Today one thing refuses: a service without a backend that may be used. It never refuses
//! without saying why and when to come back.

use crate::snapshot::{Mode, Refusal, Service};

/// A request that is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .reason.as_str())]
pub struct Rejection {
    /// Why.
    pub reason: Refusal,
    /// The value of `Retry-After`, in seconds; at least 1, since 0 invites an immediate repetition.
    pub retry_after_seconds: u64,
}

/// Lets a request in, or says why not.
///
/// # Errors
/// [`Rejection`] when the service refuses everything.
pub fn admit(service: &Service) -> Result<(), Rejection> {
    match service.mode {
        Mode::Serve | Mode::FailOpen => Ok(()),
        Mode::Refuse(reason) => {
            let wait = service.retry_after;
            let round_up = u64::from(wait.subsec_nanos() > 0);
            let retry_after_seconds = wait.as_secs().saturating_add(round_up).max(1);
            Err(Rejection {
                reason,
                retry_after_seconds,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
}
