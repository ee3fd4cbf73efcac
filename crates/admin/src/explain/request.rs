//! What would become of a request: which listener, service and `match` entry, what keeps it together with others, which
//! backends and endpoints, which of them now, and where after that. It asks the decisions themselves (`traffic::route`,
//! `traffic::explain`) with what the data plane sees at this moment ([`Seen`]), and decides nothing. The same for a running
//! edge and for a file that nobody runs yet. Next: [`asked`] for the question.

mod asked;
mod text;

use std::sync::Arc;

use bascule_model::{AdminState, EndpointId};
use bascule_traffic::breaker::{BackendCounts, Loads};
use bascule_traffic::explain::{By, Candidate, Prospect, Sight, Standing, matched, prospect};
use bascule_traffic::keys;
use bascule_traffic::retry::is_idempotent;
use bascule_traffic::snapshot::{Backend, Endpoint, Service};
use bascule_traffic::{Choice, Gate, Look, Snapshot};

use crate::api::{
    RequestAffinity, RequestAttempts, RequestCandidate, RequestEndpoint, RequestExplanation,
    RequestKey, RequestPick, RequestQuery,
};
use crate::ports::Supposed;
use asked::Asked;
pub use asked::Door;

/// Why a request cannot be explained: it is none. With the parameter and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{parameter}: {problem}")]
pub struct NoRequest {
    /// `url`, `listener`, `method`.
    pub parameter: &'static str,
    /// In words.
    pub problem: String,
}

/// What is seen at the moment of the question.
#[expect(
    missing_debug_implementations,
    reason = "half of it are functions, which show nothing"
)]
pub struct Seen<'a> {
    /// What is served.
    pub snapshot: &'a Snapshot,
    /// What runs, waits and is connected.
    pub loads: &'a Loads,
    /// Whether traffic took an endpoint out.
    pub is_ejected: &'a dyn Fn(&EndpointId) -> bool,
    /// What the data plane sees of a request, and suspects of endpoints.
    pub sight: &'a dyn Fn(&Arc<Service>, &Supposed) -> Sight,
}

/// Explains a request by what is seen.
///
/// # Errors
/// [`NoRequest`].
pub fn explain(
    query: &RequestQuery,
    doors: &[Door],
    seen: &Seen<'_>,
) -> Result<RequestExplanation, NoRequest> {
    let asked = Asked::read(query, doors)?;
    let snapshot = seen.snapshot;
    let table = snapshot.routes.listener(&asked.supposed.listener);
    let host = asked.host.as_deref();
    let path = asked.supposed.path.path();
    let route = table.and_then(|table| table.find(host, path)).copied();
    let found = route.and_then(|route| Some((route, snapshot.services.get(route.service)?)));
    let mut explanation = RequestExplanation {
        method: asked.method.clone(),
        host: asked.host.clone(),
        path: path.to_owned(),
        listener: asked.supposed.listener.to_string(),
        service: found.map(|(_, service)| service.name().to_string()),
        matched: String::new(),
        affinity: None,
        key: None,
        refused: found.is_none().then(|| "no_service".to_owned()),
        retry_after_seconds: None,
        candidates: Vec::new(),
        pick: None,
        attempts: None,
        text: Vec::new(),
    };
    if let Some((route, service)) = found {
        explanation.matched = matched(&service.spec, route);
        let sight = (seen.sight)(service, &asked.supposed);
        let asking = Asking {
            service,
            seen,
            sight,
        };
        asking.fill(&mut explanation);
    }
    explanation.text = text::lines(&explanation);
    Ok(explanation)
}

/// One request for one service.
struct Asking<'a> {
    service: &'a Service,
    seen: &'a Seen<'a>,
    sight: Sight,
}

