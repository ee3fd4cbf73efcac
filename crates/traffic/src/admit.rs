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
