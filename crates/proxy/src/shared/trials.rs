//! Trials of one service: requests that find out whether an endpoint that was taken out works again. The judge grants one
//! at a time for an endpoint, a ticket; whichever worker has a fitting request first takes it. A request that finds none
//! granted pays one look at a number that hardly ever changes. As with what a worker suspects, a trial is kept for a while
//! for a request that can be repeated elsewhere, should it fail. A ticket goes with its endpoint: one that nobody can find
//! would have every request look for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bascule_model::Instant;
use bascule_traffic::suspect::{Repeatable, TRIAL_OF_ANY_AFTER};
use crossbeam_utils::CachePadded;

/// How many tickets lie at the endpoints of one service.
#[derive(Debug, Default)]
pub(crate) struct Trials(CachePadded<AtomicU64>);

impl Trials {
    /// Whether a trial is granted and not taken.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }
}

/// The place for one endpoint's ticket.
#[derive(Debug)]
pub(super) struct Ticket {
    /// When the trial was granted, in nanoseconds; 0: none is.
    granted: CachePadded<AtomicU64>,
    of_service: Arc<Trials>,
}

impl Ticket {
    /// None is granted.
    pub(super) fn new(of_service: Arc<Trials>) -> Self {
        Self {
            granted: CachePadded::default(),
            of_service,
        }
    }

    /// Grants a trial; nothing when there is one.
    pub(super) fn grant(&self, now: Instant) {
        // First counted, then there, so that whoever takes it finds the count above zero.
        self.of_service.0.fetch_add(1, Relaxed);
        if self.granted.swap(now.as_nanos().max(1), Relaxed) > 0 {
            self.of_service.0.fetch_sub(1, Relaxed);
        }
    }

    /// Whether there is a trial that a request may take.
    pub(super) fn is_for(&self, now: Instant, repeatable: Repeatable) -> bool {
        let granted = self.granted.load(Relaxed);
        let age = || now.since(Instant::from_nanos(granted));
        granted > 0 && (repeatable == Repeatable::Yes || age() >= TRIAL_OF_ANY_AFTER)
    }

    /// Takes the trial; whether there was one. Of two that try, one gets it.
    pub(super) fn take(&self) -> bool {
        let taken = self.granted.load(Relaxed) > 0 && self.granted.swap(0, Relaxed) > 0;
        if taken {
            self.of_service.0.fetch_sub(1, Relaxed);
        }
        taken
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_millis(5_000);

    fn tickets() -> (Arc<Trials>, [Ticket; 2]) {
        let trials = Arc::new(Trials::default());
        let ticket = |_| Ticket::new(Arc::clone(&trials));
        (Arc::clone(&trials), [0, 1].map(ticket))
    }

    #[test]
    fn a_trial_is_taken_once_however_often_it_is_granted() {
        let (trials, [ticket, _]) = tickets();
        ticket.grant(NOW);
        ticket.grant(NOW);
        assert!(trials.any() && ticket.is_for(NOW, Repeatable::Yes));
        assert!(ticket.take());
        assert!(!ticket.is_for(NOW, Repeatable::Yes) && !ticket.take());
        assert!(!trials.any());
    }

    #[test]
    fn a_request_that_cannot_be_repeated_is_a_trial_only_when_no_other_came_for_a_while() {
        let (_, [ticket, _]) = tickets();
        ticket.grant(NOW);
        let before = NOW + (TRIAL_OF_ANY_AFTER - Duration::from_millis(1));
        assert!(!ticket.is_for(before, Repeatable::No));
        assert!(ticket.is_for(NOW + TRIAL_OF_ANY_AFTER, Repeatable::No));
    }

    #[test]
    fn trials_of_two_endpoints_are_counted_apart() {
        let (trials, [one, two]) = tickets();
        one.grant(NOW);
        two.grant(NOW);
        assert!(one.take());
        assert!(trials.any());
        assert!(two.take());
        assert!(!trials.any());
    }

    #[test]
    fn a_trial_of_an_endpoint_that_goes_is_looked_for_no_more() {
        let (trials, [one, two]) = tickets();
        one.grant(NOW);
        drop((one, two));
        assert!(!trials.any());
    }
}
