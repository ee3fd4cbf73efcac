//! When the totals of the data plane are looked at: every tenth of a second, and at once when something failed, though not
//! more than a hundred times a second. Nothing is looked at while nobody judges by it.

use std::sync::Arc;

use bascule_health::passive::{LOOK_AGAIN, LOOK_EVERY};
use bascule_model::{EndpointId, EndpointTotals, Instant};

/// What the task needs of the data plane.
pub trait Traffic: std::fmt::Debug {
    /// What all workers have counted by now, of every endpoint they know.
    fn totals(&self) -> Vec<(Arc<EndpointId>, EndpointTotals)>;

    /// Lets one request go to an endpoint that is out.
    fn grant_trial(&self, endpoint: &EndpointId, now: Instant);
}

/// The looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    next: Option<Instant>,
    last: Instant,
}

impl Looks {
    /// Looks from now on, or no more.
    pub(crate) fn set(&mut self, now: Instant, wanted: bool) {
        self.next = wanted.then(|| self.next.unwrap_or(now));
    }

    /// Something failed.
    pub(crate) fn hurry(&mut self, now: Instant) {
        let soonest = now.max(self.last + LOOK_AGAIN);
        self.next = self.next.map(|next| next.min(soonest));
    }

    /// When the next is due.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.next
    }

    /// One is made.
    pub(crate) fn made(&mut self, now: Instant) {
        self.last = now;
        self.next = Some(now + LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_bring_a_look_forward_and_a_flood_of_them_no_more_than_one_in_ten_milliseconds() {
        let mut looks = Looks::default();
        let start = Instant::from_millis(10_000);
        looks.hurry(start);
        assert_eq!(looks.due(), None, "nobody judges by it");
        looks.set(start, true);
        looks.made(start);
        assert_eq!(looks.due(), Some(start + LOOK_EVERY));
        looks.hurry(start + LOOK_AGAIN / 2);
        assert_eq!(looks.due(), Some(start + LOOK_AGAIN));
        looks.made(start + LOOK_AGAIN);
        looks.hurry(start + LOOK_EVERY);
        assert_eq!(looks.due(), Some(start + LOOK_EVERY));
        looks.set(start, false);
        assert_eq!(looks.due(), None);
    }
}
