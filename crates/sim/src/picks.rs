//! What a worker picks for a request, and the laws of that: as `proxy/view` asks the picker, with what the edge sees of each
//! endpoint.

use std::rc::Rc;

use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Choice, Gate, Look, PickReason};

use crate::law::{Held, Laws};
use crate::request::Request;
use crate::world::World;

impl World {
    /// The laws of a first pick, and the trial that it may be.
    pub(crate) fn hold_pick(&mut self, request: &Request, choice: Choice) -> Held {
        let now = self.now;
        let backend = request.view.service.backends.get(choice.backend);
        if let Some(since) = backend.and_then(|b| self.operator.off_since(&b.name)) {
            Laws::is_off(now, since)?;
        }
        if choice.why == PickReason::Trial {
            return Laws::tried(now, request, choice);
        }
        let gates = self.gates(request, request.repeatable());
        let gate = self.gate_of(request, choice, request.repeatable());
        Laws::gated(now, request, choice, gate, &gates)?;
        let place = request.view.place(choice.backend, choice.endpoint);
        let standing = self
            .edges
            .get(request.edge)
            .and_then(|edge| edge.standings.get(place.unwrap_or(usize::MAX)));
        if let Some(standing) = standing.filter(|standing| standing.is_suspected()) {
            standing.take_trial(now);
        }
        self.laws.picked(now, request, choice)
    }

    /// The gates of all endpoints that may get requests at all.
    fn gates(&self, request: &Request, repeatable: Repeatable) -> Vec<Gate> {
        let backends = request.view.service.backends.iter().enumerate();
        let open = backends.filter(|(_, b)| !b.off && !b.effective.is_zero());
        let choices = open.flat_map(|(backend, b)| {
            let endpoints = b.endpoints.iter().enumerate();
            let usable = endpoints.filter(|(_, endpoint)| endpoint.usable);
            usable.map(move |(endpoint, _)| (backend, endpoint))
        });
        choices
            .map(|(backend, endpoint)| self.look(request, backend, endpoint, repeatable).gate)
            .collect()
    }

    fn gate_of(&self, request: &Request, choice: Choice, repeatable: Repeatable) -> Gate {
        self.look(request, choice.backend, choice.endpoint, repeatable)
            .gate
    }

    /// A trial that is granted, where this request may be it. Never of what a person took out.
    pub(crate) fn trial(&mut self, request: &Request) -> Option<Choice> {
        let repeatable = request.repeatable();
        let view = Rc::clone(&request.view);
        let edge = self.edges.get_mut(request.edge)?;
        let backends = view.service.backends.iter().enumerate();
        let mut all = backends.flat_map(|(backend, b)| {
            let endpoints = b.endpoints.iter().enumerate();
            endpoints.map(move |(endpoint, e)| (backend, endpoint, !b.off && e.admin.takes_new()))
        });
        let (backend, endpoint, _) = all.find(|(backend, endpoint, allowed)| {
            let place = view.place(*backend, *endpoint).unwrap_or(usize::MAX);
            edge.take_trial(self.now, place, repeatable) && *allowed
        })?;
        let why = PickReason::Trial;
        Some(Choice {
            backend,
            endpoint,
            why,
        })
    }

    pub(crate) fn first(&self, request: &Request) -> Option<Choice> {
        let view = &request.view;
        let look = |backend, endpoint| self.look(request, backend, endpoint, request.repeatable());
        view.picker.borrow_mut().first(&view.service, look).ok()
    }

    /// A further try is no trial.
    pub(crate) fn other(&self, request: &Request) -> Option<Choice> {
        let view = &request.view;
        let look = |backend, endpoint| self.look(request, backend, endpoint, Repeatable::No);
        let mut picker = view.picker.borrow_mut();
        picker.other(&view.service, &request.tried, look)
    }

    /// What the edge sees of an endpoint.
    fn look(
        &self,
        request: &Request,
        backend: usize,
        endpoint: usize,
        repeatable: Repeatable,
    ) -> Look {
        let place = request.view.place(backend, endpoint);
        let edge = self.edges.get(request.edge);
        let here = edge.zip(place);
        let in_flight = here.and_then(|(edge, place)| edge.in_flight.get(place).copied());
        let standing = here.and_then(|(edge, place)| edge.standings.get(place));
        let gate = standing.map_or(Gate::Open, |standing| standing.gate(self.now, repeatable));
        Look::open(in_flight.unwrap_or(0)).with_gate(gate)
    }
}
