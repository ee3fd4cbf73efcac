//! The laws of the control loop, held over random orders of requests, answers, failures, readings and crashes, in virtual
//! time. First anything happens and the invariants are looked at after each event; then all is well again, and everything
//! must come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bascule_model::histogram::bucket_of;
use bascule_model::{
    AdminState, AdminTarget, BackendName, BackendSignal, BasisPoints, Histogram, Instant, Revision,
    ServiceName, Targets, Timestamp,
};
use proptest::prelude::*;

use super::fixture::{facts, name};
use crate::command::{Command, Pace, Request};
use crate::policy::Bounds;
use crate::steer::{
    BackendHealth, Effect, Event, Facts, Health, Now, Persisted, Probes, Record, Steer,
};
use crate::view::EvacuationPhase;

const NAMES: [&str; 3] = ["aws", "gcp", "oci"];
const TICK: Duration = Duration::from_secs(20);

/// Something that happens.
#[derive(Debug, Clone)]
enum Op {
    Ask(Ask),
    Pass(u32),
    /// The record on its way is on disk, or it failed.
    Stored(bool),
    Confirm,
    Signals {
        errors_at: usize,
        percent: u64,
    },
    Health {
        backend: usize,
        up: usize,
    },
    Facts(usize),
    Proved,
    /// For so many seconds everything is answered at once and there is traffic; a backend gives errors, in percent.
    Serve {
        seconds: u64,
        errors_at: usize,
        percent: u64,
    },
    /// The process dies; the record on its way had reached the disk, or not.
    Crash(bool),
}

#[derive(Debug, Clone)]
enum Ask {
    Shift {
        service: usize,
        backend: usize,
        percent: u16,
        now: bool,
        hours: u64,
    },
    Clear(usize),
    Pause(usize),
    Resume(usize),
    Abort(usize),
    Evacuate {
        provider: usize,
        fast: bool,
    },
    Restore(usize),
    Undo(u64),
    Admin {
        provider: usize,
        drain: bool,
    },
}

fn asks() -> impl Strategy<Value = Ask> {
    prop_oneof![
        4 => (0_usize..2, 0_usize..3, 0_u16..=100, any::<bool>(), 1_u64..80).prop_map(
            |(service, backend, percent, now, hours)| Ask::Shift { service, backend, percent, now, hours }),
        1 => (0_usize..2).prop_map(Ask::Clear),
        1 => (0_usize..2).prop_map(Ask::Pause),
        2 => (0_usize..2).prop_map(Ask::Resume),
        2 => (0_usize..2).prop_map(Ask::Abort),
        2 => (0_usize..3, any::<bool>()).prop_map(|(provider, fast)| Ask::Evacuate { provider, fast }),
        2 => (0_usize..3).prop_map(Ask::Restore),
        1 => (0_u64..40).prop_map(Ask::Undo),
        1 => (0_usize..3, any::<bool>()).prop_map(|(provider, drain)| Ask::Admin { provider, drain }),
    ]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        5 => asks().prop_map(Op::Ask),
        4 => prop_oneof![0_u32..3_000, 1_000_u32..120_000, Just(90_000_000)].prop_map(Op::Pass),
        8 => prop::bool::weighted(0.85).prop_map(Op::Stored),
        6 => Just(Op::Confirm),
        5 => (0_usize..3, prop_oneof![3 => Just(0_u64), 1 => 0_u64..20]).prop_map(
            |(errors_at, percent)| Op::Signals { errors_at, percent }),
        2 => (0_usize..3, 0_usize..3).prop_map(|(backend, up)| Op::Health { backend, up }),
        1 => (0_usize..3).prop_map(Op::Facts),
        2 => Just(Op::Proved),
        5 => (prop_oneof![15_u64..120, Just(600)], 0_usize..3, prop_oneof![2 => Just(0_u64), 1 => Just(20)])
            .prop_map(|(seconds, errors_at, percent)| Op::Serve { seconds, errors_at, percent }),
        1 => any::<bool>().prop_map(Op::Crash),
    ];
    prop::collection::vec(op, 1..80)
}

