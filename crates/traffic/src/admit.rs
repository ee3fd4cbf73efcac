//! Whether a request is let in. Two things refuse here: a service without a backend that may be used, and one that brings
//! more than fits, of which the part that does not fit is shed; what the pick finds full is refused in the same words. It
//! never refuses without saying why and when to come back, and never by chance: what part is shed, a [`Shedder`] counts off.

use std::time::Duration;

use bascule_model::BasisPoints;

use crate::pick::PickRefused;
use crate::snapshot::{Mode, Refusal, Service};

/// When a client that found everything full should come back: what is in flight ends, so soon.
const OVERLOADED_AFTER: Duration = Duration::from_secs(1);

/// A request that is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused: {}", .reason.as_str())]
pub struct Rejection {
    /// Why.
    pub reason: Reason,
    /// The value of `Retry-After`, in seconds; at least 1, since 0 invites an immediate repetition.
    pub retry_after_seconds: u64,
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Its service refuses everything.
    Service(Refusal),
    /// All that might take it is full.
    Overloaded,
    /// It is of the part that fits nowhere.
    Shed,
}

impl Reason {
    /// The reason as clients, logs and metrics get it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service(refusal) => refusal.as_str(),
            Self::Overloaded => "overloaded",
            Self::Shed => "shed",
        }
    }
}

impl Rejection {
    fn new(reason: Reason, wait: Duration) -> Self {
        let round_up = u64::from(wait.subsec_nanos() > 0);
        Self {
            reason,
            retry_after_seconds: wait.as_secs().saturating_add(round_up).max(1),
        }
    }

    /// Nothing was picked for a request that had been let in. Where nothing is there any more it hears what it would in
    /// the next moment.
    #[must_use]
    pub fn of_pick(refused: PickRefused, service: &Service) -> Self {
        match refused {
            PickRefused::Full => Self::new(Reason::Overloaded, OVERLOADED_AFTER),
            PickRefused::Nothing => {
                let reason = Reason::Service(Refusal::NoBackendUp);
                Self::new(reason, service.retry_after)
            }
        }
    }
}

/// Which requests of a service one worker sheds: evenly spread, and after any number of requests less than one away from
/// the part that is to be shed, however that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shedder {
    /// What is to be shed and is not yet, in ten-thousandths of a request.
    owed: u16,
}

impl Shedder {
    /// For worker `worker`, counted from 0. Workers start apart, so that they do not all shed at once.
    #[must_use]
    pub fn new(worker: usize) -> Self {
        /// 10 000 ÷ the golden ratio.
        const APART: usize = 6_180;
        let owed = worker.wrapping_mul(APART) % 10_000;
        Self {
            owed: u16::try_from(owed).unwrap_or(0),
        }
    }

    /// Whether this request is shed.
    pub fn sheds(&mut self, part: BasisPoints) -> bool {
        // At most 9 999 + 10 000.
        let owed = self.owed.saturating_add(part.get());
        let sheds = owed >= BasisPoints::FULL.get();
        self.owed = if sheds {
            owed - BasisPoints::FULL.get()
        } else {
            owed
        };
        sheds
    }
}

/// Lets a request in, or says why not.
///
/// # Errors
/// [`Rejection`] when the service refuses everything, or this request is shed.
pub fn admit(service: &Service, shedder: &mut Shedder) -> Result<(), Rejection> {
    match service.mode {
        Mode::Serve | Mode::FailOpen if service.shed.is_zero() => Ok(()),
        Mode::Serve | Mode::FailOpen => {
            if !shedder.sheds(service.shed) {
                return Ok(());
            }
            let patience = service.spec.class.patience();
            let wait = service.retry_after.saturating_mul(patience);
            Err(Rejection::new(Reason::Shed, wait))
        }
        Mode::Refuse(refusal) => {
            let reason = Reason::Service(refusal);
            Err(Rejection::new(reason, service.retry_after))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::capacity::Class;
    use crate::fixtures::{member, points, service};
    use crate::spec::Algorithm;

    fn one() -> Service {
        service(Algorithm::Random, &[member("aws", 10_000, 1)])
    }

    #[test]
    fn a_service_that_serves_or_fails_open_lets_requests_in() {
        let mut service = one();
        let mut shedder = Shedder::new(0);
        assert_eq!(admit(&service, &mut shedder), Ok(()));
        service.mode = Mode::FailOpen;
        assert_eq!(admit(&service, &mut shedder), Ok(()));
    }

    #[test]
    fn a_refusal_says_why_and_when_to_come_back_in_whole_seconds() {
        let mut service = one();
        service.mode = Mode::Refuse(Refusal::NoBackendUp);
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (30_000, 30)] {
            service.retry_after = Duration::from_millis(millis);
            let rejection = admit(&service, &mut Shedder::new(0)).unwrap_err();
            assert_eq!(rejection.retry_after_seconds, seconds, "{millis} ms");
            assert_eq!(rejection.to_string(), "refused: no_backend_up");
        }
    }

    #[test]
    fn where_all_is_full_a_client_is_told_to_come_back_soon() {
        let mut service = service(Algorithm::Random, &[member("aws", 10_000, 1)]);
        service.retry_after = Duration::from_secs(30);
        let rejection = Rejection::of_pick(PickRefused::Full, &service);
        assert_eq!(
            (rejection.reason.as_str(), rejection.retry_after_seconds),
            ("overloaded", 1)
        );
        let rejection = Rejection::of_pick(PickRefused::Nothing, &service);
        assert_eq!(
            (rejection.reason.as_str(), rejection.retry_after_seconds),
            ("no_backend_up", 30)
        );
    }

    #[test]
    fn what_is_shed_is_asked_to_stay_away_the_longer_the_less_important_it_is() {
        let mut service = one();
        service.shed = points(10_000);
        service.retry_after = Duration::from_secs(2);
        for (class, seconds) in [(Class::Media, 2), (Class::Signalling, 4), (Class::Bulk, 20)] {
            Arc::make_mut(&mut service.spec).class = class;
            let rejection = admit(&service, &mut Shedder::new(0)).unwrap_err();
            assert_eq!(rejection.retry_after_seconds, seconds);
            assert_eq!(rejection.to_string(), "refused: shed");
        }
    }

    #[test]
    fn every_fifth_of_a_fifth_is_shed() {
        let mut shedder = Shedder::new(0);
        let shed: Vec<bool> = (0..10).map(|_| shedder.sheds(points(2_000))).collect();
        let once = [false, false, false, false, true];
        assert_eq!(shed, [once, once].concat());
    }

    proptest! {
        #[test]
        fn the_part_shed_is_never_a_whole_request_from_what_it_should_be(
            parts in prop::collection::vec((0_u16..=10_000, 1_usize..50), 1..40), worker in 0_usize..64
        ) {
            let mut shedder = Shedder::new(worker);
            let (mut should, mut shed) = (0_i64, 0_i64);
            for (part, times) in parts {
                for _ in 0..times {
                    should += i64::from(part);
                    shed += 10_000 * i64::from(shedder.sheds(points(part)));
                    prop_assert!((shed - should).abs() <= 10_000, "{} {}", shed, should);
                }
            }
        }
    }
}
