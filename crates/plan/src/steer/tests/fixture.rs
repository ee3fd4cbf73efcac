//! A small world for tests: services with a policy, and an edge, a disk and probes that answer as told, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_model::histogram::bucket_of;
use bascule_model::{
    BackendName, BackendSignal, BasisPoints, Histogram, Instant, ServiceName, Shares, Targets,
    Timestamp,
};

use crate::command::{Command, Pace, Refusal, Request};
use crate::policy::{BackendFacts, ServiceFacts, ServicePolicy};
use crate::steer::{
    BackendHealth, Effect, Event, Facts, Health, Notice, Now, Persisted, Probes, Record, Steer,
};
use crate::view::{Accepted, HistoryEntry, ShiftView};

pub(in crate::steer) fn name(text: &str) -> BackendName {
    text.parse().unwrap()
}

pub(in crate::steer) fn row(shares: &[(&str, u64)]) -> Shares {
    Shares::from_weights(shares.iter().map(|(n, s)| (name(n), *s))).unwrap()
}

/// A service whose backends are their own providers.
pub(in crate::steer) fn facts(weights: &[(&str, u64)]) -> ServiceFacts {
    let backend = |(n, _): &(&str, u64)| {
        let facts = BackendFacts {
            provider: n.parse().unwrap(),
            off: false,
            standby: false,
        };
        (name(n), facts)
    };
    ServiceFacts {
        declared: row(weights),
        backends: weights.iter().map(backend).collect(),
        policy: ServicePolicy::default(),
    }
}

/// A process with one edge, in virtual time: it performs effects and makes traffic by the rows that were published.
pub(in crate::steer) struct Sim {
    pub steer: Steer,
    pub now: Now,
    pub facts: Facts,
    /// Requests a second of each service.
    pub rate: u64,
    /// Errors of a backend, in percent.
    pub errors: BTreeMap<BackendName, u64>,
    /// Time to answer of a backend; 10 ms when not given.
    pub latency: BTreeMap<BackendName, Duration>,
    /// Requests that run on a backend.
    pub in_flight: BTreeMap<BackendName, u64>,
    pub health: Health,
    /// The disk refuses.
    pub disk_full: bool,
    /// The edge does not take new targets.
    pub edge_stuck: bool,
    /// The last record on disk.
    pub disk: Persisted,
    pub history: Vec<HistoryEntry>,
    pub replies: Vec<(u64, Result<Accepted, Refusal>)>,
    pub notices: Vec<Notice>,
    /// Rows as the edge used them, of the service `meet`.
    pub rows: Vec<String>,
    pub edge: Targets,
    totals: BTreeMap<(ServiceName, BackendName), BackendSignal>,
    requests: u64,
}

impl Sim {
    pub(in crate::steer) fn new(services: &[(&str, ServiceFacts)]) -> Self {
        let facts: Facts = services
            .iter()
            .map(|(n, facts)| (n.parse().unwrap(), facts.clone()))
            .collect();
        let now = Now {
            instant: Instant::from_millis(0),
            wall: Timestamp::from_millis(1_700_000_000_000),
        };
        let mut sim = Self {
            steer: Steer::restore(now, Persisted::default(), facts.clone()),
            now,
            facts,
            rate: 200,
            errors: BTreeMap::new(),
            latency: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            health: Health::new(),
            disk_full: false,
            edge_stuck: false,
            disk: Persisted::default(),
            history: Vec::new(),
            replies: Vec::new(),
            notices: Vec::new(),
            rows: Vec::new(),
            edge: Targets::default(),
            totals: BTreeMap::new(),
            requests: 0,
        };
        sim.perform();
        sim
    }

    /// The process dies and comes back with what is on disk; the edge's counters begin anew.
    pub(in crate::steer) fn crash(&mut self) {
        self.steer = Steer::restore(self.now, self.disk.clone(), self.facts.clone());
        self.edge = Targets::default();
        self.totals.clear();
        self.steer
            .handle(self.now, Event::Health(self.health.clone()));
        self.perform();
    }

    pub(in crate::steer) fn set_facts(&mut self, services: &[(&str, ServiceFacts)]) {
        self.facts = services
            .iter()
            .map(|(n, facts)| (n.parse().unwrap(), facts.clone()))
            .collect();
        let event = Event::Facts(self.facts.clone());
        self.tell(event);
    }

    pub(in crate::steer) fn tell(&mut self, event: Event) {
        self.steer.handle(self.now, event);
        self.perform();
    }

    pub(in crate::steer) fn is_up(&mut self, backend: &str, up: usize) {
        let services: Vec<ServiceName> = self.facts.keys().cloned().collect();
        for service in services {
            let seen = BackendHealth {
                up,
                total: 2,
                endpoints: Vec::new(),
            };
            self.health.insert((service, name(backend)), seen);
        }
        let event = Event::Health(self.health.clone());
        self.tell(event);
    }

    /// Asks, and gives the answer.
    pub(in crate::steer) fn ask(&mut self, command: Command) -> Result<Accepted, Refusal> {
        self.requests += 1;
        let id = self.requests;
        self.tell(Event::Request(Request {
            id,
            actor: "ops".to_owned(),
            if_match: None,
            dry_run: false,
            reason: "CHG-1".to_owned(),
            command,
        }));
        let at = self.replies.iter().position(|(reply, _)| *reply == id);
        self.replies
            .remove(at.expect("every request is answered"))
            .1
    }

