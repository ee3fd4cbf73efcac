//! The world: one queue of events, and what each does. Read [`World::run`] first; how a request goes through its tries is
//! in `tries.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_health::{CheckFailure, CheckResult, Transition, passive};
use bascule_model::{Instant, Rng, Targets};
use bascule_traffic::Choice;

use crate::edge::{Asked, Edge};
use crate::fault::{Condition, FLAP, Path, Weather};
use crate::law::{Broken, Held, Laws, hold};
use crate::layout::{Layout, Size, below};
use crate::ledger::Ledger;
use crate::operator::Operator;
use crate::queue::Queue;
use crate::request::Request;
use crate::script::{Act, Script};

/// What is going to happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client begins a request at this edge.
    Arrives(usize),
    /// A request's try goes on; only if it is still that try.
    Goes(u64, usize, Step),
    /// A check ends.
    Checked(usize, Asked, CheckResult),
    /// An edge asked to be woken.
    Wakes(usize),
    /// Connections to these places are cut.
    Cut(usize),
    /// A second has passed at an edge.
    Second(usize),
    /// A person does something.
    Acts(Act),
}

/// How a try goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is a connection.
    Connected,
    /// No connection could be made.
    Refused,
    /// No connection was made in time.
    ConnectTimedOut,
    /// An answer comes, with this status.
    Answered(u16),
    /// The connection died without an answer.
    Died,
    /// No answer came in time.
    TimedOut,
    /// Nothing has been heard since then, and that is strange.
    Silent(Instant),
    /// A wait before another try is over.
    Again(Choice),
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(crate) layout: Layout,
    pub(crate) now: Instant,
    pub(crate) queue: Queue<Event>,
    pub(crate) weather: Weather,
    pub(crate) edges: Vec<Edge>,
    pub(crate) requests: BTreeMap<u64, Request>,
    pub(crate) ledger: Ledger,
    pub(crate) laws: Laws,
    pub(crate) rng: Rng,
    pub(crate) network: Rng,
    pub(crate) operator: Operator,
    acted: BTreeMap<&'static str, u64>,
    /// How often an endpoint became suspected.
    pub(crate) suspicions: u64,
    /// How often a trial was made.
    pub(crate) trials: u64,
    end: Instant,
}

impl World {
    /// A world to which this will happen.
    ///
    /// # Errors
    /// A law was broken by its beginning.
    pub fn new(layout: Layout, script: &Script, seed: u64) -> Result<Self, Broken> {
        let rng = Rng::new(seed);
        let edges = (0_u64..).take(layout.size.edges);
        let edges = edges.map(|n| Edge::new(&layout, seed.wrapping_add(n)));
        let mut world = Self {
            now: Instant::ZERO,
            queue: Queue::new(),
            weather: Weather::new(script.outages.clone()),
            edges: edges.collect::<Result<_, _>>()?,
            requests: BTreeMap::new(),
            ledger: Ledger::default(),
            laws: Laws::default(),
            network: rng.fork("network"),
            rng: rng.fork("clients"),
            operator: Operator::default(),
            acted: BTreeMap::new(),
            suspicions: 0,
            trials: 0,
            end: script.end,
            layout,
        };
        for (at, act) in &script.acts {
            world.queue.push(*at, Event::Acts(act.clone()));
        }
        world.plan_cuts(script);
        for edge in 0..world.edges.len() {
            world.pump(edge)?;
            if world.layout.size.rate > 0 {
                world.queue.push(Instant::ZERO, Event::Arrives(edge));
            }
            world.queue.push(Instant::ZERO, Event::Second(edge));
        }
        Ok(world)
    }

    /// Lets time pass until `end`.
    ///
    /// # Errors
    /// The first law that is broken.
    pub fn run(&mut self, end: Instant) -> Held {
        while let Some((at, event)) = self.queue.pop(end) {
            self.now = at;
            match event {
                Event::Arrives(edge) => self.arrives(edge)?,
                Event::Goes(number, tries, step) => self.goes(number, tries, step)?,
                Event::Checked(edge, asked, result) => {
                    self.tell(edge, |edge, now| edge.checked(now, asked, result))?;
                }
                Event::Wakes(edge) => self.tell(edge, |edge, now| {
                    edge.wake_at = None;
                    edge.timeout(now);
                })?,
                Event::Second(edge) => self.second_passes(edge),
                Event::Cut(outage) => self.cut(outage)?,
                Event::Acts(act) => self.act(&act)?,
            }
        }
        self.now = end;
        self.settled()
    }

    /// What happened to requests.
    #[must_use]
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What was met of the faults.
    #[must_use]
    pub const fn weather(&self) -> &Weather {
        &self.weather
    }

