//! Our recorder behind the `metrics` facade. Each data-plane worker has cells of its own, written by it alone; they are
//! summed when somebody reads. Handles are built once, under `metrics::with_local_recorder`, and kept beside what they
//! measure; the macros are for rare things, as they look the cell up each time. Recording must never lock or allocate.
//! Read [`cell`](self) for the numbers, `text` for how they are written out.

mod cell;
mod process;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bascule_model::{Histogram, Timestamp};
use metrics::{Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::clock;
use cell::{CounterCell, GaugeCell, HistogramCell, Writers};

/// The labels of a series, sorted by name.
type Labels = Vec<(String, String)>;

#[derive(Clone)]
enum Slot {
    Counter(Arc<CounterCell>),
    Gauge(Arc<GaugeCell>),
    Histogram(Arc<HistogramCell>),
}

/// All series of one worker, or the shared ones.
struct Cells {
    writers: Writers,
    series: Mutex<BTreeMap<String, BTreeMap<Labels, Slot>>>,
}

impl Cells {
    fn new(writers: Writers) -> Arc<Self> {
        let series = Mutex::default();
        Arc::new(Self { writers, series })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<Labels, Slot>>> {
        // A panic between lock and unlock leaves a map that is still whole.
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of a key, made when it is new. A name used with two kinds keeps the first.
    fn slot(&self, key: &Key, make: impl FnOnce(Writers) -> Slot) -> Slot {
        let label = |l: &metrics::Label| (l.key().to_owned(), l.value().to_owned());
        let mut labels: Labels = key.labels().map(label).collect();
        labels.sort();
        let mut series = self.lock();
        let of_name = series.entry(key.name().to_owned()).or_default();
        let slot = of_name.entry(labels);
        slot.or_insert_with(|| make(self.writers)).clone()
    }
}

/// The sum of a series over all workers.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Histogram),
}

impl Value {
    fn zero(slot: &Slot) -> Self {
        match slot {
            Slot::Counter(_) => Self::Counter(0),
            Slot::Gauge(_) => Self::Gauge(0.0),
            Slot::Histogram(_) => Self::Histogram(Histogram::default()),
        }
    }

    fn add(&mut self, slot: &Slot) {
        match (self, slot) {
            (Self::Counter(sum), Slot::Counter(cell)) => *sum = sum.wrapping_add(cell.get()),
            (Self::Gauge(sum), Slot::Gauge(cell)) => *sum += cell.get(),
            (Self::Histogram(sum), Slot::Histogram(cell)) => cell.add_to(sum),
            // One name with two kinds: the first one seen is shown.
            _ => {}
        }
    }
}

struct Inner {
    shared: Arc<Cells>,
    workers: Mutex<Vec<Arc<Cells>>>,
    started: Timestamp,
}

/// All metrics of the process. Cheap to clone; all clones are one registry.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let workers = self.cells().len() - 1;
        f.debug_struct("Registry")
            .field("workers", &workers)
            .finish()
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// A registry without series.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            shared: Cells::new(Writers::Many),
            workers: Mutex::default(),
            started: clock::wall(),
        }))
    }

    /// A recorder with cells of its own. Its handles must be used by one thread only: two would lose counts.
    #[must_use]
    pub fn worker(&self) -> CellRecorder {
        let cells = Cells::new(Writers::One);
        let mut workers = self.0.workers.lock();
        let workers = workers.as_deref_mut();
        workers
            .unwrap_or_else(|poisoned| poisoned.get_mut())
            .push(Arc::clone(&cells));
        CellRecorder(cells)
    }

    /// The recorder of the shared cells, whose handles any thread may use.
    #[must_use]
    pub fn shared(&self) -> CellRecorder {
        CellRecorder(Arc::clone(&self.0.shared))
    }

    /// Makes the shared cells the process-wide default of the `metrics` macros. Gives back whether it is so now: the
    /// first registry wins.
    pub fn install_global(&self) -> bool {
        metrics::set_global_recorder(self.shared()).is_ok()
    }

    fn cells(&self) -> Vec<Arc<Cells>> {
        let mut cells = vec![Arc::clone(&self.0.shared)];
        let workers = self.0.workers.lock();
        cells.extend_from_slice(&workers.unwrap_or_else(PoisonError::into_inner));
        cells
    }

    /// The sums of all series of one name that have these labels among theirs.
    fn sums(&self, name: &str, filter: &[(&str, &str)]) -> BTreeMap<Labels, Value> {
        let mut sums: BTreeMap<Labels, Value> = BTreeMap::new();
        for cells in self.cells() {
            let series = cells.lock();
            let of_name = series.get(name).into_iter().flatten();
            for (labels, slot) in of_name.filter(|(labels, _)| has(labels, filter)) {
                let sum = sums.entry(labels.clone());
                sum.or_insert_with(|| Value::zero(slot)).add(slot);
            }
        }
        sums
    }

    /// The sum of the counters of this name that have these labels among theirs.
    #[must_use]
    pub fn counter(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let sums = self.sums(name, labels).into_values();
        sums.map(|value| if let Value::Counter(n) = value { n } else { 0 })
            .sum()
    }

    /// The sum of the gauges of this name that have these labels among theirs.
    #[must_use]
    pub fn gauge(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let sums = self.sums(name, labels).into_values();
        sums.map(|value| if let Value::Gauge(n) = value { n } else { 0.0 })
            .sum()
    }

    /// The histograms of this name that have these labels among theirs, merged.
    #[must_use]
    pub fn histogram(&self, name: &str, labels: &[(&str, &str)]) -> Histogram {
        let mut all = Histogram::default();
        for value in self.sums(name, labels).into_values() {
            if let Value::Histogram(one) = value {
                all.merge(&one);
            }
        }
        all
    }

    /// Forgets every series that has these labels among theirs, of every name: for a service or backend that is gone.
    /// Handles that still exist count into nothing from then on, so this comes after the last view that held them.
    /// An empty filter forgets nothing.
    pub fn forget(&self, labels: &[(&str, &str)]) {
        self.forget_where(labels, |_| true);
    }

    /// The same of one name, where others with these labels go on.
    pub fn forget_of(&self, name: &str, labels: &[(&str, &str)]) {
        self.forget_where(labels, |known| known == name);
    }

    /// All series of a name: for gauges that are set anew whenever somebody asks, and of which some may have no reason left.
    pub fn forget_name(&self, name: &str) {
        for cells in self.cells() {
            cells.lock().remove(name);
        }
    }

    fn forget_where(&self, labels: &[(&str, &str)], is_meant: impl Fn(&str) -> bool) {
        if labels.is_empty() {
            return;
        }
        for cells in self.cells() {
            let mut series = cells.lock();
            for (_, of_name) in series.iter_mut().filter(|(name, _)| is_meant(name)) {
                of_name.retain(|has_labels, _| !has(has_labels, labels));
            }
            series.retain(|_, of_name| !of_name.is_empty());
        }
    }

    /// All metrics in the Prometheus text format, version 0.0.4, with those of the process itself.
    #[must_use]
    pub fn render(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        for cells in self.cells() {
            names.extend(cells.lock().keys().cloned());
        }
        names.sort();
        names.dedup();
        let mut out = String::new();
        for name in names {
            text::family(&mut out, &name, &self.sums(&name, &[]));
        }
        process::render(&mut out, self.0.started);
        out
    }

    /// How many series [`render`](Self::render) writes, without those of the process.
    #[must_use]
    pub fn series_count(&self) -> usize {
        let lines = self.render();
        let ours = |line: &&str| !line.starts_with('#') && !line.starts_with("process_");
        lines.lines().filter(ours).count()
    }
}

