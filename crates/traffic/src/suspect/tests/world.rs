//! Two providers with two endpoints each, two workers, 200 requests a second, in virtual time. One provider fails in one
//! way for a while; what clients and endpoints see is counted.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{Instant, Rng};

use super::at;
use crate::pick::Gate;
use crate::suspect::{Outcome, Repeatable, Standing, Suspicion};

const WORKERS: usize = 2;
/// The failing provider has the first two.
const ENDPOINTS: usize = 4;
const FAILING: usize = 2;
const EVERY: Duration = Duration::from_millis(5);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Refuses,
    Answers503,
    Half,
}

/// What was counted.
#[derive(Default)]
struct Seen {
    /// When the failing provider got requests, while it failed.
    asked: Vec<Instant>,
    /// When a client saw an error.
    errors: Vec<Instant>,
    /// When all its endpoints were open again.
    back: Option<Instant>,
}

struct World {
    rng: Rng,
    standings: Vec<Arc<Standing>>,
    /// By worker, then by endpoint.
    suspicions: Vec<Vec<Suspicion>>,
    turn: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let standings: Vec<Arc<Standing>> = (0..ENDPOINTS).map(|_| Arc::default()).collect();
        let of_worker = |_| standings.iter().cloned().map(Suspicion::new).collect();
        Self {
            rng: Rng::new(seed),
            suspicions: (0..WORKERS).map(of_worker).collect(),
            standings,
            turn: 0,
        }
    }

    /// The two providers by turns, their endpoints by turns; past what is suspected; a second try is nobody's trial.
    fn pick(&mut self, now: Instant, tried: Option<usize>) -> usize {
        self.turn += 1;
        let provider = match tried {
            Some(tried) => 1 - tried / FAILING,
            None => self.turn % 2,
        };
        let own = [0, 1].map(|at| provider * FAILING + (self.turn / 2 + at) % FAILING);
        let others = [0, 1].map(|at| (1 - provider) * FAILING + (self.turn / 2 + at) % FAILING);
        let gate = |at: usize| self.standings[at].gate(now, Repeatable::Yes);
        let trial = own.into_iter().find(|at| gate(*at) == Gate::Trial);
        if let Some(trial) = trial.filter(|_| tried.is_none()) {
            assert!(self.standings[trial].take_trial(now));
            return trial;
        }
        let mut all = own.into_iter().chain(others);
        all.find(|at| gate(*at) == Gate::Open).unwrap_or(own[0])
    }

    /// One try; whether it went well.
    fn try_at(
        &mut self,
        now: Instant,
        endpoint: usize,
        fault: Option<Fault>,
        seen: &mut Seen,
    ) -> bool {
        let worker = usize::try_from(self.rng.below(2)).unwrap();
        let fails = endpoint < FAILING
            && match fault {
                None => false,
                Some(Fault::Half) => self.rng.below(2) == 0,
                Some(_) => true,
            };
        if endpoint < FAILING && fault.is_some() {
            seen.asked.push(now);
        }
        let outcome = match (fails, fault) {
            (false, _) => Outcome::Good,
            (true, Some(Fault::Refuses)) => Outcome::Refused,
            (true, _) => Outcome::Failed { retry_after: None },
        };
        let ended = now + Duration::from_millis(1);
        self.suspicions[worker][endpoint].handle(ended, now, outcome);
        !fails
    }

    /// One request, with a second try where the first fails; whether its client gets an answer.
    fn ask(&mut self, now: Instant, fault: Option<Fault>, seen: &mut Seen) -> bool {
        let first = self.pick(now, None);
        if self.try_at(now, first, fault, seen) {
            return true;
        }
        let second = self.pick(now, Some(first));
        self.try_at(now, second, fault, seen)
    }

    fn run(mut self, fault: Fault) -> Seen {
        let mut seen = Seen::default();
        let mut now = at(0);
        while now < at(60_000) {
            let failing = (at(10_000)..at(30_000)).contains(&now).then_some(fault);
            if !self.ask(now, failing, &mut seen) {
                seen.errors.push(now);
            }
            let all_open = || {
                self.standings
                    .iter()
                    .all(|s| s.gate(now, Repeatable::Yes) == Gate::Open)
            };
            if now >= at(30_000) && seen.back.is_none() && all_open() {
                seen.back = Some(now);
            }
            now = now + EVERY;
        }
        seen
    }
}

fn asked_between(seen: &Seen, from: u64, to: u64) -> usize {
    seen.asked
        .iter()
        .filter(|t| (at(from)..at(to)).contains(t))
        .count()
}

#[test]
fn what_refuses_or_answers_503_is_quiet_after_150_ms_and_back_within_two_seconds() {
    for fault in [Fault::Refuses, Fault::Answers503] {
        for seed in 0..64 {
            let seen = World::new(seed).run(fault);
            assert_eq!(seen.errors, [], "{fault:?} {seed}");
            assert_eq!(asked_between(&seen, 10_150, 11_000), 0, "{fault:?} {seed}");
            let most = (10_150..30_000).step_by(10);
            let most = most
                .map(|from| asked_between(&seen, from, from + 990))
                .max();
            // One for each of the two endpoints.
            assert_eq!(most, Some(2), "{fault:?} {seed}");
            let back = seen.back.unwrap().since(at(30_000));
            assert!(back <= Duration::from_secs(2), "{fault:?} {seed}: {back:?}");
        }
    }
}

#[test]
fn what_answers_half_of_its_requests_with_errors_is_quiet_but_for_trials_and_back_within_five_seconds()
 {
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    for seed in 0..64 {
        let seen = World::new(seed).run(Fault::Half);
        assert_eq!(seen.errors, [], "{seed}");
        asked += asked_between(&seen, 10_300, 30_000);
        slowest = slowest.max(seen.back.unwrap().since(at(30_000)));
    }
    // Two endpoints have a trial a second each. Half of the trials go well, so now and then four in a row do, and it takes a request or two to see through that.
    let a_second = f64::from(u32::try_from(asked).unwrap()) / 64.0 / 19.7;
    assert!(a_second <= 2.4, "{a_second} requests a second");
    assert!(slowest <= Duration::from_secs(5), "{slowest:?}");
}
