//! What would become of a request that came now, and why: every backend with what speaks against it, where it would go,
//! and where it would be tried next. It asks the same [`Picker`] that workers ask, a new one, so it says what a worker that
//! begins now does; one that runs stands elsewhere in its schedule, and only its shares are the same. It changes nothing:
//! no credit is spent and nothing is counted.

use crate::admit::{self, Rejection, Shedder};
use crate::pick::{Choice, Gate, Look, PickRefused, Picker};
use crate::snapshot::{Endpoint, Service};

/// What would become of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Prospect {
    /// Every backend of the service, in its order.
    pub candidates: Vec<Candidate>,
    /// Where it would go; or why it would be refused, as the client would hear it.
    pub first: Result<Choice, Rejection>,
    /// Where further tries would go, in order, as far as the policy allows tries at all.
    pub then: Vec<Choice>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Its endpoints, in the backend's order.
    pub endpoints: Vec<Standing>,
    /// The endpoint it would go to, were it this backend's turn; an index. `None`: it would spill.
    pub its_turn: Option<usize>,
}

/// What an endpoint may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it is usable at all: neither down, drained nor off.
    pub usable: bool,
    /// What is seen of it.
    pub look: Look,
}

impl Candidate {
    /// The best of its gates; `None` without a usable endpoint.
    #[must_use]
    pub fn gate(&self) -> Option<Gate> {
        let usable = self.endpoints.iter().filter(|standing| standing.usable);
        usable.map(|standing| standing.look.gate).min()
    }
}

/// What would become of a request for this service.
pub fn prospect(service: &Service, look: impl Fn(usize, usize) -> Look) -> Prospect {
    // A picker of its own for each question: an answer must not depend on those before it.
    let picker = || Picker::new(0, service);
    let candidate = |(at, backend): (usize, &crate::snapshot::Backend)| {
        let standing = |(e, endpoint): (usize, &Endpoint)| Standing {
            usable: endpoint.usable && !backend.off,
            look: look(at, e),
        };
        let its_turn = picker()
            .after_wait(service, at, None, &look)
            .filter(|_| !backend.off);
        Candidate {
            endpoints: backend.endpoints.iter().enumerate().map(standing).collect(),
            its_turn: its_turn.map(|choice| choice.endpoint),
        }
    };
    let first = admit::admit(service, &mut Shedder::new(0)).and_then(|()| {
        let refused = |refused: PickRefused| Rejection::of_pick(refused, service);
        picker().first(service, &look).map_err(refused)
    });
    let mut tried: Vec<Choice> = first.iter().copied().collect();
    let tries = usize::from(service.spec.retry.attempts);
    while !tried.is_empty() && tried.len() < tries {
        match picker().other(service, &tried, &look) {
            Some(choice) => tried.push(choice),
            None => break,
        }
    }
    Prospect {
        candidates: service.backends.iter().enumerate().map(candidate).collect(),
        first,
        then: tried.into_iter().skip(1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::pick::PickReason;
    use crate::spec::Algorithm;

    fn three() -> Service {
        let members = [
            member("aws", 7_000, 2),
            member("gcp", 0, 1),
            member("oci", 3_000, 1),
        ];
        let mut service = service(Algorithm::LeastRequest, &members);
        std::sync::Arc::make_mut(&mut service.spec).retry.attempts = 3;
        service
    }

    #[test]
    fn it_says_what_a_new_worker_does() {
        let service = three();
        let look =
            |backend, endpoint| Look::open(if (backend, endpoint) == (0, 0) { 5 } else { 1 });
        let prospect = prospect(&service, look);
        let first = Picker::new(0, &service).first(&service, look);
        assert_eq!(prospect.first, Ok(first.unwrap()));
        assert_eq!(
            prospect.candidates[0].its_turn,
            Some(1),
            "the other has more in flight"
        );
        assert_eq!(prospect.then.len(), 2);
        let backends: Vec<usize> = prospect.then.iter().map(|c| c.backend).collect();
        assert!(
            !backends.contains(&prospect.first.unwrap().backend),
            "{backends:?}"
        );
    }

    #[test]
    fn what_is_full_or_off_is_said_and_not_picked() {
        let mut service = three();
        service.backends[1].off = true;
        let full = |backend, _| {
            let look = Look::open(4);
            if backend == 0 {
                look.with_gate(Gate::Full)
            } else {
                look
            }
        };
        let some = prospect(&service, full);
        assert_eq!(some.candidates[0].gate(), Some(Gate::Full));
        assert_eq!(some.candidates[0].its_turn, None);
        assert_eq!(
            (some.candidates[1].gate(), some.candidates[1].its_turn),
            (None, None)
        );
        assert_eq!(some.first.unwrap().backend, 2);
        assert!(matches!(
            some.first.unwrap().why,
            PickReason::Spill { .. } | PickReason::Weight
        ));

        let nothing = prospect(&service, |_, _| Look::open(4).with_gate(Gate::Full));
        assert_eq!(nothing.first.unwrap_err().reason.as_str(), "overloaded");
        assert!(nothing.then.is_empty());
    }
}