fn has(labels: &Labels, filter: &[(&str, &str)]) -> bool {
    let found = |(k, v): &(&str, &str)| labels.iter().any(|(key, value)| key == k && value == v);
    filter.iter().all(found)
}

/// What makes handles: a worker's, or the shared one.
#[derive(Clone)]
pub struct CellRecorder(Arc<Cells>);

impl std::fmt::Debug for CellRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CellRecorder")
            .field(&self.0.writers)
            .finish()
    }
}

impl Recorder for CellRecorder {
    // Descriptions come from the table in `names`.
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let make = |writers| Slot::Counter(Arc::new(CounterCell::new(writers)));
        match self.0.slot(key, make) {
            Slot::Counter(cell) => metrics::Counter::from_arc(cell),
            Slot::Gauge(_) | Slot::Histogram(_) => metrics::Counter::noop(),
        }
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let make = |writers| Slot::Gauge(Arc::new(GaugeCell::new(writers)));
        match self.0.slot(key, make) {
            Slot::Gauge(cell) => metrics::Gauge::from_arc(cell),
            Slot::Counter(_) | Slot::Histogram(_) => metrics::Gauge::noop(),
        }
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let make = |writers| Slot::Histogram(Arc::new(HistogramCell::new(writers)));
        match self.0.slot(key, make) {
            Slot::Histogram(cell) => metrics::Histogram::from_arc(cell),
            Slot::Counter(_) | Slot::Gauge(_) => metrics::Histogram::noop(),
        }
    }
}

#[cfg(test)]
mod tests;
