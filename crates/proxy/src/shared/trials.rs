//! Trials of one service: requests that find out whether an endpoint that was taken out works again. The judge grants one
//! at a time for an endpoint; whichever worker has a fitting request first takes it. A request that finds none granted
//! pays one look at a number that hardly ever changes. As with what a worker suspects, a trial is kept for a while for a
//! request that can be repeated elsewhere, should it fail.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bascule_model::Instant;
use bascule_traffic::suspect::{Repeatable, TRIAL_OF_ANY_AFTER};
use crossbeam_utils::CachePadded;

use super::EndpointCells;

/// How many tickets lie at the endpoints of one service.
#[derive(Debug, Default)]
pub(crate) struct Trials(CachePadded<AtomicU64>);

impl Trials {
    /// Whether a trial is granted and not taken.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Relaxed) > 0
    }

    /// Grants a trial of an endpoint; nothing when it has one.
    pub(super) fn grant(&self, cells: &EndpointCells, now: Instant) {
        // First counted, then there, so that whoever takes it finds the count above zero.
        self.0.fetch_add(1, Relaxed);
        if !cells.put_ticket(now) {
            self.0.fetch_sub(1, Relaxed);
        }
    }

    /// Whether an endpoint has a trial that this request may take.
    pub(crate) fn fits(cells: &EndpointCells, now: Instant, repeatable: Repeatable) -> bool {
        cells.ticket().is_some_and(|granted| {
            repeatable == Repeatable::Yes || now.since(granted) >= TRIAL_OF_ANY_AFTER
        })
    }

    /// Takes the trial of an endpoint, for a request or because nobody will; whether there was one.
    pub(crate) fn take(&self, cells: &EndpointCells) -> bool {
        let taken = cells.take_ticket();
        if taken {
            self.0.fetch_sub(1, Relaxed);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Instant = Instant::from_millis(5_000);

    #[test]
    fn a_trial_is_taken_once_however_often_it_is_granted() {
        let (trials, cells) = (Trials::default(), EndpointCells::new(1));
        trials.grant(&cells, NOW);
        trials.grant(&cells, NOW);
        assert!(trials.any());
        assert!(trials.take(&cells, NOW, Repeatable::Yes));
        assert!(!trials.take(&cells, NOW, Repeatable::Yes));
        assert!(!trials.any());
    }

    #[test]
    fn a_request_that_cannot_be_repeated_is_a_trial_only_when_no_other_came_for_a_second() {
        let (trials, cells) = (Trials::default(), EndpointCells::new(1));
        trials.grant(&cells, NOW);
        assert!(!trials.take(
            &cells,
            NOW + (TRIAL_OF_ANY_AFTER - Duration::from_millis(1)),
            Repeatable::No
        ));
        assert!(trials.take(&cells, NOW + TRIAL_OF_ANY_AFTER, Repeatable::No));
    }

    #[test]
    fn trials_of_two_endpoints_are_counted_apart() {
        let (trials, one, two) = (
            Trials::default(),
            EndpointCells::new(1),
            EndpointCells::new(1),
        );
        trials.grant(&one, NOW);
        trials.grant(&two, NOW);
        assert!(trials.take(&one, NOW, Repeatable::Yes));
        assert!(trials.any());
        assert!(trials.take(&two, NOW, Repeatable::Yes));
        assert!(!trials.any());
    }
}
