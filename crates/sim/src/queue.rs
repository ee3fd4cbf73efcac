//! What is going to happen, in order of time; of what happens at the same instant, what was planned first comes first.
//! That order is what makes a history repeatable.

use std::collections::BTreeMap;

use bascule_model::Instant;

/// Events that lie ahead.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(Instant, u64), E>,
    planned: u64,
}

impl<E> Queue<E> {
    /// Nothing lies ahead.
    pub(crate) const fn new() -> Self {
        Self {
            events: BTreeMap::new(),
            planned: 0,
        }
    }

    /// Plans an event.
    pub(crate) fn push(&mut self, at: Instant, event: E) {
        self.planned = self.planned.saturating_add(1);
        self.events.insert((at, self.planned), event);
    }

    /// The next event, if it is not after `end`.
    pub(crate) fn pop(&mut self, end: Instant) -> Option<(Instant, E)> {
        let first = self.events.first_entry()?;
        if first.key().0 > end {
            return None;
        }
        let ((at, _), event) = first.remove_entry();
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_planning_and_none_after_the_end() {
        let mut queue = Queue::new();
        let at = Instant::from_millis;
        for (millis, name) in [(5, 'c'), (1, 'a'), (5, 'd'), (1, 'b'), (9, 'e')] {
            queue.push(at(millis), name);
        }
        let order: String = std::iter::from_fn(|| queue.pop(at(8)).map(|(_, e)| e)).collect();
        assert_eq!(order, "abcd");
        assert_eq!(queue.pop(at(9)), Some((at(9), 'e')));
        assert_eq!(queue.pop(at(99)), None);
    }
}