impl Asking<'_> {
    fn fill(&self, explanation: &mut RequestExplanation) {
        let (service, sight) = (self.service, &self.sight);
        let look = |backend, endpoint| self.look(backend, endpoint);
        let Prospect {
            candidates,
            first,
            then,
        } = prospect(service, sight.way, sight.trial, look);
        let all = service.backends.iter().zip(&candidates);
        explanation.candidates = all.map(|(b, c)| self.candidate(b, c)).collect();
        explanation.affinity = self.affinity();
        explanation.key = self.key();
        let mut tried: Vec<Choice> = Vec::new();
        let mut pick = |choice: Choice| {
            let pick = self.pick(choice, &tried, &candidates);
            tried.push(choice);
            pick
        };
        match first {
            Ok(choice) => explanation.pick = pick(choice),
            Err(rejection) => {
                explanation.refused = Some(rejection.reason.as_str().to_owned());
                explanation.retry_after_seconds = Some(rejection.retry_after_seconds);
            }
        }
        explanation.attempts = Some(RequestAttempts {
            most: service.spec.retry.attempts,
            idempotent: is_idempotent(&explanation.method),
            after: bascule_config::retry_when(service.spec.retry.when),
            then: then.into_iter().filter_map(pick).collect(),
        });
    }

    /// What is seen of an endpoint: as workers see it, but that they alone know how long it takes to answer.
    fn look(&self, backend: usize, endpoint: usize) -> Look {
        let (service, loads) = (self.service, self.seen.loads);
        let gate = self.sight.gate(backend, endpoint);
        let at = service.backends.get(backend);
        let Some((backend, endpoint)) = at.and_then(|b| Some((b, b.endpoints.get(endpoint)?)))
        else {
            return Look::open(0);
        };
        let limits = &service.spec.limits;
        let counts = loads.of_endpoint(&endpoint.id);
        let at_backend: BackendCounts = loads.of_backend(service.name(), &backend.name);
        let is_full = limits.is_limited()
            && (limits.is_closed(at_backend) || limits.endpoint_full(counts).is_some());
        let gate = if is_full { Gate::Full } else { gate };
        Look::open(counts.requests).with_gate(gate)
    }

    fn affinity(&self) -> Option<RequestAffinity> {
        let (service, sight) = (self.service, &self.sight);
        let spec = service.spec.affinity.as_ref()?;
        let place = sight.way.place;
        let name = |backend: usize| service.backends.get(backend).map(|b| b.name.to_string());
        let key = place.and_then(|place| place.key);
        let map = service.placement.as_ref();
        let mapped = map.and_then(|map| map.backend(key?));
        let endpoint = place.and_then(|place| {
            let backend = service.backends.get(place.backend)?;
            backend.endpoints.get(place.endpoint?)
        });
        Some(RequestAffinity {
            by: spec.by.describe(),
            why: sight.why.map(|why| why.as_str().to_owned()),
            backend: place.and_then(|place| name(place.backend)),
            endpoint: endpoint.map(|endpoint| endpoint.id.label()),
            bucket: key.map(keys::bucket),
            mapped: mapped.and_then(name),
            ignored: sight.ignored.map(|ignored| ignored.as_str().to_owned()),
        })
    }

    /// The key of the endpoint, where it is looked for: one that belongs somewhere goes by what says so, and one key is both
    /// where both are found in the same.
    fn key(&self) -> Option<RequestKey> {
        let (spec, sight) = (&self.service.spec, &self.sight);
        let source = spec.balance.hash.as_ref()?;
        let is_both = spec.affinity.as_ref().and_then(|a| a.by.key()) == Some(source);
        if is_both || sight.way.place.is_some() {
            return None;
        }
        Some(RequestKey {
            by: source.describe(),
            found: sight.way.key.is_some(),
            ignored: sight.key_ignored.map(|ignored| ignored.as_str().to_owned()),
        })
    }

    fn candidate(&self, backend: &Backend, candidate: &Candidate) -> RequestCandidate {
        let endpoints = backend.endpoints.iter().zip(&candidate.endpoints);
        let turn = candidate.its_turn.and_then(|at| backend.endpoints.get(at));
        RequestCandidate {
            backend: backend.name.to_string(),
            provider: backend.provider.to_string(),
            share: backend.effective.percent(),
            off: backend.off,
            against: candidate.against(backend).map(str::to_owned),
            endpoint: turn.map(|endpoint| endpoint.id.label()),
            endpoints: endpoints
                .map(|(e, standing)| self.endpoint(e, *standing))
                .collect(),
        }
    }

    fn endpoint(&self, endpoint: &Endpoint, standing: Standing) -> RequestEndpoint {
        let state = match endpoint.admin {
            AdminState::Ready if (self.seen.is_ejected)(&endpoint.id) => "ejected",
            AdminState::Ready if endpoint.observed.is_usable() && endpoint.is_reserve => "reserve",
            AdminState::Ready => endpoint.observed.as_str(),
            taken => taken.as_str(),
        };
        RequestEndpoint {
            name: endpoint.id.label(),
            gate: standing.as_str().to_owned(),
            state: state.to_owned(),
            in_flight: standing.look.in_flight,
        }
    }

    fn pick(
        &self,
        choice: Choice,
        tried: &[Choice],
        candidates: &[Candidate],
    ) -> Option<RequestPick> {
        let backend = self.service.backends.get(choice.backend)?;
        let endpoint = backend.endpoints.get(choice.endpoint)?;
        let seen = &candidates.get(choice.backend)?.endpoints;
        Some(RequestPick {
            backend: backend.name.to_string(),
            endpoint: endpoint.id.label(),
            why: choice.why.as_str().to_owned(),
            by: By::of(choice, self.service, self.sight.way, tried, seen)
                .as_str()
                .to_owned(),
        })
    }
}
