//! What would become of a request that came now, or what was seen when one was picked for, and why: every backend with
//! what speaks against it, where a request goes and by what, and where it would be tried next. A prospect asks the same
//! [`Picker`] that workers ask, a new one, so it says what a worker that begins now does; one that runs stands elsewhere in
//! its schedule, and only its shares are the same. It changes nothing: no credit is spent and nothing is counted. The
//! words here are the only ones: `explain request`, the access log's decision and the header say the same.

mod by;
mod rule;

use crate::admit::{self, Rejection, Shedder};
use crate::keys::{BondReason, Ignored};
use crate::pick::{Choice, Gate, Look, PickReason, PickRefused, Picker, Way};
use crate::snapshot::{Backend, Endpoint, Service};
pub use by::By;
pub use rule::matched;

/// What the data plane sees of a request that would come now, and of the endpoints it might go to. The default: nothing
/// that ties it to anything, and no endpoint that anybody suspects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sight {
    /// What of it decides its first pick.
    pub way: Way,
    /// What says where it belongs.
    pub why: Option<BondReason>,
    /// Why what it brings to be kept together by is ignored, if it is.
    pub ignored: Option<Ignored>,
    /// Why what it brings as the key of its endpoint is ignored, if it is.
    pub key_ignored: Option<Ignored>,
    /// The endpoint that a trial is granted of which it may be, as indexes of backend and endpoint.
    pub trial: Option<(usize, usize)>,
    /// What workers suspect, by indexes of backend and endpoint; what is not there is open.
    pub gates: Vec<Vec<Gate>>,
}

impl Sight {
    /// What workers suspect of an endpoint.
    #[must_use]
    pub fn gate(&self, backend: usize, endpoint: usize) -> Gate {
        let gates = self.gates.get(backend);
        let gate = gates.and_then(|gates| gates.get(endpoint));
        gate.copied().unwrap_or(Gate::Open)
    }
}

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
    /// The endpoint it would go to, were it this backend's turn; an index. `None`: it would spill, or nobody asked.
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

impl Standing {
    /// What it may get, in a word: its gate's, or `unusable`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        if self.usable {
            self.look.gate.as_str()
        } else {
            "unusable"
        }
    }
}

impl Candidate {
    /// The best of its gates; `None` without a usable endpoint.
    #[must_use]
    pub fn gate(&self) -> Option<Gate> {
        let usable = self.endpoints.iter().filter(|standing| standing.usable);
        usable.map(|standing| standing.look.gate).min()
    }

    /// What speaks against the backend, in a word; nothing when it takes what is its turn.
    #[must_use]
    pub fn against(&self, backend: &Backend) -> Option<&'static str> {
        match self.gate() {
            _ if backend.off => Some("off"),
            None => Some("no_endpoint_usable"),
            Some(gate @ (Gate::Full | Gate::Suspect)) => Some(gate.as_str()),
            Some(Gate::Open | Gate::Trial) => None,
        }
    }
}

/// Every backend of a service as it is seen now.
pub fn candidates(service: &Service, look: impl Fn(usize, usize) -> Look) -> Vec<Candidate> {
    let candidate = |(at, backend): (usize, &Backend)| {
        let standing = |(e, endpoint): (usize, &Endpoint)| Standing {
            usable: endpoint.usable && !backend.off,
            look: look(at, e),
        };
        Candidate {
            endpoints: backend.endpoints.iter().enumerate().map(standing).collect(),
            its_turn: None,
        }
    };
    service.backends.iter().enumerate().map(candidate).collect()
}

/// What would become of a request for this service. `trial`: the endpoint that a trial is granted of which this request
/// may be, as indexes of backend and endpoint.
pub fn prospect(
    service: &Service,
    way: Way,
    trial: Option<(usize, usize)>,
    look: impl Fn(usize, usize) -> Look,
) -> Prospect {
    // A picker of its own for each question: an answer must not depend on those before it.
    let picker = || Picker::new(0, service);
    let key = way.place.map_or(way.key, |place| place.key);
    let mut candidates = candidates(service, &look);
    for (at, (candidate, backend)) in candidates.iter_mut().zip(&service.backends).enumerate() {
        let its_turn = picker().after_wait(service, at, key, &look);
        let its_turn = its_turn.filter(|_| !backend.off);
        candidate.its_turn = its_turn.map(|choice| choice.endpoint);
    }
    let has_place = |(backend, endpoint): &(usize, usize)| {
        let gate = look(*backend, *endpoint).gate;
        gate != Gate::Full
    };
    let trial = trial.filter(has_place).map(|(backend, endpoint)| Choice {
        backend,
        endpoint,
        why: PickReason::Trial,
    });
    let refused = |refused: PickRefused| Rejection::of_pick(refused, service);
    let first = admit::admit(service, &mut Shedder::new(0)).and_then(|()| match trial {
        // One that belongs somewhere is nobody's trial.
        Some(trial) if way.place.is_none() => Ok(trial),
        _ => picker().first_of(service, way, &look).map_err(refused),
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
        candidates,
        first,
        then: tried.into_iter().skip(1).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{member, service};
    use crate::hash::Key;
    use crate::pick::{PickReason, Place};
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
        let prospect = prospect(&service, Way::default(), None, look);
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
        let some = prospect(&service, Way::default(), None, full);
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

        let nothing = prospect(&service, Way::default(), None, |_, _| {
            Look::open(4).with_gate(Gate::Full)
        });
        assert_eq!(nothing.first.unwrap_err().reason.as_str(), "overloaded");
        assert!(nothing.then.is_empty());
    }

    #[test]
    fn a_request_that_belongs_somewhere_goes_there_and_a_trial_only_where_it_belongs_nowhere() {
        let service = three();
        let place = Place {
            backend: 2,
            endpoint: Some(0),
            key: None,
        };
        let way = Way {
            place: Some(place),
            key: None,
        };
        let open = |_, _| Look::open(0);
        let first = prospect(&service, way, Some((0, 1)), open).first.unwrap();
        assert_eq!((first.backend, first.why), (2, PickReason::Affinity));
        let trial = prospect(&service, Way::default(), Some((0, 1)), open);
        let first = trial.first.unwrap();
        assert_eq!((first.backend, first.endpoint), (0, 1));
        assert_eq!(first.why, PickReason::Trial);
    }

    #[test]
    fn a_key_is_followed_as_a_worker_follows_it() {
        let service = service(Algorithm::Rendezvous, &[member("aws", 10_000, 5)]);
        for n in 0..50 {
            let key = Some(Key::of(format!("room-{n}").as_bytes()));
            let way = Way { place: None, key };
            let look = |_, endpoint: usize| Look::open(u32::try_from(endpoint).unwrap());
            let said = prospect(&service, way, None, look);
            let first = Picker::new(3, &service).first_by(&service, key, look);
            assert_eq!(said.first, Ok(first.unwrap()), "{n}");
            let its_turn = said.candidates[0].its_turn;
            assert_eq!(its_turn, Some(first.unwrap().endpoint), "{n}");
        }
    }
}
