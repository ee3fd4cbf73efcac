//! What limits count of one endpoint beside requests, as one worker uses it: connections, and the line of the backend that
//! hears of every place that frees. It decides nothing: `traffic::breaker` says from these counts what is full.

use std::cell::Cell;
use std::sync::Arc;

use crate::line::PlaceLine;
use crate::shared::{self, ConnectionCells};

/// The places at one endpoint.
#[derive(Debug)]
pub(crate) struct Places {
    connections: Arc<ConnectionCells>,
    line: Arc<PlaceLine>,
    worker: usize,
    workers: usize,
    /// `endpoint_connections`, as the newest view has it.
    connections_max: Cell<Option<u32>>,
}

impl Places {
    /// Without a limit.
    pub(crate) fn new(
        connections: Arc<ConnectionCells>,
        line: Arc<PlaceLine>,
        worker: usize,
    ) -> Self {
        Self {
            workers: connections.all().count(),
            connections,
            line,
            worker,
            connections_max: Cell::new(None),
        }
    }

    /// The limit from now on. Connections above it stay until they end.
    pub(crate) fn limit_connections(&self, max: Option<u32>) {
        self.connections_max.set(max);
    }

    /// Connections of all workers, with those being made.
    pub(crate) fn connections(&self) -> u32 {
        shared::sum_of(&self.connections, |count| count)
    }

    /// Whether one more connection may be made. `spare`: one more than the limit, in place of one that has just turned out
    /// closed and may still be counted.
    pub(crate) fn may_dial(&self, spare: u32) -> bool {
        let max = self.connections_max.get();
        max.is_none_or(|max| self.connections() < max.saturating_add(spare))
    }

    /// Whether a connection that no request uses may be kept, where so many are: what one worker keeps is of no use to
    /// the others, so each keeps its part of the limit, and none that somebody at another worker waits for.
    pub(crate) fn may_keep(&self, kept: usize) -> bool {
        let Some(max) = self.connections_max.get() else {
            return true;
        };
        let part = usize::try_from(max)
            .unwrap_or(usize::MAX)
            .div_ceil(self.workers.max(1));
        kept < part && !self.is_wanted_elsewhere()
    }

    /// Whether there is a limit on connections, and the next place is for another worker.
    pub(crate) fn is_wanted_elsewhere(&self) -> bool {
        self.connections_max.get().is_some() && self.line.is_for_another(self.worker)
    }

    /// A place for a request has been given back.
    pub(crate) fn freed(&self) {
        self.line.freed();
    }

    /// A connection is being made; counted until what this gives is dropped.
    pub(crate) fn begin_connection(&self) -> Counted {
        if let Some(cell) = self.connections.of(self.worker) {
            cell.increment();
        }
        Counted {
            connections: Arc::clone(&self.connections),
            line: Arc::clone(&self.line),
            worker: self.worker,
        }
    }
}

/// A connection, counted as long as this lives. It belongs to the thread it was made on.
#[derive(Debug)]
pub(crate) struct Counted {
    connections: Arc<ConnectionCells>,
    line: Arc<PlaceLine>,
    worker: usize,
}

impl Counted {
    /// It can carry more requests than before.
    pub(crate) fn has_room(&self) {
        self.line.freed();
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(cell) = self.connections.of(self.worker) {
            cell.decrement();
        }
        self.line.freed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(workers: usize) -> Vec<Places> {
        let cells = Arc::new(ConnectionCells::new(workers));
        let line = Arc::new(PlaceLine::default());
        let of = |worker| Places::new(Arc::clone(&cells), Arc::clone(&line), worker);
        (0..workers).map(of).collect()
    }

    #[test]
    fn connections_are_counted_over_all_workers_while_they_live() {
        let places = places(2);
        places[0].limit_connections(Some(2));
        let first = places[0].begin_connection();
        let second = places[1].begin_connection();
        assert_eq!(places[0].connections(), 2);
        assert!(!places[0].may_dial(0) && places[0].may_dial(1) && places[1].may_dial(0));
        drop(first);
        assert!(places[0].may_dial(0));
        drop(second);
        assert_eq!(places[1].connections(), 0);
    }

    #[test]
    fn each_worker_keeps_its_part_and_nothing_that_another_waits_for() {
        let places = places(2);
        assert!(places[0].may_keep(1_000), "without a limit");
        places[0].limit_connections(Some(3));
        assert!(places[0].may_keep(1) && !places[0].may_keep(2));
        let own = places[0].line.join(9, 0).unwrap();
        assert!(places[0].may_keep(0), "the next place is for this worker");
        let other = places[0].line.join(9, 1).unwrap();
        drop(own);
        assert!(!places[0].may_keep(0) && places[0].is_wanted_elsewhere());
        assert!(!places[1].is_wanted_elsewhere());
        drop(other);
        assert!(places[0].may_keep(0));
    }
}
