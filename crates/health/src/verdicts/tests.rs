//! Checks and traffic together in virtual time; with agents in `agent`.

mod agent;

use bascule_model::{BasisPoints, Scheme};

use super::*;
use crate::passive::{self, LOOK_EVERY, Offence, OutlierPolicy};
use crate::{CheckFailure, CheckResult};
use ObservedState::{Down, Up};

const SECOND: Duration = Duration::from_secs(1);

/// Two endpoints of two providers, each of which answers checks and traffic as it is set to.
struct World {
    verdicts: Verdicts,
    now: Instant,
    ids: [Arc<EndpointId>; 2],
    totals: [EndpointTotals; 2],
    checks_pass: [bool; 2],
    traffic_fails: [bool; 2],
    moved: Vec<Transition>,
    open: Vec<(Arc<EndpointId>, CheckNumber)>,
    trials: Vec<Arc<EndpointId>>,
    /// What each agent says when it is asked; `None`: it cannot be reached.
    agents: [Option<&'static str>; 2],
    has_agents: bool,
    questions: Vec<(Arc<EndpointId>, CheckNumber)>,
    /// When a trial was seen to end, and whether it passed.
    tried: Vec<(Instant, bool)>,
}

/// Each has an address of its own: what has the same is one target, and checked as one.
fn id(backend: &str, address: &str) -> Arc<EndpointId> {
    Arc::new(EndpointId {
        service: "meet".parse().unwrap(),
        backend: backend.parse().unwrap(),
        scheme: Scheme::Http,
        host: None,
        address: address.parse().unwrap(),
    })
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            verdicts: Verdicts::new(7),
            now: Instant::from_millis(1_000_000),
            ids: [id("aws", "10.0.0.1:80"), id("oci", "10.1.0.1:80")],
            totals: [EndpointTotals::default(); 2],
            checks_pass: [true; 2],
            traffic_fails: [false; 2],
            moved: Vec::new(),
            open: Vec::new(),
            trials: Vec::new(),
            agents: [None; 2],
            has_agents: false,
            questions: Vec::new(),
            tried: Vec::new(),
        };
        world.aim(OutlierPolicy::default());
        world.run(20 * SECOND);
        world.moved.clear();
        world
    }

    fn aim(&mut self, policy: OutlierPolicy) {
        let check = Arc::new(CheckPolicy {
            interval: SECOND,
            jitter: BasisPoints::ZERO,
            agent: self.has_agents.then_some(crate::AgentPolicy {
                port: 9707,
                interval: SECOND,
            }),
            ..CheckPolicy::default()
        });
        let target = |id: &Arc<EndpointId>| Target {
            id: Arc::clone(id),
            policy: Arc::clone(&check),
            checked: true,
            trust: 0,
        };
        let watched = |id: &Arc<EndpointId>| Watched {
            id: Arc::clone(id),
            provider: id.backend.as_str().parse().unwrap(),
            takes_new: true,
            policy: Arc::new(policy),
        };
        let targets = self.ids.iter().map(target).collect();
        let watched = self.ids.iter().map(watched).collect();
        self.verdicts.set_targets(self.now, targets, watched);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(action) = self.verdicts.poll_action() {
            match action {
                Action::Check { id, check, .. } => self.open.push((id, check)),
                Action::AskAgent { id, check, .. } => self.questions.push((id, check)),
                Action::Trial { id } => self.trials.push(id),
                Action::Transition(transition) => self.moved.push(transition),
                Action::Told(passive::Action::Tried { passed, .. }) => {
                    self.tried.push((self.now, passed));
                }
                Action::AgentChanged { .. } | Action::Told(_) => {}
            }
        }
    }

    fn place(&self, id: &EndpointId) -> usize {
        self.ids.iter().position(|known| **known == *id).unwrap()
    }

    /// Answers the checks that are under way.
    fn answer_checks(&mut self) {
        for (id, check) in std::mem::take(&mut self.open) {
            let result = if self.checks_pass[self.place(&id)] {
                CheckResult::Passed
            } else {
                CheckResult::Failed(CheckFailure::Timeout)
            };
            let checked = judge::Input::Checked { check, result };
            self.verdicts.handle(self.now, Input::Check(checked));
            self.collect();
        }
    }

    /// Answers the questions to agents that are under way.
    fn answer_for_agents(&mut self) {
        for (id, check) in std::mem::take(&mut self.questions) {
            let line = self.agents[self.place(&id)];
            let said = line.and_then(|line| crate::AgentLine::read(line.as_bytes()));
            let answered = judge::Input::AgentAnswered { check, said };
            self.verdicts.handle(self.now, Input::Check(answered));
            self.collect();
        }
    }

    fn try_out(&mut self, id: &EndpointId) {
        let place = self.place(id);
        let fails = self.traffic_fails[place];
        let trials = &mut self.totals[place].trials;
        trials.begun += 1;
        trials.failed += u64::from(fails);
        trials.passed += u64::from(!fails);
    }

    fn request(&mut self, place: usize) {
        let verdict = self.verdict(place);
        let by_agent = verdict.agent.is_some_and(|agent| agent.takes_out());
        let is_down = verdict.state == Down || by_agent;
        let totals = &mut self.totals[place];
        match (is_down, self.traffic_fails[place]) {
            (true, _) => {}
            (false, true) => totals.failures[FailureClass::Reset.index()] += 1,
            (false, false) => totals.answers += 1,
        }
    }

    /// A hundred requests a second, at those that are up; trials where they are granted.
    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        let mut look_at = self.now;
        while self.now < end {
            self.now = self.now + Duration::from_millis(10);
            self.verdicts.handle_timeout(self.now);
            self.collect();
            self.answer_checks();
            self.answer_for_agents();
            for id in std::mem::take(&mut self.trials) {
                self.try_out(&id);
            }
            for place in [0, 1] {
                self.request(place);
            }
            if self.now >= look_at {
                look_at = self.now + LOOK_EVERY;
                let totals = self.ids.iter().cloned().zip(self.totals).collect();
                self.verdicts.handle(self.now, Input::Traffic(totals));
                self.collect();
            }
        }
    }

    fn verdict(&self, place: usize) -> Verdict {
        let report = self.verdicts.report();
        report.endpoints[&self.ids[place]].clone()
    }

    fn states(&self) -> [ObservedState; 2] {
        [0, 1].map(|place| self.verdict(place).state)
    }
}

