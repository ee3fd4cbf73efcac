//! How long an endpoint may say nothing before that is strange: five times what 99 of 100 of its answers took, and never
//! less than 300 ms. Kept by each worker; answers of the last ten to twenty seconds. Where it has answered too little
//! nothing is strange.

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
    newer: Counts,
    older: Counts,
    began: Instant,
    silence: Option<Duration>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    all: u32,
    /// Of these, those that took at least [`FLOOR`], by how long.
    slow: [u32; BUCKETS],
}

impl Answers {
    /// An answer took so long; or has not come for so long.
    pub fn record(&mut self, took: Duration) {
        self.newer.all = self.newer.all.saturating_add(1);
        if took >= FLOOR
            && let Some(count) = self.newer.slow.get_mut(bucket_of(took))
        {
            *count = count.saturating_add(1);
        }
    }

    /// Works out anew what is strange; once a second is enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.silence = self.p99().map(|p99| (p99 * TIMES).max(SILENCE_MIN));
        if now.since(self.began) >= GENERATION {
            self.older = self.newer;
            self.newer = Counts::default();
            self.began = now;
        }
    }

    /// How long it may say nothing; `None`: it has answered too little to say.
    #[must_use]
    pub const fn silence(&self) -> Option<Duration> {
        self.silence
    }

    fn p99(&self) -> Option<Duration> {
        let all = u64::from(self.newer.all) + u64::from(self.older.all);
        if all < u64::from(ANSWERS_MIN) {
            return None;
        }
        // So many may be slower.
        let mut beyond = all / 100;
        for bucket in (0..BUCKETS).rev() {
            let count = |counts: &Counts| counts.slow.get(bucket).copied().map_or(0, u64::from);
            let here = count(&self.newer) + count(&self.older);
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
