//! The numbers behind metric handles. A worker's cells have one writer, so adding is a load and a store of a line that no
//! other core writes; the shared cells have many writers and add atomically. Reading never stops a writer. A number is
//! always whole; numbers of different cells may be of slightly different moments.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bascule_model::Histogram;
use bascule_model::histogram::{BUCKETS, bucket_of};
use crossbeam_utils::CachePadded;

/// How many writers a cell has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writers {
    /// One thread: that of the worker whose recorder made the handle.
    One,
    /// Any.
    Many,
}

impl Writers {
    fn add(self, cell: &AtomicU64, value: u64) {
        match self {
            Self::One => cell.store(cell.load(Relaxed).wrapping_add(value), Relaxed),
            Self::Many => {
                cell.fetch_add(value, Relaxed);
            }
        }
    }

    fn change(self, cell: &AtomicU64, by: f64) {
        let changed = |bits| (f64::from_bits(bits) + by).to_bits();
        match self {
            Self::One => cell.store(changed(cell.load(Relaxed)), Relaxed),
            Self::Many => {
                // The closure always gives a value, so this cannot fail.
                let (Ok(_) | Err(_)) =
                    cell.fetch_update(Relaxed, Relaxed, |bits| Some(changed(bits)));
            }
        }
    }
}

/// A number that only grows.
#[derive(Debug)]
pub(super) struct CounterCell {
    writers: Writers,
    value: CachePadded<AtomicU64>,
}

impl CounterCell {
    pub(super) fn new(writers: Writers) -> Self {
        let value = CachePadded::default();
        Self { writers, value }
    }

    pub(super) fn get(&self) -> u64 {
        self.value.load(Relaxed)
    }
}

impl metrics::CounterFn for CounterCell {
    fn increment(&self, value: u64) {
        self.writers.add(&self.value, value);
    }

    fn absolute(&self, value: u64) {
        self.value.fetch_max(value, Relaxed);
    }
}

/// A number that rises and falls.
#[derive(Debug)]
pub(super) struct GaugeCell {
    writers: Writers,
    bits: CachePadded<AtomicU64>,
}

impl GaugeCell {
    pub(super) fn new(writers: Writers) -> Self {
        let bits = CachePadded::default();
        Self { writers, bits }
    }

    pub(super) fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Relaxed))
    }
}

impl metrics::GaugeFn for GaugeCell {
    fn increment(&self, value: f64) {
        self.writers.change(&self.bits, value);
    }

    fn decrement(&self, value: f64) {
        self.writers.change(&self.bits, -value);
    }

    fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
    }
}

/// Counts by bucket, and the sum in nanoseconds.
#[derive(Debug)]
struct Buckets {
    counts: Box<[AtomicU64]>,
    sum_nanos: AtomicU64,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum_nanos: AtomicU64::new(0),
        }
    }
}

/// Durations, by the buckets of [`bascule_model::Histogram`]. Takes no memory for them before the first one.
#[derive(Debug)]
pub(super) struct HistogramCell {
    writers: Writers,
    buckets: CachePadded<OnceLock<Buckets>>,
}

impl HistogramCell {
    pub(super) fn new(writers: Writers) -> Self {
        let buckets = CachePadded::default();
        Self { writers, buckets }
    }

    /// Adds what was recorded so far to `sum`.
    pub(super) fn add_to(&self, sum: &mut Histogram) {
        let Some(buckets) = self.buckets.get() else {
            return;
        };
        for (bucket, count) in buckets.counts.iter().enumerate() {
            match count.load(Relaxed) {
                0 => {}
                count => sum.add_bucket(bucket, count),
            }
        }
        sum.add_sum(Duration::from_nanos(buckets.sum_nanos.load(Relaxed)));
    }
}

impl metrics::HistogramFn for HistogramCell {
    fn record(&self, seconds: f64) {
        // Negative or not a number: a duration that is not one counts as none.
        let value = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO);
        let buckets = self.buckets.get_or_init(Buckets::default);
        if let Some(count) = buckets.counts.get(bucket_of(value)) {
            self.writers.add(count, 1);
        }
        let nanos = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.writers.add(&buckets.sum_nanos, nanos);
    }
}
