//! How long an endpoint may say nothing before that is strange: five times what 99 of 100 of its answers took, and never
//! less than 300 ms. Kept by each worker; answers of the last ten to twenty seconds, and older ones where it is asked too
//! little for that. Where it has never answered enough, what the endpoints of its backend took together counts; where that is
//! too little as well, nothing is strange.

use std::ops::AddAssign;
use std::time::Duration;

use bascule_model::Instant;

/// Nobody is called silent sooner.
pub const SILENCE_MIN: Duration = Duration::from_millis(300);
/// How many times the p99.
const TIMES: u32 = 5;
/// What is quicker than this is all the same: five times it is no more than [`SILENCE_MIN`].
const FLOOR: Duration = Duration::from_millis(60);
/// Two a doubling, from [`FLOOR`] to a minute: a p99 is known to within a half.
const BUCKETS: usize = 20;
/// Fewer answers tell no p99.
const ANSWERS_MIN: u32 = 20;
/// How long answers are collected before those of the time before are forgotten.
const GENERATION: Duration = Duration::from_secs(10);

/// How long the answers of one endpoint took.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answers {
    newer: Times,
    older: Times,
    began: Instant,
    silence: Option<Duration>,
}

/// How many answers took how long.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    all: u32,
    /// Of these, those that took at least [`FLOOR`], by how long.
    slow: [u32; BUCKETS],
}

impl Answers {
    /// An answer took so long.
    pub fn record(&mut self, took: Duration) {
        self.newer.all = self.newer.all.saturating_add(1);
        if took >= FLOOR
            && let Some(count) = self.newer.slow.get_mut(bucket_of(took))
        {
            *count = count.saturating_add(1);
        }
    }

    /// Works out anew what is strange; once a second is enough. `backend`: how long the answers of all endpoints of its
    /// backend took.
    pub fn handle_timeout(&mut self, now: Instant, backend: &Times) {
        let p99 = self.times().p99().or_else(|| backend.p99());
        self.silence = p99.map(|p99| (p99 * TIMES).max(SILENCE_MIN));
        if now.since(self.began) >= GENERATION && self.newer.all >= ANSWERS_MIN {
            self.older = self.newer;
            self.newer = Times::default();
            self.began = now;
        }
    }

    /// How long they took that are not forgotten.
    #[must_use]
    pub fn times(&self) -> Times {
        let mut all = self.newer;
        all += self.older;
        all
    }

    /// How long it may say nothing; `None`: too little has been answered to say.
    #[must_use]
    pub const fn silence(&self) -> Option<Duration> {
        self.silence
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        for (here, more) in self.slow.iter_mut().zip(other.slow) {
            *here = here.saturating_add(more);
        }
    }
}

impl Times {
    fn p99(&self) -> Option<Duration> {
        if self.all < ANSWERS_MIN {
            return None;
        }
        // So many may be slower.
        let mut beyond = self.all / 100;
        for (bucket, &here) in self.slow.iter().enumerate().rev() {
            if here > beyond {
                return Some(bucket_end(bucket));
            }
            beyond -= here;
        }
        Some(FLOOR)
    }
}

/// The bucket of a duration of at least [`FLOOR`].
fn bucket_of(took: Duration) -> usize {
    (0..BUCKETS)
        .find(|bucket| took < bucket_end(*bucket))
        .unwrap_or(BUCKETS - 1)
}

/// The upper end of a bucket: 90 ms, 120 ms, 180 ms, 240 ms …
fn bucket_end(bucket: usize) -> Duration {
    let doublings = u32::try_from(bucket / 2).unwrap_or(0);
    let base = FLOOR * 2_u32.saturating_pow(doublings);
    if bucket.is_multiple_of(2) {
        base + base / 2
    } else {
        base * 2
    }
}
