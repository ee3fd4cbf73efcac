//! The line of requests that wait for a place at a backend, in the order they came. Only the first in it looks for a
//! place; whoever leaves, served or not, wakes the one that has become first. So no place is given to two, none is passed
//! to somebody who has left, and no wake is lost: a place that frees wakes the first, and one that became free while
//! nobody was awake is seen by the next first before it sleeps. The order of steps that this needs of its callers is in
//! the tests, which play all of them. It holds wakers of whatever kind and never calls one; `proxy::line` does.

use std::collections::VecDeque;

/// Names one that waits. Never given twice by a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Those that wait, each with what wakes it.
#[derive(Debug)]
pub struct Line<W> {
    waiting: VecDeque<(Ticket, W)>,
    next: u64,
}

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            next: 0,
        }
    }
}

impl<W> Line<W> {
    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none does.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Joins at the end; `None` where `max` wait already.
    pub fn join(&mut self, max: usize, waker: W) -> Option<Ticket> {
        if self.waiting.len() >= max {
            return None;
        }
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        self.waiting.push_back((ticket, waker));
        self.check_invariants();
        Some(ticket)
    }

    /// Renews what wakes one, and says whether it is the first: then, and only then, it looks for a place.
    pub fn listen(&mut self, ticket: Ticket, waker: W) -> bool {
        let found = self.waiting.iter_mut().find(|(held, _)| *held == ticket);
        if let Some((_, held)) = found {
            *held = waker;
        }
        self.is_first(ticket)
    }

    /// Leaves, served or not. Gives the one to wake: whoever is first by this.
    pub fn leave(&mut self, ticket: Ticket) -> Option<&W> {
        let was_first = self.is_first(ticket);
        let at = self.waiting.iter().position(|(held, _)| *held == ticket)?;
        self.waiting.remove(at);
        self.check_invariants();
        if was_first { self.first() } else { None }
    }

    /// The one to wake when a place has become free.
    #[must_use]
    pub fn first(&self) -> Option<&W> {
        self.waiting.front().map(|(_, waker)| waker)
    }

    fn is_first(&self, ticket: Ticket) -> bool {
        self.waiting
            .front()
            .is_some_and(|(held, _)| *held == ticket)
    }

    fn check_invariants(&self) {
        let tickets = self.waiting.iter().map(|(ticket, _)| ticket);
        debug_assert!(tickets.is_sorted(), "a line keeps the order of arrival");
    }
}

#[cfg(test)]
mod tests;
