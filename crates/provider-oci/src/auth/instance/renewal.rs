//! When the token of an instance is renewed: well before its end, by one caller at a time, while the others use the one that is
//! still good. A renewal that failed is not tried again before a pause; who has no token meanwhile is told why. What is held
//! is only ever replaced by something newer, so that a caller who goes away takes nothing with it. How a token is got is
//! [`instance`](super)'s.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bascule_model::{Instant, Timestamp};
use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;

use super::{CALL, Granted};
use crate::auth::Identity;

/// Before its end a token is renewed: long enough for the auth service to be away for a while.
const RENEW_BEFORE: Duration = Duration::from_mins(10);

/// Who has a good token waits no longer for the next: the auth service answers in tenths of a second, or is ill.
const RENEWAL_MAX: Duration = Duration::from_secs(5);

/// The longest pause after a renewal that failed; twice as long after each further one, and by chance down to half of it.
const AGAIN: Duration = Duration::from_secs(2);
/// And never longer.
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// The token of an instance.
#[derive(Debug, Default)]
pub(in crate::auth) struct Token {
    state: Mutex<State>,
    /// Held by who renews.
    renewing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    granted: Option<Granted>,
    failed: Option<Failed>,
}

/// The renewals that failed since the last that did not.
#[derive(Debug)]
struct Failed {
    error: Error,
    count: u32,
    not_before: Instant,
}

/// How it stands with the token.
enum Standing {
    /// It is good, and nothing is to be done.
    Good(Arc<Identity>),
    /// It is good, and ends soon.
    Due(Arc<Identity>),
    /// There is none.
    None,
    /// There is none, and it is too early to ask again.
    Refused(Error),
}

impl Token {
    /// Who asks now, by the wall clock that is given; `ask` gets a new token.
    ///
    /// # Errors
    /// That of `ask`, where no token is good; also to those who come before it is asked again.
    pub(in crate::auth) async fn identity<F>(
        &self,
        wall: impl Fn() -> Timestamp,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<Identity>, Error>
    where
        F: Future<Output = Result<Granted, Error>>,
    {
        let (_renewing, good) = match self.standing(wall()) {
            Standing::Good(identity) => return Ok(identity),
            Standing::Refused(error) => return Err(error),
            Standing::Due(identity) => match self.renewing.try_lock() {
                Ok(renewing) => (renewing, Some(identity)),
                Err(_) => return Ok(identity),
            },
            Standing::None => {
                let renewing = self.renewing.lock().await;
                // Who was here before may have got one.
                match self.standing(wall()) {
                    Standing::Good(identity) | Standing::Due(identity) => return Ok(identity),
                    Standing::Refused(error) => return Err(error),
                    Standing::None => (renewing, None),
                }
            }
        };
        // Cancellation: what is held stays until there is something newer.
        let asked = match &good {
            Some(_) => tokio::time::timeout(RENEWAL_MAX, ask())
                .await
                .unwrap_or_else(|_| Err(too_slow())),
            None => ask().await,
        };
        match (asked, good) {
            (Ok(granted), _) => Ok(self.keep(granted)),
            (Err(error), Some(identity)) => {
                tracing::warn!(%error, "the token of the instance is not renewed yet");
                self.fail(&error);
                Ok(identity)
            }
            (Err(error), None) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    /// The token of this identity is not accepted any more: another is asked for.
    pub(in crate::auth) fn forget(&self, identity: &Arc<Identity>) {
        let mut state = self.state();
        let granted = state.granted.as_ref();
        // A newer one than was refused stays.
        if granted.is_some_and(|granted| Arc::ptr_eq(&granted.identity, identity)) {
            state.granted = None;
        }
    }

    fn standing(&self, now: Timestamp) -> Standing {
        let state = self.state();
        let early = state.failed.as_ref();
        let early = early.filter(|failed| clock::now() < failed.not_before);
        match (&state.granted, early) {
            (Some(granted), early) if granted.ends > now => {
                let identity = Arc::clone(&granted.identity);
                if early.is_some() || granted.ends.since(now) > RENEW_BEFORE {
                    Standing::Good(identity)
                } else {
                    Standing::Due(identity)
                }
            }
            (_, Some(failed)) => Standing::Refused(failed.error.again()),
            (_, None) => Standing::None,
        }
    }

    fn keep(&self, granted: Granted) -> Arc<Identity> {
        let identity = Arc::clone(&granted.identity);
        *self.state() = State {
            granted: Some(granted),
            failed: None,
        };
        identity
    }

    fn fail(&self, error: &Error) {
        let mut state = self.state();
        let count = state.failed.as_ref().map_or(0, |failed| failed.count);
        let longest = AGAIN.saturating_mul(1 << count.min(8)).min(AGAIN_MAX);
        let pause = longest.mul_f64(1.0 - fastrand::f64() / 2.0);
        state.failed = Some(Failed {
            error: error.again(),
            count: count.saturating_add(1),
            not_before: clock::now() + pause,
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_slow() -> Error {
    let seen = format!("no token within {} s", RENEWAL_MAX.as_secs());
    Error::new(Kind::Transient, CALL, "").detail(seen)
}

#[cfg(test)]
mod tests;
