//! When what ends is renewed: credentials, a token. Well before its end, by one caller at a time, while the others use what is
//! still good. A renewal that failed is not tried again before a pause; who has nothing meanwhile is told why. What is held is
//! only ever replaced by something newer, so that a caller who goes away takes nothing with it. How it is got, and when it is
//! due, is the cloud's crate's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bascule_model::{Instant, Timestamp};
use bascule_telemetry::clock;

use crate::{Error, Kind};

/// Who has what is still good waits no longer for the next: what gives it answers in tenths of a second, or is ill.
const RENEWAL_MAX: Duration = Duration::from_secs(5);

/// The longest pause after a renewal that failed; twice as long after each further one, and by chance down to half of it.
const AGAIN: Duration = Duration::from_secs(2);
/// And never longer.
const AGAIN_MAX: Duration = Duration::from_mins(1);

/// What is renewed before it ends.
#[derive(Debug)]
pub struct Renewed<T> {
    state: Mutex<State<T>>,
    /// Held by who renews.
    renewing: tokio::sync::Mutex<()>,
}

/// What was got, and for how long.
#[derive(Debug)]
pub struct Granted<T> {
    /// It.
    pub what: Arc<T>,
    /// When it is to be renewed.
    pub due: Timestamp,
    /// When it is good no longer.
    pub ends: Timestamp,
}

#[derive(Debug)]
struct State<T> {
    granted: Option<Granted<T>>,
    failed: Option<Failed>,
}

/// The renewals that failed since the last that did not.
#[derive(Debug)]
struct Failed {
    error: Error,
    count: u32,
    not_before: Instant,
}

/// How it stands.
enum Standing<T> {
    /// It is good, and nothing is to be done.
    Good(Arc<T>),
    /// It is good, and ends soon.
    Due(Arc<T>),
    /// There is none.
    None,
    /// There is none, and it is too early to ask again.
    Refused(Error),
}

impl<T> Default for Renewed<T> {
    fn default() -> Self {
        let state = State {
            granted: None,
            failed: None,
        };
        Self {
            state: Mutex::new(state),
            renewing: tokio::sync::Mutex::default(),
        }
    }
}

impl<T> Renewed<T> {
    /// What is good now, by the wall clock that is given; `ask` gets a new one.
    ///
    /// # Errors
    /// That of `ask`, where nothing is good; also to those who come before it is asked again.
    pub async fn get<F>(
        &self,
        wall: impl Fn() -> Timestamp,
        ask: impl FnOnce() -> F,
    ) -> Result<Arc<T>, Error>
    where
        F: Future<Output = Result<Granted<T>, Error>>,
    {
        let (_renewing, good) = match self.standing(wall()) {
            Standing::Good(what) => return Ok(what),
            Standing::Refused(error) => return Err(error),
            Standing::Due(what) => match self.renewing.try_lock() {
                Ok(renewing) => (renewing, Some(what)),
                Err(_) => return Ok(what),
            },
            Standing::None => {
                let renewing = self.renewing.lock().await;
                // Who was here before may have got one.
                match self.standing(wall()) {
                    Standing::Good(what) | Standing::Due(what) => return Ok(what),
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
            (Err(error), Some(what)) => {
                tracing::warn!(%error, "the credentials are not renewed yet");
                self.fail(&error);
                Ok(what)
            }
            (Err(error), None) => {
                self.fail(&error);
                Err(error)
            }
        }
    }

    /// This is not accepted any more: another is asked for.
    pub fn forget(&self, what: &Arc<T>) {
        let mut state = self.state();
        let granted = state.granted.as_ref();
        // A newer one than was refused stays.
        if granted.is_some_and(|granted| Arc::ptr_eq(&granted.what, what)) {
            state.granted = None;
        }
    }

    fn standing(&self, now: Timestamp) -> Standing<T> {
        let state = self.state();
        let early = state.failed.as_ref();
        let early = early.filter(|failed| clock::now() < failed.not_before);
        match (&state.granted, early) {
            (Some(granted), early) if granted.ends > now => {
                let what = Arc::clone(&granted.what);
                if early.is_some() || granted.due > now {
                    Standing::Good(what)
                } else {
                    Standing::Due(what)
                }
            }
            (_, Some(failed)) => Standing::Refused(failed.error.again()),
            (_, None) => Standing::None,
        }
    }

    fn keep(&self, granted: Granted<T>) -> Arc<T> {
        let what = Arc::clone(&granted.what);
        *self.state() = State {
            granted: Some(granted),
            failed: None,
        };
        what
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

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn too_slow() -> Error {
    let seen = format!("no answer within {} s", RENEWAL_MAX.as_secs());
    Error::new(Kind::Transient, "credentials", "").detail(seen)
}

#[cfg(test)]
mod tests;
