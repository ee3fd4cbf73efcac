//! What all workers hold of one endpoint: whether it is suspected, since when, when the next trial may be made, and how
//! many tries have gone well since. Plain numbers that any worker may write. While the endpoint is well nobody writes them,
//! so reading costs a worker nothing; two workers that write in the same moment lose a count, never more.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bascule_model::Instant;

use crate::pick::Gate;

/// How often a suspected endpoint gets a request that finds out how it is.
pub const TRIAL_EVERY: Duration = Duration::from_secs(1);

/// How much later a trial may be a request that cannot be made again if it goes badly: one that can is waited for first.
pub const TRIAL_OF_ANY_AFTER: Duration = Duration::from_secs(2);

/// Whether a request can be made again elsewhere, should it go badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeatable {
    /// It can.
    Yes,
    /// It cannot, or that is not known.
    No,
}

/// What all workers hold of one endpoint.
#[derive(Debug, Default)]
pub struct Standing {
    /// When it became suspected, in nanoseconds; 0: it is not.
    since: AtomicU64,
    /// When the last suspicion ended; 0: there was none.
    ended: AtomicU64,
    trial_at: AtomicU64,
    /// Good answers in a row since, and how many are needed.
    good: AtomicU32,
    good_needed: AtomicU32,
    suspicions: AtomicU32,
    /// Until when it gets half of what it would get.
    eased_until: AtomicU64,
}

impl Standing {
    /// Whether it is open to everything, whatever the time.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_suspected() && self.eased_until.load(Relaxed) == 0
    }

    /// Whether it may get a request now. Where a trial is due, whoever makes it says so by
    /// [`take_trial`](Self::take_trial).
    #[must_use]
    pub fn gate(&self, now: Instant, request: Repeatable) -> Gate {
        if !self.is_suspected() {
            return if self.stands_aside(now) {
                Gate::Suspect
            } else {
                Gate::Open
            };
        }
        let trial_at = Instant::from_nanos(self.trial_at.load(Relaxed));
        let due = match request {
            Repeatable::Yes => trial_at,
            Repeatable::No => trial_at + TRIAL_OF_ANY_AFTER,
        };
        if now >= due {
            Gate::Trial
        } else {
            Gate::Suspect
        }
    }

    /// Whether it is suspected.
    #[must_use]
    pub fn is_suspected(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    /// How often it has been suspected.
    #[must_use]
    pub fn suspicions(&self) -> u32 {
        self.suspicions.load(Relaxed)
    }

    /// Since when it is suspected, for the model beside it to compare.
    #[cfg(test)]
    pub(super) fn suspected_since(&self) -> Option<Instant> {
        let since = self.since.load(Relaxed);
        (since != 0).then_some(Instant::from_nanos(since))
    }

    /// Whether the last suspicion ended no longer ago than this.
    #[must_use]
    pub fn was_suspected_within(&self, now: Instant, age: Duration) -> bool {
        let ended = self.ended.load(Relaxed);
        ended != 0 && now.since(Instant::from_nanos(ended)) <= age
    }

    /// Begins a suspicion, with the first trial at `trial_at`. False: it was suspected already.
    pub fn suspect(&self, now: Instant, trial_at: Instant, good_needed: u32) -> bool {
        // Zero means that it is not suspected; nobody notices a nanosecond.
        let since = now.as_nanos().max(1);
        let begun = self.since.compare_exchange(0, since, Relaxed, Relaxed);
        if begun.is_err() {
            return false;
        }
        self.good.store(0, Relaxed);
        self.good_needed.store(good_needed, Relaxed);
        self.trial_at.store(trial_at.as_nanos(), Relaxed);
        self.suspicions.fetch_add(1, Relaxed);
        true
    }

    /// Takes the trial that is due; false: it is not, or another worker has it.
    pub fn take_trial(&self, now: Instant) -> bool {
        let due = self.trial_at.load(Relaxed);
        let next = (now + TRIAL_EVERY).as_nanos();
        let taken = || self.trial_at.compare_exchange(due, next, Relaxed, Relaxed);
        self.is_suspected() && now.as_nanos() >= due && taken().is_ok()
    }

    /// A try that began at `asked` went well. One that began before the suspicion says nothing.
    pub fn went_well(&self, now: Instant, asked: Instant) {
        if self.is_stale(asked) {
            return;
        }
        let good = self.good.fetch_add(1, Relaxed).saturating_add(1);
        if good >= self.good_needed.load(Relaxed) {
            self.end(now);
        }
    }

    /// A try that began at `asked` went badly; the endpoint may want to be left alone for a while.
    pub fn went_badly(&self, now: Instant, asked: Instant, retry_after: Option<Duration>) {
        if self.is_stale(asked) {
            return;
        }
        self.good.store(0, Relaxed);
        if let Some(retry_after) = retry_after {
            self.trial_at
                .fetch_max((now + retry_after).as_nanos(), Relaxed);
        }
    }

    /// The judge says that it is well again: what was suspected of it is forgotten.
    pub fn forget(&self) {
        self.since.store(0, Relaxed);
        self.ended.store(0, Relaxed);
        self.eased_until.store(0, Relaxed);
    }

    /// It gets half of what it would get until then.
    pub fn ease(&self, until: Instant) {
        self.eased_until.fetch_max(until.as_nanos(), Relaxed);
    }

    fn end(&self, now: Instant) {
        self.ended.store(now.as_nanos().max(1), Relaxed);
        self.since.store(0, Relaxed);
    }

    fn is_stale(&self, asked: Instant) -> bool {
        asked.as_nanos() <= self.since.load(Relaxed)
    }

    /// In half of all moments while it is to get less. Which ones is as good as chance.
    fn stands_aside(&self, now: Instant) -> bool {
        let now = now.as_nanos();
        let until = self.eased_until.load(Relaxed);
        if until != 0 && now >= until {
            // So that it is open without a look at the time again. Where another has just written it, that counts.
            let ended = self
                .eased_until
                .compare_exchange(until, 0, Relaxed, Relaxed);
            return ended.is_err() && self.stands_aside(Instant::from_nanos(now));
        }
        // The golden ratio's digits: the top bit of the product changes with every bit of the microsecond.
        now < until && ((now >> 10).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63) == 1
    }
}