/// Three configurations: the first, another split, and one without `gcp` where `chat` is gone.
fn configuration(variant: usize) -> Facts {
    let mut meet = match variant {
        0 => facts(&[("aws", 60), ("gcp", 20), ("oci", 20)]),
        1 => facts(&[("aws", 10), ("gcp", 0), ("oci", 90)]),
        _ => facts(&[("aws", 50), ("oci", 50)]),
    };
    if let Some(gcp) = meet.backends.get_mut("gcp") {
        gcp.standby = variant == 1;
    }
    let bounds = Bounds {
        min: BasisPoints::ZERO,
        max: BasisPoints::saturating(9500),
    };
    meet.policy.bounds.insert(name("aws"), bounds);
    meet.policy.bake = Duration::from_secs(30);
    meet.policy.keyed = true;
    let mut chat = facts(&[("gcp", 50), ("oci", 50)]);
    chat.policy.bake = Duration::from_secs(30);
    let mut all = Facts::from([("meet".parse().unwrap(), meet)]);
    if variant != 2 {
        all.insert("chat".parse().unwrap(), chat);
    }
    all
}

/// A process whose disk, edge and probes answer when they are told to.
struct Chaos {
    steer: Steer,
    now: Now,
    facts: Facts,
    health: Health,
    disk: Persisted,
    /// What is on its way, of each actuator.
    storing: Option<Record>,
    proving: Option<(String, Vec<ServiceName>)>,
    published: Option<Targets>,
    highest: Revision,
    totals: BTreeMap<(ServiceName, BackendName), BackendSignal>,
    asked: u64,
    answered: BTreeSet<u64>,
    log: Vec<Effect>,
}

impl Chaos {
    fn new() -> Self {
        let now = Now {
            instant: Instant::from_millis(0),
            wall: Timestamp::from_millis(1_700_000_000_000),
        };
        let facts = configuration(0);
        let mut chaos = Self {
            steer: Steer::restore(now, Persisted::default(), facts.clone()),
            now,
            facts,
            health: Health::new(),
            disk: Persisted::default(),
            storing: None,
            proving: None,
            published: None,
            highest: Revision(0),
            totals: BTreeMap::new(),
            asked: 0,
            answered: BTreeSet::new(),
            log: Vec::new(),
        };
        chaos.look();
        chaos
    }

    fn tell(&mut self, event: Event) {
        self.steer.handle(self.now, event);
        self.look();
    }

    /// Takes the effects and holds the laws.
    fn look(&mut self) {
        while let Some(effect) = self.steer.poll_effect() {
            self.log.push(effect.clone());
            match effect {
                Effect::Store(record) => {
                    assert!(self.storing.is_none(), "two records in flight");
                    let (old, new) = (self.disk.revision, record.state.revision);
                    assert!(new == old || new == old.next(), "from {old} to {new}");
                    self.storing = Some(*record);
                }
                Effect::Publish(targets) => self.published(targets),
                Effect::Prove {
                    evacuation,
                    services,
                    ..
                } => {
                    assert!(self.proving.is_none(), "two rounds of probes in flight");
                    self.proving = Some((evacuation, services));
                }
                Effect::Reply { id, .. } => assert!(self.answered.insert(id), "answered twice"),
                Effect::Notice(_) => {}
            }
        }
        let timeout = self.steer.poll_timeout();
        assert!(
            timeout.is_none_or(|at| at > self.now.instant),
            "a timer stands still"
        );
        let state = self.steer.state();
        for (service, view) in &state.services {
            let names: Vec<_> = view.target.iter().map(|(n, _)| n.clone()).collect();
            let known: Vec<_> = self.facts[service].backends.keys().cloned().collect();
            assert_eq!(names, known, "a row has just the backends of its service");
            let ends = view
                .override_row
                .as_ref()
                .map(|o| o.expires_at.since(o.set_at));
            assert!(ends.is_none_or(|ttl| ttl <= Duration::from_secs(72 * 3600)));
            let running = state
                .shifts
                .values()
                .filter(|s| &s.service == service && !s.phase.is_ended());
            assert!(running.count() <= 1, "two shifts of one service");
        }
    }