#[test]
fn what_traffic_takes_out_is_down_though_its_checks_pass_and_says_why() {
    let mut world = World::new();
    world.traffic_fails[1] = true;
    world.run(SECOND);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.by_checks), (Down, Up));
    let class = FailureClass::Reset;
    assert_eq!(verdict.reasons, [Reason::Failing { class }]);
    let offence = verdict.ejection.unwrap().offence;
    assert!(matches!(
        offence,
        Offence::Failing {
            class: FailureClass::Reset,
            ..
        }
    ));
    let moved: Vec<_> = world
        .moved
        .iter()
        .map(|m| (m.from, m.to, m.reason))
        .collect();
    assert_eq!(moved, [(Up, Down, Reason::Failing { class })]);
    assert_eq!(verdict.since, world.moved[0].at);
    world.run(60 * SECOND);
    assert_eq!(world.states(), [Up, Down], "for as long as it fails");
    assert_eq!(world.moved.len(), 1);
}

#[test]
fn once_trials_pass_it_is_up_again_and_its_ramp_began_with_the_last_that_failed() {
    let mut world = World::new();
    world.traffic_fails[1] = true;
    world.run(5 * SECOND);
    world.traffic_fails[1] = false;
    world.run(5 * SECOND);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.ejection), (Up, None));
    assert_eq!(world.moved[1].reason, Reason::TrialsPassed);
    let (failed, _) = *world.tried.iter().rfind(|(_, passed)| !passed).unwrap();
    assert_eq!(verdict.returned_at, Some(failed));
    assert!(verdict.since.since(failed) >= 3 * SECOND, "five trials");
}

