//! The budget of retries: a bucket over ten seconds. Retries must not become the load that kills what is left, and yet,
//! in the first moment after half a fleet is lost, every second request needs one; so what ten seconds grant may be spent
//! at once. In any ten seconds a worker grants at most `ratio` of its requests, or its part of the minimum if that is
//! more. Told the time; integers only.

use bascule_model::Instant;

use crate::spec::RetryPolicy;

/// Seconds that the bucket reaches back.
const WINDOW: u64 = 10;
/// One slot a second: the current one and ten before, so that a retry is remembered for at least ten seconds.
const SLOTS: usize = 11;
const NANOS: u64 = 1_000_000_000;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    requests: u64,
    retries: u64,
}

/// The retries that one worker may still grant to one service.
#[derive(Debug, Clone)]
pub struct Budget {
    ratio: u64,
    min: u64,
    slots: [Slot; SLOTS],
    /// The second that the newest slot stands for.
    second: u64,
}

impl Budget {
    /// An empty bucket for worker `worker` of `workers`. The minimum is divided among the workers exactly, so that all
    /// together grant no more than it; one of many may have none of it.
    #[must_use]
    pub fn new(policy: &RetryPolicy, worker: usize, workers: usize) -> Self {
        let mut budget = Self {
            ratio: 0,
            min: 0,
            slots: [Slot::default(); SLOTS],
            second: 0,
        };
        budget.set_policy(policy, worker, workers);
        budget
    }

    /// Another policy; what was counted stays.
    pub fn set_policy(&mut self, policy: &RetryPolicy, worker: usize, workers: usize) {
        let total = u64::from(policy.budget_min_per_second) * WINDOW;
        // No machine has more cores than this; it keeps the products below from overflowing.
        let workers = u64::try_from(workers).unwrap_or(u64::MAX).clamp(1, 65_536);
        let worker = u64::try_from(worker).unwrap_or(u64::MAX).min(workers - 1);
        self.ratio = u64::from(policy.budget_ratio.get());
        self.min = total * (worker + 1) / workers - total * worker / workers;
    }

    /// Counts a request: its first try, never a later one.
    pub fn request(&mut self, now: Instant) {
        self.advance(now);
        if let Some(slot) = self.newest() {
            slot.requests += 1;
        }
    }

    /// Grants a retry and charges for it, or refuses.
    pub fn take(&mut self, now: Instant) -> bool {
        self.advance(now);
        // The retries of all slots against the requests of the ten newest: both err to the side of refusing.
        let retries: u64 = self.slots.iter().map(|slot| slot.retries).sum();
        let oldest = self.oldest();
        let others = self
            .slots
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != oldest);
        let requests: u64 = others.map(|(_, slot)| slot.requests).sum();
        let wanted = retries + 1;
        let granted = wanted <= self.min || wanted * 10_000 <= requests * self.ratio;
        if granted && let Some(slot) = self.newest() {
            slot.retries += 1;
        }
        granted
    }

    fn index(second: u64) -> usize {
        let slots = u64::try_from(SLOTS).unwrap_or(1);
        usize::try_from(second % slots).unwrap_or(0)
    }

    fn newest(&mut self) -> Option<&mut Slot> {
        self.slots.get_mut(Self::index(self.second))
    }

    fn oldest(&self) -> usize {
        Self::index(self.second + 1)
    }

    /// Moves on to the second of `now`, forgetting what is too old. A time that lies back counts as now.
    fn advance(&mut self, now: Instant) {
        let second = now.as_nanos() / NANOS;
        let steps = second.saturating_sub(self.second).min(WINDOW + 1);
        for step in 0..steps {
            if let Some(slot) = self.slots.get_mut(Self::index(second - step)) {
                *slot = Slot::default();
            }
        }
        self.second = self.second.max(second);
    }
}
