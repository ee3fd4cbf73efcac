//! A service with traffic in virtual time: requests come at a constant rate whatever happens (open loop), go in turn to the
//! endpoints that are in, and are answered as each endpoint is set to answer. Trials go to whom they are granted for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::signal::latency_bucket;
use bascule_model::{
    EndpointId, EndpointTotals, FailureClass, Instant, ObservedState, Rng, Scheme,
};

use crate::passive::{
    Action, Input, LOOK_AGAIN, LOOK_EVERY, OutlierPolicy, Passive, Sight, Watched,
};

pub(in crate::passive) fn id(provider: &str, number: u16) -> Arc<EndpointId> {
    Arc::new(EndpointId {
        service: "meet".parse().unwrap(),
        backend: provider.parse().unwrap(),
        scheme: Scheme::Http,
        host: None,
        address: format!("10.0.0.1:{number}").parse().unwrap(),
    })
}

pub(in crate::passive) fn watched(id: &Arc<EndpointId>, policy: OutlierPolicy) -> Watched {
    Watched {
        id: Arc::clone(id),
        provider: id.backend.as_str().parse().unwrap(),
        takes_new: true,
        policy: Arc::new(policy),
    }
}

/// How an endpoint answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::passive) struct Answers {
    /// So many of ten thousand tries fail.
    pub(in crate::passive) failing: u64,
    pub(in crate::passive) class: FailureClass,
    pub(in crate::passive) latency: Duration,
}

pub(in crate::passive) const WELL: Answers = Answers {
    failing: 0,
    class: FailureClass::Unavailable,
    latency: Duration::from_millis(20),
};

pub(in crate::passive) const fn failing(basis_points: u64) -> Answers {
    Answers {
        failing: basis_points,
        ..WELL
    }
}

/// One endpoint as it is.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::passive) struct Server {
    pub(in crate::passive) id: Arc<EndpointId>,
    pub(in crate::passive) answers: Answers,
    pub(in crate::passive) checks: ObservedState,
    pub(in crate::passive) totals: EndpointTotals,
}

/// A request that was sent somewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::passive) struct Sent {
    pub(in crate::passive) at: Instant,
    pub(in crate::passive) to: usize,
    pub(in crate::passive) trial: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::passive) struct World {
    pub(in crate::passive) passive: Passive,
    pub(in crate::passive) now: Instant,
    pub(in crate::passive) servers: Vec<Server>,
    pub(in crate::passive) policy: OutlierPolicy,
    /// Between two requests.
    pub(in crate::passive) gap: Duration,
    pub(in crate::passive) sent: Vec<Sent>,
    /// How long trials go without an answer.
    pub(in crate::passive) silence: Duration,
    /// Trials that wait for one: of whom, and whether they fail.
    waiting: VecDeque<(Instant, usize, bool)>,
    /// What was said, but trials.
    pub(in crate::passive) told: Vec<(Instant, Action)>,
    tickets: VecDeque<Arc<EndpointId>>,
    rng: Rng,
    turn: usize,
    request_at: Instant,
    look_at: Instant,
    looked_at: Instant,
}

impl World {
    /// Two providers with so many endpoints each, at 200 requests a second, with a minute of good history.
    pub(in crate::passive) fn of(endpoints: &[(&str, u16)]) -> Self {
        Self::at_rate(endpoints, Duration::from_millis(5))
    }

    pub(in crate::passive) fn at_rate(endpoints: &[(&str, u16)], gap: Duration) -> Self {
        let servers = endpoints.iter().map(|(provider, number)| Server {
            id: id(provider, *number),
            answers: WELL,
            checks: ObservedState::Up,
            totals: EndpointTotals::default(),
        });
        let now = Instant::from_millis(1_000_000);
        let mut world = Self {
            passive: Passive::new(),
            now,
            servers: servers.collect(),
            policy: OutlierPolicy::default(),
            gap,
            sent: Vec::new(),
            silence: Duration::ZERO,
            waiting: VecDeque::new(),
            told: Vec::new(),
            tickets: VecDeque::new(),
            rng: Rng::new(7),
            turn: 0,
            request_at: now,
            look_at: now,
            looked_at: now,
        };
        world.aim();
        for index in 0..world.servers.len() {
            world.checks(index, ObservedState::Up);
        }
        world
    }

    /// Sets the targets anew.
    pub(in crate::passive) fn aim(&mut self) {
        let targets = self.servers.iter().map(|s| watched(&s.id, self.policy));
        self.passive.set_targets(self.now, targets.collect());
        self.collect();
    }

    pub(in crate::passive) fn answer(&mut self, servers: &[usize], answers: Answers) {
        for index in servers {
            self.servers[*index].answers = answers;
        }
    }

    /// The checks of an endpoint say this, as of now.
    pub(in crate::passive) fn checks(&mut self, index: usize, state: ObservedState) {
        self.servers[index].checks = state;
        let id = Arc::clone(&self.servers[index].id);
        // Failures came before the one that changed it; so far ago that an answer may have come since.
        let began = Instant::from_nanos(self.now.as_nanos() - 1_000_000_000);
        self.passive
            .handle(self.now, Input::Checks { id, state, began });
        self.collect();
    }

