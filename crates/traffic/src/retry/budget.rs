//! The budget of retries: a bucket over ten seconds. Retries must not become the load that kills what is left, and yet,
//! in the first moment after half a fleet is lost, every second request needs one; so what ten seconds grant may be spent
//! at once. In any ten seconds all workers together grant at most `ratio` of their requests, or the minimum if that is
//! more. Each worker counts in slots of its own in a [`Ledger`], and sums all of them only when something has failed: two
//! that do so in the same moment may grant one too many. Told the time; integers only.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bascule_model::Instant;

use crate::spec::RetryPolicy;

/// Seconds that the bucket reaches back.
const WINDOW: u64 = 10;
/// One slot a second: the current one and ten before, so that a retry is remembered for at least ten seconds.
const SLOTS: usize = 11;
const NANOS: u64 = 1_000_000_000;

/// What one worker counts in one second. A slot of another second than is asked for counts nothing.
#[derive(Debug, Default)]
struct Slot {
    second: AtomicU64,
    requests: AtomicU64,
    retries: AtomicU64,
}

/// The slots of one worker, written by it alone. Aligned, so that workers share no cache line.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Slots([Slot; SLOTS]);

/// What all workers count of one service.
#[derive(Debug)]
pub struct Ledger(Box<[Slots]>);

impl Ledger {
    /// Nothing has been counted.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| Slots::default()).collect())
    }

    /// Requests of the last ten seconds, and retries of the last eleven: both err to the side of refusing.
    fn sums(&self, second: u64) -> (u64, u64) {
        let (mut requests, mut retries) = (0, 0);
        for slot in self.0.iter().flat_map(|slots| &slots.0) {
            let age = second.saturating_sub(slot.second.load(Relaxed));
            if age <= WINDOW {
                retries += slot.retries.load(Relaxed);
            }
            if age < WINDOW {
                requests += slot.requests.load(Relaxed);
            }
        }
        (requests, retries)
    }
}

/// The retries that one worker may still grant to one service.
#[derive(Debug, Clone)]
pub struct Budget {
    ratio: u64,
    min: u64,
    ledger: Arc<Ledger>,
    worker: usize,
    /// The newest second it has seen. A time that lies back counts as now.
    second: u64,
}

impl Budget {
    /// The budget of worker `worker` of `workers` that count apart from all others: for one worker, and for tests.
    #[must_use]
    pub fn new(policy: &RetryPolicy, worker: usize, workers: usize) -> Self {
        Self::join(policy, worker, Arc::new(Ledger::new(workers)))
    }

    /// The budget of a worker that counts with others.
    #[must_use]
    pub fn join(policy: &RetryPolicy, worker: usize, ledger: Arc<Ledger>) -> Self {
        let mut budget = Self {
            ratio: 0,
            min: 0,
            ledger,
            worker,
            second: 0,
        };
        budget.set_policy(policy);
        budget
    }

    /// Another policy; what was counted stays.
    pub fn set_policy(&mut self, policy: &RetryPolicy) {
        self.ratio = u64::from(policy.budget_ratio.get());
        self.min = u64::from(policy.budget_min_per_second) * WINDOW;
    }

    /// Counts a request: its first try, never a later one.
    pub fn request(&mut self, now: Instant) {
        if let Some(slot) = self.slot(now) {
            let requests = slot.requests.load(Relaxed);
            slot.requests.store(requests.saturating_add(1), Relaxed);
        }
    }

    /// Grants a retry and charges for it, or refuses.
    pub fn take(&mut self, now: Instant) -> bool {
        let (ratio, min) = (self.ratio, self.min);
        self.second = self.second.max(now.as_nanos() / NANOS);
        let (requests, retries) = self.ledger.sums(self.second);
        let wanted = retries.saturating_add(1);
        let granted =
            wanted <= min || wanted.saturating_mul(10_000) <= requests.saturating_mul(ratio);
        if granted && let Some(slot) = self.slot(now) {
            let retries = slot.retries.load(Relaxed);
            slot.retries.store(retries.saturating_add(1), Relaxed);
        }
        granted
    }

    /// This worker's slot of the second of `now`, emptied if it was another second's.
    fn slot(&mut self, now: Instant) -> Option<&Slot> {
        self.second = self.second.max(now.as_nanos() / NANOS);
        let slots = u64::try_from(SLOTS).unwrap_or(1);
        let at = usize::try_from(self.second % slots).unwrap_or(0);
        let slot = self.ledger.0.get(self.worker)?.0.get(at)?;
        if slot.second.load(Relaxed) != self.second {
            slot.requests.store(0, Relaxed);
            slot.retries.store(0, Relaxed);
            slot.second.store(self.second, Relaxed);
        }
        Some(slot)
    }
}
