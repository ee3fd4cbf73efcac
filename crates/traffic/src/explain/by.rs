//! By what an endpoint was chosen inside its backend. It is read off a choice that was made, from what was seen then, and
//! chooses nothing.

use super::Standing;
use crate::pick::{Choice, Gate, PickReason, Way};
use crate::snapshot::Service;
use crate::spec::Algorithm;

/// What decided about the endpoint, once the backend was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// It was the only one that might have it.
    Only,
    /// The request's cookie names it, or its key is in use there.
    Bound,
    /// The request's key belongs to it.
    Key,
    /// The service's algorithm; of one that follows a key the least loaded, as there was none.
    Algorithm(Algorithm),
    /// A trial was granted of it.
    Trial,
    /// It had failed there, and there was nowhere else.
    Again,
}

impl By {
    /// The word used in logs and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::Bound => "bound",
            Self::Key => "key",
            Self::Algorithm(algorithm) => algorithm.as_str(),
            Self::Trial => "trial",
            Self::Again => "again",
        }
    }

    /// What decided about a choice. `tried`: where the request had been tried before; `endpoints`: what was seen of those of
    /// the choice's backend.
    #[must_use]
    pub fn of(
        choice: Choice,
        service: &Service,
        way: Way,
        tried: &[Choice],
        endpoints: &[Standing],
    ) -> Self {
        let was_tried = |endpoint: usize| {
            let same = |c: &Choice| c.backend == choice.backend && c.endpoint == endpoint;
            tried.iter().any(same)
        };
        let is_retry = choice.why == PickReason::Retry;
        if choice.why == PickReason::Trial {
            return Self::Trial;
        }
        if is_retry && was_tried(choice.endpoint) {
            return Self::Again;
        }
        let belongs = |place: crate::pick::Place| {
            place.backend == choice.backend && place.endpoint == Some(choice.endpoint)
        };
        if !is_retry && way.place.is_some_and(belongs) {
            return Self::Bound;
        }
        let chosen = endpoints.get(choice.endpoint).map(|s| s.look.gate);
        let worst = chosen.unwrap_or(Gate::Open).max(Gate::Trial);
        let rival = |(at, standing): (usize, &Standing)| {
            let may = standing.usable && standing.look.gate <= worst;
            may && at != choice.endpoint && !was_tried(at)
        };
        if !endpoints.iter().enumerate().any(rival) {
            return Self::Only;
        }
        let key = way.place.map_or(way.key, |place| place.key);
        let algorithm = service.spec.balance.algorithm;
        match algorithm {
            _ if key.is_some() && !is_retry => Self::Key,
            Algorithm::Maglev | Algorithm::Rendezvous => Self::Algorithm(Algorithm::LeastRequest),
            // A further try goes to the least loaded, whatever the turn.
            Algorithm::RoundRobin | Algorithm::Random if is_retry => {
                Self::Algorithm(Algorithm::LeastRequest)
            }
            other => Self::Algorithm(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::hash::Key;
    use crate::pick::{Look, Place};

    fn by(algorithm: Algorithm, why: PickReason, way: Way, tried: &[usize], open: &[bool]) -> By {
        let service = service(algorithm, &[member("aws", 10_000, open.len())]);
        let at = |endpoint, why| Choice {
            backend: 0,
            endpoint,
            why,
        };
        let gate = |open: &bool| if *open { Gate::Open } else { Gate::Full };
        let standing = |open| Standing {
            usable: true,
            look: Look::open(0).with_gate(gate(open)),
        };
        let endpoints: Vec<Standing> = open.iter().map(standing).collect();
        let before = |endpoint: &usize| at(*endpoint, PickReason::Weight);
        let tried: Vec<Choice> = tried.iter().map(before).collect();
        By::of(at(0, why), &service, way, &tried, &endpoints)
    }

    #[test]
    fn what_decided_is_said_in_the_order_in_which_it_decides() {
        use PickReason::{Affinity, Retry, Trial, Weight};
        let least = By::Algorithm(Algorithm::LeastRequest);
        let key = Some(Key::of(b"room"));
        let keyed = Way { place: None, key };
        let place = |endpoint| Way {
            place: Some(Place {
                backend: 0,
                endpoint,
                key,
            }),
            key: None,
        };
        let none = Way::default();
        let random = Algorithm::Random;
        for (algorithm, why, way, tried, open, said) in [
            (
                random,
                Weight,
                none,
                &[][..],
                &[true, true][..],
                By::Algorithm(random),
            ),
            (random, Weight, none, &[], &[true, false], By::Only),
            (random, Weight, none, &[], &[true], By::Only),
            (random, Trial, none, &[], &[true, true], By::Trial),
            (random, Retry, none, &[1], &[true, true, true], least),
            (random, Retry, none, &[1], &[true, true], By::Only),
            (random, Retry, none, &[0], &[true, true], By::Again),
            (Algorithm::Maglev, Weight, none, &[], &[true, true], least),
            (
                Algorithm::Maglev,
                Weight,
                keyed,
                &[],
                &[true, true],
                By::Key,
            ),
            (random, Affinity, place(None), &[], &[true, true], By::Key),
            (random, Affinity, place(Some(0)), &[], &[true], By::Bound),
            (
                random,
                Affinity,
                place(Some(1)),
                &[],
                &[true, true],
                By::Key,
            ),
        ] {
            let found = by(algorithm, why, way, tried, open);
            assert_eq!(
                found, said,
                "{algorithm:?} {why:?} {way:?} {tried:?} {open:?}"
            );
        }
    }
}
