//! The table: for each scenario and proxy the median of the rounds with its range, and the ratio to HAProxy. A ratio is that
//! of each round, its two figures taken seconds apart, and then the median of these; so what changes slowly on the machine
//! cancels. Rounds with faults give no ratio.

use crate::peers::Peer;
use crate::round::Round;
use crate::scenario::Scenario;
use crate::statistics::{Spread, spread};

/// Work of others, in cores, above which a round is called disturbed.
const DISTURBED: f64 = 0.05;

/// All rounds of a scenario: one for each proxy, in the order of [`Peer::ALL`].
#[derive(Debug)]
pub struct Results {
    /// Which.
    pub scenario: Scenario,
    /// Its rounds.
    pub rounds: Vec<Vec<(Peer, Round)>>,
}

impl Results {
    fn of(&self, peer: Peer) -> impl Iterator<Item = &Round> {
        let all = self.rounds.iter().flatten();
        all.filter(move |(who, _)| *who == peer)
            .map(|(_, round)| round)
    }

    fn spread(&self, peer: Peer, value: impl Fn(&Round) -> f64) -> Option<Spread> {
        spread(self.of(peer).map(value))
    }

    /// The ratio to HAProxy of the CPU time for a request; `None` where a round had faults.
    fn ratio(&self, peer: Peer) -> Option<Spread> {
        if self.faults() > 0 {
            return None;
        }
        let rounds = self.of(peer).zip(self.of(Peer::Haproxy));
        spread(rounds.map(|(one, haproxy)| one.cpu_micros / haproxy.cpu_micros))
    }

    fn faults(&self) -> u64 {
        self.rounds
            .iter()
            .flatten()
            .map(|(_, round)| round.faults)
            .sum()
    }

    /// Its part of the table, in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("### {}\n\n", self.scenario.title());
        text += "| | CPU µs/request | ÷ HAProxy | requests/s | p50 ms | p99 ms | faults |\n";
        text += "|---|---|---|---|---|---|---|\n";
        for peer in Peer::ALL {
            text += &self.row(peer);
        }
        text + &self.remarks()
    }

    fn row(&self, peer: Peer) -> String {
        let figure = |value: fn(&Round) -> f64, digits| ranged(self.spread(peer, value), digits);
        let faults: u64 = self.of(peer).map(|round| round.faults).sum();
        format!(
            "| {peer} | {} | {} | {} | {} | {} | {faults} |\n",
            figure(|round| round.cpu_micros, 1),
            ranged(self.ratio(peer), 2),
            figure(|round| round.per_second, 0),
            figure(|round| round.p50_micros / 1000.0, 2),
            figure(|round| round.p99_micros / 1000.0, 2),
        )
    }

    /// What a reader must know before believing a figure.
    fn remarks(&self) -> String {
        let mut text = String::new();
        let faults = self.faults();
        if faults > 0 {
            let shown = self.rounds.iter().flatten().flat_map(|(peer, round)| {
                let of_peer = move |fault| format!("{peer}: {fault}");
                round.shown.iter().map(of_peer)
            });
            let shown: Vec<String> = shown.take(5).collect();
            text += &format!("\nNo ratios: {faults} faults ({}).\n", shown.join("; "));
        }
        let turns = || self.rounds.iter().flatten().map(|(_, round)| round.others);
        let disturbed = turns().filter(|others| *others > DISTURBED).count();
        if disturbed > 0 {
            text += &format!(
                "\nDisturbed: in {disturbed} of {} turns others used more than {DISTURBED} cores (up to {:.2}).\n",
                turns().count(),
                turns().fold(0.0, f64::max)
            );
        }
        text
    }
}

/// A median with its range; a dash where there is nothing to say.
fn ranged(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("–".to_owned(), |Spread { median, min, max }| {
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(cpu_micros: f64, faults: u64) -> Round {
        Round {
            cpu_micros,
            per_second: 1000.0,
            p50_micros: 500.0,
            p99_micros: 900.0,
            others: 0.0,
            faults,
            shown: Vec::new(),
        }
    }

    fn results(rounds: &[[(f64, u64); 2]]) -> Results {
        let one = |[bascule, haproxy]: &[(f64, u64); 2]| {
            vec![
                (Peer::Bascule, round(bascule.0, bascule.1)),
                (Peer::Haproxy, round(haproxy.0, haproxy.1)),
            ]
        };
        Results {
            scenario: Scenario::Http1,
            rounds: rounds.iter().map(one).collect(),
        }
    }

    #[test]
    fn a_ratio_is_taken_within_a_round_before_the_median() {
        // The machine was twice as slow in the second round; the ratio was the same.
        let results = results(&[[(5.0, 0), (10.0, 0)], [(10.0, 0), (20.0, 0)]]);
        let even = Spread {
            median: 0.5,
            min: 0.5,
            max: 0.5,
        };
        assert_eq!(results.ratio(Peer::Bascule), Some(even));
        assert!(
            results
                .table()
                .contains("| bascule | 7.5 (5.0–10.0) | 0.50 (0.50–0.50) |")
        );
    }

    #[test]
    fn a_round_with_faults_gives_no_ratio_and_says_so() {
        let results = results(&[[(5.0, 0), (10.0, 0)], [(5.0, 3), (10.0, 0)]]);
        assert_eq!(results.ratio(Peer::Bascule), None);
        assert!(results.table().contains("No ratios: 3 faults"));
    }

    #[test]
    fn a_disturbed_round_is_named() {
        let mut results = results(&[[(5.0, 0), (10.0, 0)]]);
        assert!(!results.table().contains("Disturbed"));
        results.rounds[0][0].1.others = 0.4;
        assert!(results.table().contains("Disturbed: in 1 of 2 turns"));
    }
}
