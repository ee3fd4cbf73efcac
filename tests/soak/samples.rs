//! Memory and descriptors of the daemon over time, and whether they are flat. Decides by the median of whole rounds, since
//! each has the same traffic: a line through all samples would follow whichever attack came last.

use bascule_testkit::Daemon;

use crate::tally::say;

/// How much higher the median of the last round may be than that of the first round of the second half, in KiB.
///
/// Below it is what an allocator makes of the same traffic in another order: in runs of a minute it rose by less than
/// 2 MiB. Between the two medians of ten minutes lie a third of all connections, about a hundred thousand, and as many
/// requests of good clients and of attackers: a leak of 100 bytes with each is above it.
const RESIDENT_KIB_RISE_MAX: u64 = 8 * 1024;

/// The same for descriptors. A third of what one attack opens at once, which may be counted in one round and missed in
/// another; a descriptor that leaks with one connection in a thousand is above it, and none at all may be left when a
/// round is over.
const DESCRIPTORS_RISE_MAX: u64 = 10;

/// What was measured, round by round.
#[derive(Debug)]
pub(crate) struct Samples {
    done: Vec<Round>,
    now: Round,
    rounds: u32,
}

/// The samples of one round.
#[derive(Debug, Default, Clone)]
pub(crate) struct Round {
    resident_kib: Vec<u64>,
    descriptors: Vec<u64>,
}

impl Round {
    /// The median and the highest, of KiB.
    pub(crate) fn resident_kib(&self) -> (u64, u64) {
        median_and_most(&self.resident_kib)
    }

    /// The median and the highest number of descriptors.
    pub(crate) fn descriptors(&self) -> (u64, u64) {
        median_and_most(&self.descriptors)
    }
}

impl Samples {
    pub(crate) fn start(rounds: u32) -> Self {
        Self {
            done: Vec::new(),
            now: Round::default(),
            rounds,
        }
    }

    /// Takes one.
    pub(crate) fn take(&mut self, daemon: &Daemon) {
        let descriptors = daemon.descriptors().unwrap();
        self.now.resident_kib.push(daemon.resident_kib().unwrap());
        self.now.descriptors.push(descriptors as u64);
    }

    /// The round that goes on.
    pub(crate) const fn round(&self) -> &Round {
        &self.now
    }

    pub(crate) fn end_round(&mut self) {
        self.done.push(std::mem::take(&mut self.now));
    }

    /// Prints by how much memory and descriptors rose over the second half.
    pub(crate) fn tell(&self) {
        let (resident, descriptors) = self.rises();
        say(&format!(
            "second half, last third against first: memory {resident:+} KiB (at most {RESIDENT_KIB_RISE_MAX}), \
             descriptors {descriptors:+} (at most {DESCRIPTORS_RISE_MAX})"
        ));
    }

    /// Over the second half nothing rose by more than the bounds.
    #[track_caller]
    pub(crate) fn assert_flat(&self) {
        let (resident, descriptors) = self.rises();
        assert!(
            resident <= RESIDENT_KIB_RISE_MAX.cast_signed(),
            "memory rose by {resident} KiB over the second half"
        );
        assert!(
            descriptors <= DESCRIPTORS_RISE_MAX.cast_signed(),
            "descriptors rose by {descriptors} over the second half"
        );
    }

    fn rises(&self) -> (i64, i64) {
        let resident = self.rise(|round| round.resident_kib().0);
        let descriptors = self.rise(|round| round.descriptors().0);
        (resident, descriptors)
    }

    /// By how much the last round is above the first of the second half.
    fn rise(&self, of: impl Fn(&Round) -> u64) -> i64 {
        let half = usize::try_from(self.rounds / 2).unwrap();
        let first = self.done.get(half).map(&of).unwrap();
        let last = self.done.last().map(&of).unwrap();
        last.cast_signed() - first.cast_signed()
    }
}

fn median_and_most(values: &[u64]) -> (u64, u64) {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied();
    (
        median.unwrap_or_default(),
        sorted.last().copied().unwrap_or_default(),
    )
}

/// Six rounds whose medians rise by this from one to the next.
fn rising(resident_kib: u64, descriptors: u64) -> Samples {
    let mut samples = Samples::start(6);
    for round in 0..6 {
        for noise in [0, 40_000, 3, 1, 2] {
            samples
                .now
                .resident_kib
                .push(60_000 + noise + round * resident_kib);
            samples
                .now
                .descriptors
                .push(50 + noise + round * descriptors);
        }
        samples.end_round();
    }
    samples
}

#[test]
fn a_level_that_only_leaps_is_flat() {
    rising(0, 0).assert_flat();
}

#[test]
#[should_panic(expected = "memory rose by 14000 KiB")]
fn memory_that_rises_from_round_to_round_is_not_flat() {
    rising(7_000, 0).assert_flat();
}

#[test]
#[should_panic(expected = "descriptors rose by 12")]
fn descriptors_that_rise_from_round_to_round_are_not_flat() {
    rising(0, 6).assert_flat();
}
