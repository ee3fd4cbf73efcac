//! What good clients and attackers saw, and the table of it. Judges good clients only: attackers are not served, they are
//! stood.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bascule_testkit::attack::Seen;
use bascule_testkit::bystander::Log;

use crate::samples::Samples;

/// The share of good requests that must be answered rightly, in thousandths.
const SUCCESS_PER_MILLE_MIN: usize = 999;
/// Failures that are shown.
const SHOWN_MAX: usize = 20;

/// One attack's turn.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) name: &'static str,
    pub(crate) seen: Arc<Seen>,
    pub(crate) good: Log,
}

/// All turns so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    round: Good,
    all: Good,
    rounds: u32,
    attacks: BTreeMap<&'static str, Bad>,
}

/// What good clients saw.
#[derive(Debug, Default)]
struct Good {
    log: Log,
}

/// What became of one kind of attack, over all rounds.
#[derive(Debug, Default)]
struct Bad {
    opened: u64,
    ended: u64,
    units: u64,
}

impl Good {
    fn add(&mut self, log: &Log) {
        self.log.took.extend_from_slice(&log.took);
        self.log.failures.extend_from_slice(&log.failures);
        self.log.wrong += log.wrong;
    }
}

impl Tally {
    pub(crate) fn add(&mut self, turn: Turn) {
        let under = |failure: &String| format!("under {}: {failure}", turn.name);
        let mut good = turn.good;
        good.failures = good.failures.iter().map(under).collect();
        self.round.add(&good);
        self.all.add(&good);
        let bad = self.attacks.entry(turn.name).or_default();
        bad.opened += turn.seen.opened();
        bad.ended += turn.seen.ended();
        bad.units += turn.seen.units();
    }

    /// Prints the round's line. `quiet_kib` is the memory now that all clients are gone.
    pub(crate) fn end_round(&mut self, samples: &Samples, quiet_kib: u64) {
        if self.rounds == 0 {
            say(
                "round  memory KiB: median  highest    quiet  descriptors: median  highest   good: requests  failed    p99 ms",
            );
        }
        self.rounds += 1;
        let (memory, memory_most) = samples.round().resident_kib();
        let (descriptors, descriptors_most) = samples.round().descriptors();
        let log = std::mem::take(&mut self.round).log;
        say(&format!(
            "{:>5}  {memory:>18} {memory_most:>8} {quiet_kib:>8}  {descriptors:>19} {descriptors_most:>8}  {:>15} {:>7} {:>9.1}",
            self.rounds,
            log.requests(),
            log.failures.len(),
            milliseconds(log.percentile(99)),
        ));
    }

    /// Prints what each attack came to.
    pub(crate) fn tell_attacks(&self) {
        say(&format!("{:<32} connections    ended     units", "attack"));
        for (
            name,
            Bad {
                opened,
                ended,
                units,
            },
        ) in &self.attacks
        {
            say(&format!("{name:<32} {opened:>11} {ended:>8} {units:>9}"));
        }
        let opened: u64 = self.attacks.values().map(|bad| bad.opened).sum();
        let units: u64 = self.attacks.values().map(|bad| bad.units).sum();
        let log = &self.all.log;
        say(&format!(
            "in all: {} good requests, {} failed, {} with wrong bytes; {opened} connections of attackers, {units} units",
            log.requests(),
            log.failures.len(),
            log.wrong,
        ));
    }

    /// At least 99.9 %, no wrong byte; and every attack took place.
    #[track_caller]
    pub(crate) fn assert_good_clients_were_served(&self) {
        let log = &self.all.log;
        let shown: Vec<_> = log.failures.iter().take(SHOWN_MAX).collect();
        assert_eq!(log.wrong, 0, "wrong bytes: {shown:#?}");
        assert!(
            log.took.len() * 1000 >= log.requests() * SUCCESS_PER_MILLE_MIN && log.requests() > 0,
            "{} of {} good requests failed: {shown:#?}",
            log.failures.len(),
            log.requests()
        );
        for (name, bad) in &self.attacks {
            assert!(bad.units > 0, "{name} never took place");
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// One line, past the capture of the test's output: these figures are worth seeing while it runs.
pub(crate) fn say(line: &str) {
    // A closed standard error is no reason to fail.
    drop(writeln!(std::io::stderr(), "{line}"));
}
