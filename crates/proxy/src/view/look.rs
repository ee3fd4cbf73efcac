//! What is seen of an endpoint at the moment of a pick: what runs there, how long it takes to answer, what is held against
//! it, and whether a limit is reached. It only looks; who gets the request is the picker's to say.

use bascule_model::Instant;
use bascule_telemetry::clock;
use bascule_traffic::explain::{self, Candidate};
use bascule_traffic::spec::Algorithm;
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Gate, Look};

use super::ServiceView;
use super::room::Asker;

impl ServiceView {
    /// What is seen of an endpoint now. A request counts from its lease on, so also while its connection is made.
    pub(super) fn look(
        &self,
        backend: usize,
        endpoint: usize,
        now: Option<Instant>,
        request: Repeatable,
        asker: Asker,
    ) -> Look {
        let backend = self.backends.get(backend);
        let endpoint = backend.and_then(|b| b.endpoints.get(endpoint));
        let look = Look {
            in_flight: endpoint.map_or(0, |endpoint| endpoint.cells.load()),
            latency: endpoint
                .zip(now)
                .and_then(|(e, now)| e.latency.get().latency(now)),
            gate: endpoint.map_or(Gate::Open, |endpoint| endpoint.watch.gate(request)),
        };
        match (backend, endpoint) {
            (Some(backend), Some(endpoint)) => self.within_limits(look, backend, endpoint, asker),
            _ => look,
        }
    }

    /// Every backend as it is seen now, for those who tell how a request is decided.
    pub(crate) fn candidates(&self, request: Repeatable) -> Vec<Candidate> {
        let now = self.now_for_latency();
        explain::candidates(&self.service, |backend, endpoint| {
            self.look(backend, endpoint, now, request, Asker::Comes)
        })
    }

    /// Whether endpoints are chosen by how long they take to answer; if not, nobody asks and nothing is kept.
    pub(crate) fn chooses_by_latency(&self) -> bool {
        self.service.spec.balance.algorithm == Algorithm::PeakEwma
    }

    pub(super) fn now_for_latency(&self) -> Option<Instant> {
        self.chooses_by_latency().then(clock::now)
    }
}