    fn published(&mut self, targets: Targets) {
        assert!(targets.revision >= self.highest, "a revision went back");
        assert_eq!(
            targets.revision, self.disk.revision,
            "published what is not on disk"
        );
        let state = self.steer.state();
        for (service, row) in &targets.services {
            let rests = self.disk.services[service].shift.is_none();
            let has_share = row
                .off
                .iter()
                .any(|n| row.shares.get(n).is_some_and(|s| !s.is_zero()));
            // While a new configuration is on its way to the disk, what left it may stand for a moment.
            let is_following = self.storing.is_some() || state.revision < targets.revision;
            assert!(
                !(rests && has_share) || is_following,
                "off has a share: {row:?}"
            );
        }
        assert_eq!(
            targets.buckets, self.disk.buckets,
            "a map that is not on disk"
        );
        self.highest = targets.revision;
        self.published = Some(targets);
    }

    fn happen(&mut self, op: &Op) {
        match op {
            Op::Ask(ask) => self.ask(ask),
            Op::Pass(millis) => self.pass(Duration::from_millis(u64::from(*millis))),
            Op::Stored(ok) => self.store(*ok),
            Op::Confirm => self.confirm(),
            Op::Signals { errors_at, percent } => self.signals(*errors_at, *percent, 200),
            Op::Health { backend, up } => self.is_up(*backend, *up),
            Op::Facts(variant) => {
                self.facts = configuration(*variant);
                self.tell(Event::Facts(self.facts.clone()));
            }
            Op::Proved => self.proved(),
            Op::Serve {
                seconds,
                errors_at,
                percent,
            } => {
                self.serve(Duration::from_secs(*seconds), *errors_at, *percent);
            }
            Op::Crash(reached) => self.crash(*reached),
        }
        // A timer that fires without need changes nothing.
        let before = self.steer.state();
        self.steer.handle_timeout(self.now);
        assert_eq!(
            self.steer.poll_effect(),
            None,
            "a spurious timeout has an effect"
        );
        assert_eq!(before, self.steer.state());
    }

    fn pass(&mut self, time: Duration) {
        self.now.instant = self.now.instant + time;
        self.now.wall = self.now.wall + time;
        self.steer.handle_timeout(self.now);
        self.look();
    }

    fn store(&mut self, ok: bool) {
        let Some(record) = self.storing.take() else {
            return;
        };
        let number = record.number;
        if ok {
            self.disk = record.state;
            self.tell(Event::Stored(number));
        } else {
            self.tell(Event::StoreFailed {
                number,
                error: "full".to_owned(),
            });
        }
    }

    fn confirm(&mut self) {
        if let Some(targets) = &self.published {
            let revision = targets.revision;
            self.tell(Event::Confirmed {
                revision,
                workers: 2,
            });
        }
    }

    fn is_up(&mut self, backend: usize, up: usize) {
        for service in ["chat", "meet"] {
            let seen = BackendHealth {
                up,
                total: 2,
                endpoints: Vec::new(),
            };
            self.health
                .insert((service.parse().unwrap(), name(NAMES[backend])), seen);
        }
        self.tell(Event::Health(self.health.clone()));
    }

    fn proved(&mut self) {
        let Some((evacuation, services)) = self.proving.take() else {
            return;
        };
        let answered = services
            .into_iter()
            .map(|s| ((s, name("oci")), 20))
            .collect();
        self.tell(Event::Proved(Probes {
            evacuation,
            answered,
            failed: 0,
        }));
    }

