//! A service in virtual time, with requests that last, and a gate that sheds.

use proptest::prelude::*;

use super::*;

const STEP: Duration = Duration::from_millis(100);

/// A service: requests come at a steady rate, a part is let in, each lasts for some steps and sends bytes.
struct World {
    now: Instant,
    meter: Meter,
    totals: Totals,
    running: std::collections::VecDeque<u64>,
    said: Demand,
    changes: usize,
}

impl World {
    fn new(lasts: usize) -> Self {
        Self {
            now: Instant::default(),
            meter: Meter::default(),
            totals: Totals::default(),
            running: std::iter::repeat_n(0, lasts).collect(),
            said: Demand::default(),
            changes: 0,
        }
    }

    fn step(&mut self, come: u64, shed: u64) {
        let let_in = come - shed;
        self.totals.offered += come;
        self.totals.shed += shed;
        self.totals.bytes += let_in * 1_000;
        self.running.push_back(let_in);
        let ended = self.running.pop_front().unwrap();
        self.totals.finished += ended;
        self.totals.in_flight = self.totals.in_flight + let_in - ended;
        if let Some(demand) = self.meter.handle(self.now, self.totals) {
            (self.said, self.changes) = (demand, self.changes + 1);
        }
        self.now = self.now + STEP;
    }
}

fn is_about(said: f64, right: f64) -> bool {
    (right * 0.99..=right * 1.06).contains(&said)
}

#[test]
fn a_steady_service_is_said_once_in_all_units() {
    let mut world = World::new(3);
    (0..200).for_each(|_| world.step(20, 0));
    let Demand {
        requests,
        sessions,
        egress,
    } = world.said;
    assert!(is_about(requests, 200.0), "{requests}");
    assert!(is_about(sessions, 60.0), "{sessions}");
    assert!(is_about(egress, 200.0 * 8_000.0), "{egress}");
    let settled = world.changes;
    (0..200).for_each(|_| world.step(20, 0));
    assert_eq!(world.changes, settled, "nothing changed");
}

#[test]
fn what_is_shed_counts_as_asked_for() {
    let mut world = World::new(3);
    (0..200).for_each(|_| world.step(20, 0));
    for _ in 0..300 {
        world.step(20, 8);
        let said = world.said;
        assert!(is_about(said.requests, 200.0), "{said:?}");
        assert!((57.0..68.0).contains(&said.sessions), "{said:?}");
        assert!(
            (1_500_000.0..1_800_000.0).contains(&said.egress),
            "{said:?}"
        );
    }
}

#[test]
fn shedding_by_what_is_said_settles_at_the_capacity_and_does_not_swing() {
    for lasts in [1_usize, 3, 50, 600] {
        let come = 20_u64;
        let asked = (come * lasts as u64) as f64;
        let capacity = asked * 0.6;
        let mut world = World::new(lasts);
        (0..lasts + 300).for_each(|_| world.step(come, 0));
        let mut shedder = crate::admit::Shedder::new(0);
        for step in 0..lasts * 4 + 600 {
            let part = (1.0 - capacity / world.said.sessions).max(0.0);
            let points = bascule_model::BasisPoints::from_ratio(part);
            let shed = (0..come).filter(|_| shedder.sheds(points)).count() as u64;
            world.step(come, shed);
            assert!((0.3..0.55).contains(&part), "{lasts} {step}: {part}");
        }
        let in_flight = world.totals.in_flight as f64;
        let used = in_flight / capacity;
        assert!(
            (0.85..=1.05).contains(&used),
            "{lasts}: {in_flight} of {capacity}"
        );
    }
}

#[test]
fn shedding_does_not_make_long_requests_seem_more() {
    // A minute each, so that 6 000 run at once.
    let mut world = World::new(600);
    (0..1_400).for_each(|_| world.step(10, 0));
    let before = world.said.sessions;
    for _ in 0..1_400 {
        world.step(10, 4);
        let now = world.said.sessions;
        assert!((now / before - 1.0).abs() < 0.2, "{before} {now}");
    }
}

#[test]
fn a_rise_is_followed_within_a_few_seconds() {
    let mut world = World::new(1);
    (0..100).for_each(|_| world.step(10, 0));
    (0..100).for_each(|_| world.step(30, 0));
    assert!(is_about(world.said.requests, 300.0), "{:?}", world.said);
}

#[test]
fn the_same_instant_again_says_nothing() {
    let mut meter = Meter::default();
    let now = Instant::default();
    assert_eq!(meter.handle(now, Totals::default()), None);
    let totals = Totals {
        offered: 5,
        ..Totals::default()
    };
    assert_eq!(meter.handle(now, totals), None);
}

proptest! {
    #[test]
    fn what_is_said_is_never_below_what_is_measured_and_little_above(
        steps in prop::collection::vec((0_u64..50, 0_u64..50), 1..200), lasts in 1_usize..20
    ) {
        let mut world = World::new(lasts);
        for (come, shed) in steps {
            world.step(come, shed.min(come));
            if world.meter.said.is_none() {
                continue;
            }
            let asked = world.meter.asked();
            for (said, asked) in [
                (world.said.requests, asked.requests),
                (world.said.sessions, asked.sessions),
                (world.said.egress, asked.egress),
            ] {
                prop_assert!(said >= asked && said <= asked * BAND, "{} {}", said, asked);
            }
        }
    }
}
