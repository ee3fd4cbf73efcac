//! A naive model of the line, and every order of steps that its users can take.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

proptest! {
    /// The model: a plain list of names.
    #[test]
    fn a_line_is_a_list_of_those_that_wait_in_the_order_they_came(
        steps in prop::collection::vec((0_u8..4, 0_usize..8), 0..200),
    ) {
        let (mut line, mut model) = (Line::default(), Vec::<(Ticket, u64)>::new());
        for (number, (step, which)) in (0_u64..).zip(steps) {
            match step {
                0 | 1 => {
                    let joined = line.join(5, number);
                    prop_assert_eq!(joined.is_some(), model.len() < 5);
                    model.extend(joined.map(|ticket| (ticket, number)));
                }
                2 if which < model.len() => {
                    let (ticket, _) = model.remove(which);
                    let woken = line.leave(ticket).copied();
                    let first = model.first().map(|held| held.1);
                    prop_assert_eq!(woken, first.filter(|_| which == 0));
                    prop_assert_eq!(line.leave(ticket), None, "nobody leaves twice");
                }
                3 if which < model.len() => {
                    let ticket = model[which].0;
                    model[which].1 = number;
                    prop_assert_eq!(line.listen(ticket, number), which == 0);
                }
                _ => {}
            }
            prop_assert_eq!(line.len(), model.len());
            prop_assert_eq!(line.first().copied(), model.first().map(|held| held.1));
        }
    }
}

/// What one that waits does next. Each is one step that nothing comes between: a lock is held for it, or it is one
/// access to memory that all agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Waiter {
    Joins,
    Listens,
    /// It was the first when it listened: counts what runs.
    Looks,
    /// It found a place and took it.
    LeavesServed,
    /// Until something wakes it.
    Sleeps,
    Leaves,
    Served,
    Gone,
}

/// What one that has a place does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Runner {
    Frees,
    /// Looks whether anybody waits, and wakes the first.
    Wakes,
    Done,
}

/// One state of a small world: one place for each runner, and one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    waiters: Vec<Waiter>,
    runners: Vec<Runner>,
    running: usize,
    line: Vec<usize>,
    /// Those that were woken since they slept.
    woken: BTreeSet<usize>,
}

impl World {
    fn new(waiters: usize, places: usize) -> Self {
        Self {
            waiters: vec![Waiter::Joins; waiters],
            runners: vec![Runner::Frees; places],
            running: places,
            line: Vec::new(),
            woken: BTreeSet::new(),
        }
    }

    /// The real line in this state, each waked by its number.
    fn real(&self) -> (Line<usize>, Vec<Ticket>) {
        let mut line = Line::default();
        let joined = |waiter: &usize| line.join(usize::MAX, *waiter).unwrap();
        let tickets = self.line.iter().map(joined).collect();
        (line, tickets)
    }

    /// One leaves by the real line, and who it wakes is woken.
    fn leave(&mut self, waiter: usize) {
        let (mut line, tickets) = self.real();
        let at = self.line.iter().position(|held| *held == waiter).unwrap();
        let woken = line.leave(tickets[at]).copied();
        self.woken.extend(woken);
        self.line.remove(at);
    }

    fn wake_first(&mut self) {
        let woken = self.real().0.first().copied();
        self.woken.extend(woken);
    }

    /// All states that one step of somebody leads to.
    fn next(&self, places: usize) -> Vec<Self> {
        let mut states = Vec::new();
        for waiter in 0..self.waiters.len() {
            for to in self.steps_of(waiter) {
                let mut state = self.clone();
                state.step(waiter, to, places);
                states.push(state);
            }
        }
        for runner in 0..self.runners.len() {
            let mut state = self.clone();
            match self.runners[runner] {
                Runner::Frees => {
                    state.running -= 1;
                    state.runners[runner] = Runner::Wakes;
                }
                Runner::Wakes => {
                    state.wake_first();
                    state.runners[runner] = Runner::Done;
                }
                Runner::Done => continue,
            }
            states.push(state);
        }
        states
    }

    /// What a waiter may do next; it may lose patience at any time, as a task may be dropped at any time.
    fn steps_of(&self, waiter: usize) -> Vec<Waiter> {
        match self.waiters[waiter] {
            Waiter::Served | Waiter::Gone => Vec::new(),
            Waiter::Sleeps if !self.woken.contains(&waiter) => vec![Waiter::Leaves],
            Waiter::Sleeps => vec![Waiter::Listens, Waiter::Leaves],
            Waiter::Joins | Waiter::LeavesServed | Waiter::Leaves => vec![self.waiters[waiter]],
            now @ (Waiter::Listens | Waiter::Looks) => vec![now, Waiter::Leaves],
        }
    }

    fn step(&mut self, waiter: usize, step: Waiter, places: usize) {
        self.waiters[waiter] = match step {
            Waiter::Joins => {
                self.line.push(waiter);
                Waiter::Listens
            }
            Waiter::Listens => {
                self.woken.remove(&waiter);
                let (mut line, tickets) = self.real();
                let at = self.line.iter().position(|held| *held == waiter).unwrap();
                match line.listen(tickets[at], waiter) {
                    true => Waiter::Looks,
                    false => Waiter::Sleeps,
                }
            }
            Waiter::Looks if self.running < places => {
                self.running += 1;
                Waiter::LeavesServed
            }
            Waiter::Looks => Waiter::Sleeps,
            Waiter::LeavesServed => {
                self.leave(waiter);
                // What it took it frees again, as every request does.
                self.runners.push(Runner::Frees);
                Waiter::Served
            }
            Waiter::Leaves => {
                self.leave(waiter);
                Waiter::Gone
            }
            Waiter::Sleeps | Waiter::Served | Waiter::Gone => step,
        };
    }

    /// Nobody can do anything but lose patience.
    fn is_still(&self) -> bool {
        let asleep = |waiter: usize| match self.waiters[waiter] {
            Waiter::Sleeps => !self.woken.contains(&waiter),
            Waiter::Served | Waiter::Gone => true,
            _ => false,
        };
        (0..self.waiters.len()).all(asleep) && self.runners.iter().all(|r| *r == Runner::Done)
    }
}

/// Every state that can be reached, each once.
fn explore(waiters: usize, places: usize, mut check: impl FnMut(&World)) -> usize {
    let first = World::new(waiters, places);
    let mut seen = BTreeSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(state) = open.pop() {
        check(&state);
        for next in state.next(places) {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

#[test]
fn in_every_order_of_steps_nobody_sleeps_before_a_free_place_and_no_place_is_given_twice() {
    for (waiters, places) in [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2)] {
        let states = explore(waiters, places, |state| {
            assert!(state.running <= places, "{state:?}");
            let waits = state.waiters.contains(&Waiter::Sleeps);
            assert!(!(state.is_still() && waits), "a wake was lost: {state:?}");
        });
        assert!(states > 10, "{waiters} {places}: only {states} states");
    }
}

#[test]
fn the_world_of_this_test_can_lose_a_wake() {
    // One that leaves without waking the next: the test above must notice, or it proves nothing.
    let mut state = World::new(2, 1);
    for waiter in 0..2 {
        for step in [Waiter::Joins, Waiter::Listens] {
            state.step(waiter, step, 1);
        }
    }
    state.step(0, Waiter::Looks, 1);
    state.running = 0;
    state.wake_first();
    state.runners = vec![Runner::Done];
    state.line.remove(0);
    state.waiters[0] = Waiter::Gone;
    state.woken.clear();
    assert!(state.is_still() && state.waiters.contains(&Waiter::Sleeps));
}
