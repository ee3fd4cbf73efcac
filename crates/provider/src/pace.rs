//! Keeps the rate that an account allows: a bucket for each of its APIs, a pause for all where the cloud asks for one, and
//! whether and when a failed call is made again. The [`Bucket`] is pure; [`Pace`] waits. What is tried again is only what
//! changes nothing; a write that failed is looked at by who made it ([`drive`](crate::drive)).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bascule_model::{Instant, Rng};
use bascule_telemetry::clock;

use crate::{Error, Kind};

/// Tries of one call, all in all.
const TRIES_MAX: u32 = 4;
/// The longest pause before the second try; twice as long before each further one. By chance something between nothing and
/// this: who fail together must not come back together.
const BACKOFF: Duration = Duration::from_millis(500);
/// And never longer.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// Who would wait longer for their turn are refused: the next look comes sooner than their answer.
const WAIT_MAX: Duration = Duration::from_secs(60);
/// For longer nobody is kept away, whatever was asked for with `Retry-After`: no cloud's limits are counted over more, and the
/// field may be a proxy's, or wrong. Who comes back then is told again if it was meant so.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// How often an API may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Calls a second, at least 1.
    pub per_second: u32,
    /// How many at once after a rest, at least 1.
    pub burst: u32,
}

/// A token bucket, kept as the moment at which it is full again.
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    interval: Duration,
    depth: Duration,
    full_at: Instant,
    paused_until: Instant,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(limit: Limit) -> Self {
        let interval = Duration::from_secs(1) / limit.per_second.max(1);
        Self {
            interval,
            depth: interval * limit.burst.max(1).saturating_sub(1),
            full_at: Instant::ZERO,
            paused_until: Instant::ZERO,
        }
    }

    /// Takes a token, and says when the call may be made: now, or later; those who ask in turn get their turns. `None`: it
    /// would be later than `WAIT_MAX`, and none is taken.
    pub fn take(&mut self, now: Instant) -> Option<Instant> {
        // Who ask during a pause get their turns from its end on, by the rate: not all of them at that moment.
        let from = now.max(self.paused_until);
        let full_at = self.full_at.max(from);
        let turn = from + full_at.since(from).saturating_sub(self.depth);
        if turn.since(now) > WAIT_MAX {
            return None;
        }
        self.full_at = full_at + self.interval;
        Some(turn)
    }

    /// Nobody's turn comes before then; those that were given and have not come yet are to be taken anew.
    pub fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(until);
    }

    /// Whether nobody may call now.
    #[must_use]
    pub fn is_paused(&self, now: Instant) -> bool {
        now < self.paused_until
    }
}

/// Whether a call may be made again when it is not known what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It only reads.
    Yes,
    /// It changes something.
    No,
}

/// The pace of one account.
#[derive(Debug)]
pub struct Pace {
    default: Limit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buckets: BTreeMap<&'static str, Bucket>,
    rng: Rng,
}

impl Pace {
    /// With the limits of its APIs; those that are not named have `default`, each for itself.
    #[must_use]
    pub fn new(default: Limit, limits: &[(&'static str, Limit)], seed: u64) -> Self {
        let buckets = limits
            .iter()
            .map(|(api, limit)| (*api, Bucket::new(*limit)));
        let state = State {
            buckets: buckets.collect(),
            rng: Rng::new(seed),
        };
        Self {
            default,
            state: Mutex::new(state),
        }
    }

    /// Makes a call when its turn comes, and again where that may help: after [`Transient`](Kind::Transient) and
    /// [`Throttled`](Kind::Throttled), four times at most, if it may be repeated.
    ///
    /// # Errors
    /// That of the last try, a `Retry-After` in it at most [`RETRY_AFTER_MAX`]; [`Throttled`](Kind::Throttled) where too many
    /// wait for their turn already.
    pub async fn call<T, F>(
        &self,
        api: &'static str,
        repeat: Repeat,
        mut call: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut tries = 0;
        loop {
            self.turn(api).await?;
            tries += 1;
            let mut error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            if let Kind::Throttled {
                retry_after: Some(after),
            } = &mut error.kind
            {
                *after = (*after).min(RETRY_AFTER_MAX);
            }
            let pause = self.failed(api, &error, tries);
            match pause.filter(|_| repeat == Repeat::Yes && tries < TRIES_MAX) {
                Some(pause) => clock::sleep_until(clock::now() + pause).await,
                None => return Err(error),
            }
        }
    }

    /// Waits for a turn. One that falls into a pause which was asked for meanwhile is none: another is taken.
    async fn turn(&self, api: &'static str) -> Result<(), Error> {
        loop {
            let now = clock::now();
            let Some(turn) = self.with(api, |bucket, _| bucket.take(now)) else {
                let error = Error::new(Kind::Throttled { retry_after: None }, api, "");
                return Err(error
                    .detail("more calls wait for their turn than the account allows in a minute"));
            };
            if turn > now {
                clock::sleep_until(turn).await;
            }
            if !self.with(api, |bucket, _| bucket.is_paused(clock::now())) {
                return Ok(());
            }
        }
    }

    /// How long to wait before another try, where one may help.
    fn failed(&self, api: &'static str, error: &Error, tries: u32) -> Option<Duration> {
        self.with(api, |bucket, rng| {
            let longest = BACKOFF
                .saturating_mul(1 << (tries - 1).min(8))
                .min(BACKOFF_MAX);
            let pause = longest.mul_f64(rng.ratio());
            match error.kind {
                Kind::Transient => Some(pause),
                Kind::Throttled { retry_after } => {
                    let pause = pause.max(retry_after.unwrap_or_default());
                    // It was too much for the account: the others wait as well.
                    bucket.pause(clock::now() + pause);
                    (pause <= WAIT_MAX).then_some(pause)
                }
                Kind::Denied | Kind::Conflict | Kind::Invalid => None,
            }
        })
    }

    fn with<T>(&self, api: &'static str, act: impl FnOnce(&mut Bucket, &mut Rng) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { buckets, rng } = &mut *state;
        let bucket = buckets
            .entry(api)
            .or_insert_with(|| Bucket::new(self.default));
        act(bucket, rng)
    }
}

#[cfg(test)]
mod tests;