    fn crash(&mut self, reached: bool) {
        if let Some(record) = self.storing.take().filter(|_| reached) {
            self.disk = record.state;
        }
        self.proving = None;
        self.published = None;
        self.totals.clear();
        self.steer = Steer::restore(self.now, self.disk.clone(), self.facts.clone());
        self.look();
        self.tell(Event::Health(self.health.clone()));
    }

    fn signals(&mut self, errors_at: usize, percent: u64, count: u64) {
        for (service, facts) in &self.facts {
            let row = self
                .published
                .as_ref()
                .and_then(|t| t.services.get(service));
            let row = row.map_or(&facts.declared, |row| &row.shares);
            for (backend, share) in row.iter().filter(|(_, share)| !share.is_zero()) {
                let key = (service.clone(), backend.clone());
                let totals = self.totals.entry(key).or_insert_with(|| BackendSignal {
                    at: self.now.instant,
                    service: service.clone(),
                    backend: backend.clone(),
                    requests: 0,
                    errors: 0,
                    picks: 0,
                    in_flight: 0,
                    latency: Histogram::default(),
                });
                let count = (count * u64::from(share.get())).div_ceil(10_000);
                totals.picks += count;
                totals.requests += count;
                totals
                    .latency
                    .add_bucket(bucket_of(Duration::from_millis(10)), count);
                let fails = u64::from(backend.as_str() == NAMES[errors_at]);
                totals.errors += fails * count * percent / 100;
            }
        }
        self.tell(Event::Signals(self.totals.values().cloned().collect()));
    }

    fn ask(&mut self, ask: &Ask) {
        let services = ["meet", "chat"];
        let state = self.steer.state();
        let shift = |back: usize| {
            let id = state.shifts.keys().rev().nth(back).cloned();
            id.unwrap_or_else(|| "s-9999".to_owned())
        };
        let provider = |n: usize| NAMES[n].parse().unwrap();
        let command = match ask {
            Ask::Shift {
                service,
                backend,
                percent,
                now,
                hours,
            } => Command::Shift {
                service: services[*service].parse().unwrap(),
                set: vec![(
                    name(NAMES[*backend]),
                    BasisPoints::saturating(percent * 100),
                )],
                pace: if *now { Pace::Now } else { Pace::Policy },
                expires_in: Some(Duration::from_secs(hours * 3600)),
            },
            Ask::Clear(service) => Command::ClearOverride {
                service: services[*service].parse().unwrap(),
                pace: Pace::Policy,
            },
            Ask::Pause(back) => Command::Pause {
                shift: shift(*back),
            },
            Ask::Resume(back) => Command::Resume {
                shift: shift(*back),
            },
            Ask::Abort(back) => Command::Abort {
                shift: shift(*back),
            },
            Ask::Evacuate { provider: p, fast } => Command::Evacuate {
                provider: provider(*p),
                fast: *fast,
                expires_in: None,
            },
            Ask::Restore(p) => Command::Restore {
                provider: provider(*p),
            },
            Ask::Undo(0) => Command::Undo { to: None },
            Ask::Undo(back) => Command::Undo {
                to: Some(Revision(state.revision.0.saturating_sub(*back))),
            },
            Ask::Admin { provider: p, drain } => Command::SetAdmin {
                target: AdminTarget::Provider(provider(*p)),
                state: if *drain {
                    AdminState::Drain
                } else {
                    AdminState::Ready
                },
            },
        };
        self.command(command);
    }

    fn command(&mut self, command: Command) {
        self.asked += 1;
        self.tell(Event::Request(Request {
            id: self.asked,
            actor: "ops".to_owned(),
            if_match: None,
            dry_run: false,
            reason: String::new(),
            command,
        }));
    }

    /// All answers come at once and are good, everything is up, and there is traffic.
    fn run_well(&mut self, time: Duration) {
        self.serve(time, 0, 0);
    }

