//! The line's laws, over random comings in virtual time. Time goes in whole units; a brisk check takes none or one, a slow
//! one all of its time-out.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// The time-out, in units.
const TIMEOUT: u64 = 5;

/// Plays a line: who comes when, and how long each takes.
#[derive(Debug)]
struct World {
    line: Line<usize>,
    now: u64,
    /// When those on the wire end.
    ends: Vec<(u64, Pace)>,
    came: BTreeMap<usize, (u64, Pace)>,
    started: Vec<(usize, u64)>,
}

impl World {
    fn new(all: usize) -> Self {
        Self {
            line: Line::new(Places::new(all)),
            now: 0,
            ends: Vec::new(),
            came: BTreeMap::new(),
            started: Vec::new(),
        }
    }

    fn join(&mut self, pace: Pace) {
        let check = self.came.len();
        self.came.insert(check, (self.now, pace));
        self.line.join(check, pace);
    }

    fn start(&mut self) {
        while let Some((check, pace)) = self.line.next() {
            let takes = match pace {
                Pace::Brisk => 1,
                Pace::Slow => TIMEOUT,
            };
            self.ends.push((self.now + takes, pace));
            self.started.push((check, self.now));
        }
        let slow = || self.ends.iter().filter(|(_, pace)| *pace == Pace::Slow);
        let Places { all, slow: half } = self.line.places;
        assert!(self.ends.len() <= all && slow().count() <= half);
        // No place stays empty that somebody may take.
        let may_go =
            !self.line.brisk.is_empty() || (!self.line.slow.is_empty() && slow().count() < half);
        assert!(self.ends.len() == all || !may_go);
    }

    fn tick(&mut self) {
        self.now += 1;
        let now = self.now;
        for (_, pace) in self.ends.extract_if(.., |(end, _)| *end <= now) {
            self.line.leave(pace);
        }
        self.start();
    }
}

fn any_pace() -> impl Strategy<Value = Pace> {
    prop_oneof![Just(Pace::Brisk), Just(Pace::Slow)]
}

proptest! {
    /// Every check that comes is made, in the order of coming among those of its pace, and none waits longer than those
    /// before it need: with half of the places at least for the brisk, and at least one for the slow.
    #[test]
    fn no_check_is_starved_and_none_overtakes_another_of_its_pace(
        all in 1_usize..9,
        comings in prop::collection::vec(prop::collection::vec(any_pace(), 0..12), 1..20),
    ) {
        let mut world = World::new(all);
        for paces in &comings {
            paces.iter().for_each(|pace| world.join(*pace));
            world.start();
            world.tick();
        }
        let mut patience = 2 * TIMEOUT * (world.came.len() as u64 + 1);
        while world.started.len() < world.came.len() {
            prop_assert!(patience > 0, "{} wait for ever", world.line.waiting());
            patience -= 1;
            world.tick();
        }
        for pace in [Pace::Brisk, Pace::Slow] {
            let of_pace: Vec<usize> = world.started.iter().map(|(check, _)| *check)
                .filter(|check| world.came[check].1 == pace).collect();
            prop_assert!(of_pace.is_sorted());
        }
        prop_assert_eq!(world.line.waiting(), 0);
    }

    /// However many hang, a check of what answers goes on the wire within the units that the brisk before it need in
    /// the other half of the places.
    #[test]
    fn what_hangs_does_not_delay_what_answers(
        all in 2_usize..9,
        hanging in 0_usize..200,
        well in 1_usize..20,
    ) {
        let mut world = World::new(all);
        (0..hanging).for_each(|_| world.join(Pace::Slow));
        world.start();
        (0..well).for_each(|_| world.join(Pace::Brisk));
        world.start();
        let free = all - world.line.places.slow;
        for _ in 0..=well.div_ceil(free) {
            world.tick();
        }
        let started = world.started.iter().filter(|(check, _)| *check >= hanging).count();
        prop_assert_eq!(started, well);
    }
}

#[test]
fn one_place_serves_both() {
    let mut line = Line::new(Places::new(1));
    line.join("slow", Pace::Slow);
    line.join("brisk", Pace::Brisk);
    assert_eq!(line.next(), Some(("slow", Pace::Slow)));
    assert_eq!(line.next(), None);
    line.leave(Pace::Slow);
    assert_eq!(line.next(), Some(("brisk", Pace::Brisk)));
}

#[test]
fn what_is_no_longer_wanted_leaves_the_line() {
    let mut line = Line::new(Places::new(4));
    for check in 0..10 {
        line.join(
            check,
            if check % 2 == 0 {
                Pace::Slow
            } else {
                Pace::Brisk
            },
        );
    }
    line.retain(|check| *check >= 8);
    assert_eq!(line.waiting(), 2);
    assert_eq!(line.next(), Some((8, Pace::Slow)));
    assert_eq!(line.next(), Some((9, Pace::Brisk)));
}