#[test]
fn one_that_is_out_and_whose_checks_fail_too_is_up_only_when_both_are_well() {
    let mut world = World::new();
    (world.traffic_fails[1], world.checks_pass[1]) = (true, false);
    world.run(10 * SECOND);
    let verdict = world.verdict(1);
    assert_eq!((verdict.state, verdict.by_checks), (Down, Down));
    assert_eq!(
        verdict.reasons.first(),
        Some(&Reason::Failing {
            class: FailureClass::Reset
        })
    );
    assert!(verdict.reasons.contains(&Reason::Timeout));
    world.checks_pass[1] = true;
    world.run(10 * SECOND);
    assert_eq!(world.verdict(1).by_checks, Up);
    assert_eq!(world.states(), [Up, Down]);
    world.traffic_fails[1] = false;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Up]);
    assert_eq!(
        world.moved.len(),
        2,
        "one way down and one up: {:?}",
        world.moved
    );
}

#[test]
fn checks_that_fail_everywhere_while_traffic_succeeds_move_nothing_and_it_is_said() {
    let mut world = World::new();
    world.checks_pass = [false; 2];
    world.run(60 * SECOND);
    assert_eq!(world.states(), [Up, Up]);
    for place in 0..2 {
        let verdict = world.verdict(place);
        assert!(verdict.held);
        assert_eq!(verdict.reasons, [Reason::ChecksDoubted, Reason::Timeout]);
    }
    // The first of the two that went was believed until the other followed.
    assert!(world.moved.len() <= 2, "{:?}", world.moved);
    world.traffic_fails = [true; 2];
    world.run(5 * SECOND);
    assert_eq!(world.states(), [Down, Down], "they were right after all");
    let reasons: Vec<Reason> = world.moved.iter().rev().map(|moved| moved.reason).collect();
    assert_eq!(reasons[..2], [Reason::Timeout; 2], "as the checks say");
}

#[test]
fn what_was_held_up_has_not_been_away_when_its_checks_pass_again() {
    let mut world = World::new();
    world.checks_pass = [false; 2];
    world.run(60 * SECOND);
    let before = [0, 1].map(|place| world.verdict(place).returned_at);
    for place in [0, 1] {
        world.checks_pass[place] = true;
        world.run(4 * SECOND);
    }
    assert_eq!([0, 1].map(|place| world.verdict(place).by_checks), [Up, Up]);
    assert!([0, 1].iter().all(|place| !world.verdict(*place).held));
    let after = [0, 1].map(|place| world.verdict(place).returned_at);
    assert_eq!(before, after, "no ramp begins");
}

#[test]
fn a_service_that_traffic_does_not_judge_goes_by_its_checks() {
    let mut world = World::new();
    world.aim(OutlierPolicy {
        enabled: false,
        ..OutlierPolicy::default()
    });
    assert!(!world.verdicts.watches_traffic());
    world.traffic_fails[1] = true;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Up]);
    world.checks_pass[1] = false;
    world.run(10 * SECOND);
    assert_eq!(world.states(), [Up, Down]);
}

/// The time-out of the check that is asked for at once when traffic fails so at one endpoint.
fn timeout_of_check_after(classes: &[FailureClass]) -> Option<Duration> {
    let mut world = World::new();
    world.answer_checks();
    let failure = |class: &FailureClass| TrafficFailure {
        endpoint: Arc::clone(&world.ids[0]),
        class: *class,
    };
    let failures = classes.iter().map(failure).collect();
    world.verdicts.handle(world.now, Input::Failed(failures));
    let asked = std::iter::from_fn(|| world.verdicts.poll_action());
    let timeouts = asked.filter_map(|action| match action {
        Action::Check { policy, .. } => Some(policy.timeout),
        _ => None,
    });
    let timeouts: Vec<Duration> = timeouts.collect();
    assert!(timeouts.len() <= 1, "one check: {timeouts:?}");
    timeouts.first().copied()
}

#[test]
fn one_silence_among_failures_has_an_endpoint_checked_in_a_hurry_and_an_error_alone_has_it_not_checked()
 {
    use FailureClass::{Connect, Error, Reset, Timeout};
    let hurried = Some(Duration::from_millis(300));
    let table: [(&[FailureClass], Option<Duration>); 6] = [
        (&[], None),
        (&[Error], None),
        (&[Reset], Some(SECOND)),
        (&[Timeout], hurried),
        (&[Timeout, Connect, Error], hurried),
        (&[Error, Connect, Timeout], hurried),
    ];
    for (classes, timeout) in table {
        assert_eq!(timeout_of_check_after(classes), timeout, "{classes:?}");
    }
}
