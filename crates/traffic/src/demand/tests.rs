//! A service in virtual time, with requests that last, and a gate that sheds.

use proptest::prelude::*;

use super::*;

const STEP: Duration = Duration::from_millis(100);

/// A service: requests come at a steady rate, a part is let in, each lasts for some steps and sends bytes.
struct World {
    now: Instant,
    meter: Meter,
    least: Capacity,
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
            least: all_units(1),
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
        if let Some(demand) = self.meter.handle(self.now, self.totals, &self.least) {
            (self.said, self.changes) = (demand, self.changes + 1);
        }
        self.now = self.now + STEP;
    }
}

fn all_units(capacity: u64) -> Capacity {
    Capacity {
        requests: Some(capacity),
        sessions: Some(capacity),
        egress: Some(capacity * 8_000),
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
fn a_few_requests_where_hundreds_have_room_are_said_a_few_times_at_most() {
    let mut world = World::new(3);
    world.least = all_units(100);
    let minute = 600;
    // One a second, then three a second but all at once.
    for step in 0..minute {
        world.step(u64::from(step % 10 == 0), 0);
    }
    assert!(world.changes <= 4, "{}", world.changes);
    for step in 0..minute {
        world.step(if step % 10 == 0 { 3 } else { 0 }, 0);
    }
    assert!(world.changes <= 8, "{}", world.changes);
}

#[test]
fn when_nothing_comes_any_more_it_is_said_and_then_there_is_nothing_to_say() {
    let mut world = World::new(20);
    world.least = all_units(300);
    (0..200).for_each(|_| world.step(20, 0));
    let before = world.changes;
    // Requests in flight are smoothed over ten seconds, and are forgotten last.
    (0..1_500).for_each(|_| world.step(0, 0));
    assert_eq!(world.said, Demand::default());
    assert!(world.changes - before <= 60, "{}", world.changes - before);
    let settled = world.changes;
    (0..6_000).for_each(|_| world.step(0, 0));
    assert_eq!(world.changes, settled);
}

#[test]
fn a_unit_that_nobody_limits_makes_nothing_said() {
    let mut world = World::new(3);
    world.least = Capacity {
        requests: Some(1_000),
        ..Capacity::default()
    };
    (0..200).for_each(|_| world.step(20, 0));
    let settled = world.changes;
    for step in 0..600 {
        world.totals.bytes += step * 1_000;
        world.step(20, 0);
    }
    assert_eq!(world.changes, settled, "{:?}", world.said);
}

#[test]
fn the_same_instant_again_says_nothing() {
    let mut meter = Meter::default();
    let now = Instant::default();
    let least = all_units(1);
    assert_eq!(meter.handle(now, Totals::default(), &least), None);
    let totals = Totals {
        offered: 5,
        ..Totals::default()
    };
    assert_eq!(meter.handle(now, totals, &least), None);
}

proptest! {
    #[test]
    fn what_is_said_is_never_below_what_is_measured_and_little_above(
        steps in prop::collection::vec((0_u64..50, 0_u64..50), 1..200),
        lasts in 1_usize..20,
        room in prop::sample::select(vec![1_u64, 20, 500, 10_000]),
    ) {
        let mut world = World::new(lasts);
        world.least = all_units(room);
        for (come, shed) in steps {
            world.step(come, shed.min(come));
            if world.meter.said.is_none() {
                continue;
            }
            let (said, asked) = (world.said, world.meter.asked());
            for unit in Unit::ALL {
                let room = world.least.of(unit).unwrap() as f64;
                let (said, asked) = (said.of(unit), asked.of(unit));
                let most = if asked > 0.0 { asked + asked.max(room) * 0.05 } else { 0.0 };
                prop_assert!(said >= asked && said <= most, "{} {} {}", said, asked, room);
            }
        }
    }
}