    /// What people did, and how often.
    #[must_use]
    pub const fn acted(&self) -> &BTreeMap<&'static str, u64> {
        &self.acted
    }

    /// How often an endpoint became suspected at an edge.
    #[must_use]
    pub const fn suspicions(&self) -> u64 {
        self.suspicions
    }

    /// How often an endpoint that traffic had taken out got a trial.
    #[must_use]
    pub const fn trials(&self) -> u64 {
        self.trials
    }

    /// What the judge told of traffic at an edge, and when.
    pub fn told(&self, edge: usize) -> impl Iterator<Item = &(Instant, passive::Action)> {
        self.edges.get(edge).into_iter().flat_map(|edge| &edge.told)
    }

    /// The changes of verdicts at an edge.
    pub fn moved(&self, edge: usize) -> impl Iterator<Item = &Transition> {
        let edge = self.edges.get(edge).into_iter();
        edge.flat_map(|edge| &edge.transitions)
    }

    /// The layout it began with.
    #[must_use]
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// When the first phase is over.
    #[must_use]
    pub const fn script_end(&self) -> Instant {
        self.end
    }

    /// What its workers do once a second.
    fn second_passes(&mut self, edge: usize) {
        let now = self.now;
        let workers = self.edges.get_mut(edge).into_iter();
        workers
            .flat_map(|edge| &mut edge.workers)
            .for_each(|worker| worker.handle_timeout(now));
        self.queue
            .push(now + Duration::from_secs(1), Event::Second(edge));
    }

    /// Tells an edge something, and lets that have its effect.
    pub(crate) fn tell(&mut self, edge: usize, what: impl FnOnce(&mut Edge, Instant)) -> Held {
        if let Some(told) = self.edges.get_mut(edge) {
            what(told, self.now);
        }
        self.pump(edge)
    }

    fn pump(&mut self, number: usize) -> Held {
        let Some(edge) = self.edges.get_mut(number) else {
            return Ok(());
        };
        let asked = edge.pump(self.now)?;
        // What is due already is due now.
        let wake = edge.next_wake().map(|at| at.max(self.now));
        let later = |planned: Instant| wake.is_some_and(|wake| wake < planned);
        if let Some(wake) = wake.filter(|_| edge.wake_at.is_none_or(later)) {
            edge.wake_at = Some(wake);
            self.queue.push(wake, Event::Wakes(number));
        }
        for check in asked {
            self.check(number, check);
        }
        Ok(())
    }

    /// A check goes out; how it will end is known at once.
    fn check(&mut self, edge: usize, asked: Asked) {
        let Some(place) = self.layout.place(&asked.id) else {
            return;
        };
        let latency = self.latency(place);
        let timeout = asked.timeout;
        let failed = |failure, after| (CheckResult::Failed(failure), after);
        let (result, after) = match self.weather.meet(Path::Probe, edge, place, self.now) {
            Condition::Well | Condition::Slow | Condition::HalfErrors => {
                (CheckResult::Passed, latency)
            }
            Condition::Unavailable => failed(CheckFailure::Status { status: 503 }, latency),
            Condition::Refuses | Condition::Resets => failed(CheckFailure::Connect, latency),
            Condition::Silent | Condition::Lost => failed(CheckFailure::Timeout, timeout),
        };
        self.queue
            .push(self.now + after, Event::Checked(edge, asked, result));
    }

    /// What an answer from there takes, this time.
    pub(crate) fn latency(&mut self, place: usize) -> Duration {
        let least = self
            .layout
            .places
            .get(place)
            .map_or(Duration::ZERO, |p| p.latency);
        least + Duration::from_micros(self.network.below(2000))
    }

    /// Clients come at times of their own, whatever becomes of the others.
    pub(crate) fn next_arrival(&mut self, edge: usize) {
        let Size { rate, .. } = self.layout.size;
        let spacing = Duration::from_secs(1) / rate.max(1);
        self.queue.push(self.now + spacing, Event::Arrives(edge));
    }

    /// A number below the bound, of the clients' chance.
    pub(crate) fn chance(&mut self, bound: u64) -> usize {
        below(&mut self.rng, bound)
    }

    fn plan_cuts(&mut self, script: &Script) {
        for (number, outage) in script.outages.iter().enumerate() {
            if !outage.fault.cuts_connections() {
                continue;
            }
            let mut at = outage.from;
            while at < outage.until {
                self.queue.push(at, Event::Cut(number));
                at = at + FLAP * 2;
            }
        }
    }

    /// A person does something: to all edges at the same time.
    fn act(&mut self, act: &Act) -> Held {
        *self.acted.entry(act.name()).or_default() += 1;
        if let Act::Reload(ramp) = act {
            return self.reload(*ramp);
        }
        if *act == Act::Stale {
            let outdated = self.operator.outdated();
            return outdated.map_or(Ok(()), |old| {
                self.publish(&old, "older targets are refused", false)
            });
        }
        let targets = self.operator.act(self.now, &self.layout, act).clone();
        self.publish(&targets, "newer targets are taken", true)
    }

    fn publish(&mut self, targets: &Targets, law: &'static str, wanted: bool) -> Held {
        for edge in 0..self.edges.len() {
            let mut taken = wanted;
            self.tell(edge, |edge, now| taken = edge.targets(now, targets))?;
            hold(self.now, law, taken == wanted, || format!("{targets:?}"))?;
        }
        Ok(())
    }

    fn reload(&mut self, ramp: Duration) -> Held {
        let lines = self.layout.text.lines().map(|line| {
            if line.trim_start().starts_with("ramp:") {
                format!("    ramp: {{ duration: {}ms }}\n", ramp.as_millis())
            } else {
                format!("{line}\n")
            }
        });
        let text: String = lines.collect();
        let layout = Layout::read(&text, self.layout.size);
        hold(
            self.now,
            "a valid configuration is valid",
            layout.is_ok(),
            || text,
        )?;
        if let Ok(layout) = layout {
            self.layout = layout.clone();
            for edge in 0..self.edges.len() {
                let mut held = Ok(());
                self.tell(edge, |edge, now| held = edge.configure(now, &layout))?;
                held?;
            }
        }
        Ok(())
    }
}