    pub(in crate::steer) fn shift(&mut self, set: &[(&str, u16)]) -> Result<Accepted, Refusal> {
        self.ask(shift_command(set, Pace::Policy))
    }

    /// Lets time pass: every 250 ms the edge reports, or every minute where hours pass.
    pub(in crate::steer) fn run(&mut self, time: Duration) {
        let end = self.now.instant + time;
        let long = time >= Duration::from_secs(3600);
        let tick = Duration::from_millis(if long { 60_000 } else { 250 });
        while self.now.instant < end {
            self.pass(tick.min(end.since(self.now.instant)));
            self.traffic();
            let signals = self.totals.values().cloned().collect();
            self.tell(Event::Signals(signals));
        }
    }

    /// Lets time pass without a report.
    pub(in crate::steer) fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant + time;
        self.now.wall = self.now.wall + time;
        if self
            .steer
            .poll_timeout()
            .is_some_and(|at| at <= self.now.instant)
        {
            self.steer.handle_timeout(self.now);
        }
        self.perform();
    }

    /// Lets time pass until it is so; panics when that takes longer than an hour.
    pub(in crate::steer) fn run_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        for _ in 0..14_400 {
            if is_so(self) {
                return;
            }
            self.run(Duration::from_millis(250));
        }
        panic!(
            "after an hour it is still not so: {what}\n{:#?}",
            self.steer.state()
        );
    }

    pub(in crate::steer) fn target(&self, service: &str) -> String {
        let state = self.steer.state();
        state.services[service].target.to_string()
    }

    /// The only shift, or the newest.
    pub(in crate::steer) fn newest(&self) -> ShiftView {
        self.steer.state().shifts.values().last().unwrap().clone()
    }

    pub(in crate::steer) fn kinds(&self) -> Vec<&'static str> {
        self.notices.iter().map(Notice::kind).collect()
    }

    fn traffic(&mut self) {
        let state = self.steer.state();
        for (service, view) in &state.services {
            let row = self.edge.services.get(service);
            let row = row.map_or(&view.declared, |row| &row.shares);
            for (backend, share) in row.iter() {
                let count = self.rate * u64::from(share.get()) / 40_000;
                let errors = self.errors.get(backend).copied().unwrap_or(0);
                let latency = self.latency.get(backend).copied();
                let latency = latency.unwrap_or(Duration::from_millis(10));
                let key = (service.clone(), backend.clone());
                let totals = self.totals.entry(key).or_insert_with(|| BackendSignal {
                    at: Instant::ZERO,
                    service: service.clone(),
                    backend: backend.clone(),
                    requests: 0,
                    errors: 0,
                    picks: 0,
                    in_flight: 0,
                    latency: Histogram::default(),
                });
                totals.at = self.now.instant;
                totals.picks += count;
                totals.requests += count;
                totals.errors += (count * errors).div_ceil(100);
                totals.in_flight = self.in_flight.get(backend).copied().unwrap_or(0);
                totals.latency.add_bucket(bucket_of(latency), count);
            }
        }
    }

    /// Performs effects until there are none.
    pub(in crate::steer) fn perform(&mut self) {
        while let Some(effect) = self.steer.poll_effect() {
            match effect {
                Effect::Store(record) => self.store(*record),
                Effect::Publish(targets) if !self.edge_stuck => self.use_targets(targets),
                Effect::Publish(_) => {}
                Effect::Prove {
                    evacuation,
                    services,
                    probes,
                } => {
                    let probes = self.probes(evacuation, &services, probes);
                    self.steer.handle(self.now, Event::Proved(probes));
                }
                Effect::Reply { id, result } => self.replies.push((id, *result)),
                Effect::Notice(notice) => self.notices.push(*notice),
            }
        }
    }

    fn store(&mut self, record: Record) {
        let number = record.number;
        let event = if self.disk_full {
            let error = "no space left".to_owned();
            Event::StoreFailed { number, error }
        } else {
            self.disk = record.state;
            self.history.extend(record.history);
            Event::Stored(number)
        };
        self.steer.handle(self.now, event);
    }

    fn use_targets(&mut self, targets: Targets) {
        assert!(
            targets.revision >= self.edge.revision,
            "a revision went back"
        );
        assert!(targets.revision <= self.disk.revision, "not on disk");
        let row = targets
            .services
            .get("meet")
            .map(|row| row.shares.to_string());
        if row.is_some() && self.rows.last() != row.as_ref() {
            self.rows.extend(row);
        }
        self.edge = targets;
        let event = Event::Confirmed {
            revision: self.edge.revision,
            workers: 2,
        };
        self.steer.handle(self.now, event);
    }

    /// The edge answers with the backend that has the largest share.
    fn probes(&self, evacuation: String, services: &[ServiceName], probes: u32) -> Probes {
        let answer = |service: &ServiceName| {
            let row = &self.edge.services.get(service)?.shares;
            let (backend, _) = row.iter().max_by_key(|(_, share)| *share)?;
            Some(((service.clone(), backend.clone()), probes))
        };
        Probes {
            evacuation,
            answered: services.iter().filter_map(answer).collect(),
            failed: 0,
        }
    }
}

pub(in crate::steer) fn shift_command(set: &[(&str, u16)], pace: Pace) -> Command {
    Command::Shift {
        service: "meet".parse().unwrap(),
        set: set
            .iter()
            .map(|(n, percent)| (name(n), BasisPoints::saturating(percent * 100)))
            .collect(),
        pace,
        expires_in: None,
    }
}