    fn serve(&mut self, time: Duration, errors_at: usize, percent: u64) {
        let end = self.now.instant + time;
        while self.now.instant < end {
            self.pass(TICK);
            for _ in 0..8 {
                self.store(true);
                self.confirm();
                self.proved();
            }
            self.signals(errors_at, percent, 10_000);
        }
    }

    /// Nothing runs, and nothing is left of what people had set for a time.
    fn is_at_rest(&self) -> Result<(), String> {
        let state = self.steer.state();
        for (service, view) in &state.services {
            if view.shift.is_some() || view.override_row.is_some() || view.target != view.declared {
                return Err(format!("{service}: {view:#?} {:#?}", state.shifts));
            }
        }
        let restored = |phase| phase == EvacuationPhase::Restored;
        match state.evacuations.values().find(|e| !restored(e.phase)) {
            Some(evacuation) => Err(format!("{evacuation:#?}")),
            None => Ok(()),
        }
    }
}

/// Without gcp both evacuations would leave nobody, so they do not hold; with it they do. It comes back while the record of
/// its leaving is on its way.
#[test]
fn a_configuration_that_changes_while_its_record_is_on_its_way_leaves_no_share_to_what_is_off() {
    let mut chaos = Chaos::new();
    for provider in [0, 2] {
        let fast = false;
        chaos.happen(&Op::Ask(Ask::Evacuate { provider, fast }));
    }
    chaos.serve(Duration::from_secs(41), 0, 0);
    chaos.happen(&Op::Facts(2));
    chaos.happen(&Op::Ask(Ask::Shift {
        service: 0,
        backend: 0,
        percent: 0,
        now: false,
        hours: 1,
    }));
    chaos.happen(&Op::Facts(0));
    chaos.happen(&Op::Proved);
    chaos.run_well(Duration::from_secs(1200));
    let targets = chaos.steer.targets();
    assert_eq!(
        targets.services["meet"].shares.to_string(),
        "aws=0 gcp=100 oci=0"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_happens_the_laws_hold_and_in_the_end_all_comes_to_rest(ops in ops()) {
        let mut chaos = Chaos::new();
        for op in &ops {
            chaos.happen(op);
        }
        for backend in 0..NAMES.len() {
            chaos.is_up(backend, 2);
        }
        chaos.run_well(Duration::from_secs(120));
        let paused: Vec<String> = chaos.steer.state().shifts.values()
            .filter(|s| s.phase == crate::view::ShiftPhase::Paused)
            .map(|s| s.id.clone())
            .collect();
        for shift in paused {
            chaos.command(Command::Resume { shift });
            chaos.run_well(TICK);
        }
        // The longest override lasts three days; then everything must be on its way back.
        chaos.run_well(Duration::from_secs(3600));
        chaos.now.wall = chaos.now.wall + Duration::from_secs(73 * 3600);
        chaos.run_well(Duration::from_secs(2 * 3600));
        prop_assert_eq!(chaos.is_at_rest(), Ok(()));
        let all: BTreeSet<u64> = (1..=chaos.asked).collect();
        let unanswered: Vec<_> = all.difference(&chaos.answered).collect();
        let crashed = ops.iter().any(|op| matches!(op, Op::Crash(_)));
        prop_assert!(crashed || unanswered.is_empty(), "not answered: {:?}", unanswered);
    }

    #[test]
    fn the_same_events_have_the_same_effects(ops in ops()) {
        let run = || {
            let mut chaos = Chaos::new();
            ops.iter().for_each(|op| chaos.happen(op));
            chaos.log
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn what_is_stored_survives_the_wire(ops in ops()) {
        let mut chaos = Chaos::new();
        ops.iter().for_each(|op| chaos.happen(op));
        let text = serde_json::to_string(&chaos.disk).unwrap();
        prop_assert_eq!(serde_json::from_str::<Persisted>(&text).unwrap(), chaos.disk);
    }
}