    pub(in crate::passive) fn sight(&self, index: usize) -> Sight {
        self.passive.sight(&self.servers[index].id)
    }

    pub(in crate::passive) fn is_out(&self, index: usize) -> bool {
        self.sight(index).ejection.is_some()
    }

    /// Whether requests go there.
    fn is_in(&self, index: usize) -> bool {
        let sight = self.sight(index);
        let up = sight.held || self.servers[index].checks != ObservedState::Down;
        up && sight.ejection.is_none()
    }

    pub(in crate::passive) fn out(&self) -> Vec<usize> {
        (0..self.servers.len())
            .filter(|i| self.is_out(*i))
            .collect()
    }

    /// Lets time pass, with traffic, looks and trials.
    pub(in crate::passive) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        loop {
            let due = self.passive.poll_timeout();
            let next = [Some(self.request_at), Some(self.look_at), due]
                .into_iter()
                .flatten()
                .min();
            let next = next.unwrap_or(end).max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            while let Some((_, to, fails)) = self.waiting.pop_front_if(|(at, ..)| *at <= next) {
                answer_trial(&mut self.servers[to], fails);
            }
            if self.request_at <= next {
                self.request();
                self.request_at = next + self.gap;
            }
            if self.look_at <= next {
                self.look();
            }
            if due.is_some_and(|due| due <= next) {
                self.passive.handle_timeout(next);
                self.collect();
            }
        }
    }

    /// Runs until something holds; how long that took.
    pub(in crate::passive) fn until(&mut self, holds: impl Fn(&Self) -> bool) -> Duration {
        let started = self.now;
        while !holds(self) {
            assert!(self.now.since(started) < Duration::from_secs(600), "never");
            self.run(Duration::from_millis(1));
        }
        self.now.since(started)
    }

    fn look(&mut self) {
        let totals = self
            .servers
            .iter()
            .map(|s| (Arc::clone(&s.id), s.totals))
            .collect();
        self.passive.handle(self.now, Input::Traffic(totals));
        self.looked_at = self.now;
        self.look_at = self.now + LOOK_EVERY;
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(action) = self.passive.poll_action() {
            match action {
                Action::Trial { id } => self.tickets.push_back(id),
                other => self.told.push((self.now, other)),
            }
        }
    }

    fn request(&mut self) {
        let ticket = self.tickets.pop_front();
        let of_ticket = |id: Arc<EndpointId>| self.servers.iter().position(|s| s.id == id);
        let trial = ticket.and_then(of_ticket);
        let to = trial.or_else(|| {
            let count = self.servers.len();
            let order = (1..=count).map(|step| (self.turn + step) % count);
            let found = order.into_iter().find(|index| self.is_in(*index));
            self.turn = found.unwrap_or(self.turn);
            found
        });
        let Some(to) = to else { return };
        self.sent.push(Sent {
            at: self.now,
            to,
            trial: trial.is_some(),
        });
        let server = &mut self.servers[to];
        let fails = self.rng.below(10_000) < server.answers.failing;
        if trial.is_some() && !self.silence.is_zero() {
            server.totals.trials.begun += 1;
            let answered = (self.now + self.silence, to, fails);
            self.waiting.push_back(answered);
        } else {
            count(server, trial.is_some(), fails);
        }
        if fails {
            self.look_at = self.look_at.min(self.looked_at + LOOK_AGAIN).max(self.now);
        }
    }

    /// Requests and trials that went to these endpoints within the last `length`.
    pub(in crate::passive) fn sent_to(&self, servers: &[usize], length: Duration) -> usize {
        let recent = |sent: &&Sent| self.now.since(sent.at) < length;
        let those = self.sent.iter().rev().take_while(recent);
        those.filter(|sent| servers.contains(&sent.to)).count()
    }

    /// The most that went to these endpoints in any second from `from` on.
    pub(in crate::passive) fn peak(&self, servers: &[usize], from: Instant) -> usize {
        let those: Vec<Instant> = self
            .sent
            .iter()
            .filter(|sent| sent.at >= from && servers.contains(&sent.to))
            .map(|sent| sent.at)
            .collect();
        let second = Duration::from_secs(1);
        let in_second = |start: &Instant| {
            let inside = |at: &&Instant| *at >= start && at.since(*start) < second;
            those.iter().filter(inside).count()
        };
        those.iter().map(in_second).max().unwrap_or(0)
    }
}

pub(in crate::passive) fn count(server: &mut Server, trial: bool, fails: bool) {
    let totals = &mut server.totals;
    let latency = server.answers.latency;
    match (trial, fails) {
        (true, _) => {
            totals.trials.begun += 1;
            answer_trial(server, fails);
        }
        (false, true) => totals.failures[server.answers.class.index()] += 1,
        (false, false) => {
            totals.answers += 1;
            totals.latency[latency_bucket(latency)] += 1;
        }
    }
}

fn answer_trial(server: &mut Server, fails: bool) {
    let latency = server.answers.latency;
    let trials = &mut server.totals.trials;
    if fails {
        trials.failed += 1;
    } else {
        trials.passed += 1;
        trials.latency_nanos += u64::try_from(latency.as_nanos()).unwrap();
    }
}
