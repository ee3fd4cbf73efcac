//! What is kept of how a request was decided, for the few whose log line or answer says it: the entry that took it, the
//! backends as they were seen before the first pick, and every try with what became of it. Of all others nothing is kept
//! and nothing is looked at. It tells; it never decides. The words are those of [`bascule_traffic::explain`], so that they
//! are the same as those of `explain request`. Next: [`header`].

mod header;

use bascule_telemetry::access;
use bascule_traffic::explain::{self, By, Candidate};
use bascule_traffic::hash::Key;
use bascule_traffic::keys;
use bascule_traffic::retry::Cause;
use bascule_traffic::snapshot::{Endpoint, Service};
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Choice, PickReason, Way};
use http::HeaderValue;

use super::Exchange;
use crate::http::check::Asked;
use crate::view::ServiceView;

/// The most backends that a line tells, and the most endpoints of one.
const TOLD_MAX: usize = 16;

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// Whether the request's line says it.
    is_logged: bool,
    matched: String,
    way: Way,
    candidates: Vec<Candidate>,
    tries: Vec<Tried>,
}

/// One try.
#[derive(Debug)]
struct Tried {
    choice: Choice,
    by: By,
    became: Option<Became>,
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    /// The head of an answer came, with this status.
    Answered(u16),
    /// It failed.
    Failed(Cause),
}

impl Tried {
    /// What became of it, in a word. One of which nothing was heard was overtaken by another beside it, or given up: its
    /// client went away, or was refused in the middle.
    fn ended(&self, has_answer: bool) -> String {
        match self.became {
            Some(Became::Answered(status)) => status.to_string(),
            Some(Became::Failed(cause)) => cause.as_str().to_owned(),
            None if has_answer => "overtaken".to_owned(),
            None => "given_up".to_owned(),
        }
    }
}

impl Exchange {
    /// Its service is known: from here on what is decided about it is kept, if it is to be told.
    pub(crate) fn decide(&mut self, asked: &Asked) {
        let log = self.client.worker.access.as_ref();
        let is_logged = log.is_some_and(|log| log.wants_decision());
        if is_logged || self.client.listener.decision_header {
            self.keep_decision(is_logged, asked);
        }
    }

    #[cold]
    fn keep_decision(&mut self, is_logged: bool, asked: &Asked) {
        // Found once more, as the path of every request carries no more than the service.
        let table = self
            .view
            .snapshot
            .routes
            .listener(&self.client.listener.name);
        let route = table.and_then(|table| table.find(asked.host_text(), asked.path.path()));
        let service = self.service.as_ref();
        let matched = service.zip(route);
        let matched =
            matched.map(|(service, route)| explain::matched(&service.service.spec, *route));
        self.decision = Some(Box::new(Decision {
            is_logged,
            matched: matched.unwrap_or_default(),
            ..Decision::default()
        }));
    }

    /// It is about to be picked for: keeps what is seen.
    pub(crate) fn note_candidates(
        &mut self,
        service: &ServiceView,
        key: Option<Key>,
        request: Repeatable,
    ) {
        if let Some(decision) = &mut self.decision {
            let place = self.bond.as_ref().and_then(|bond| bond.place);
            decision.way = Way { place, key };
            decision.candidates = service.candidates(request);
        }
    }

    /// A try begins.
    pub(super) fn note_try(&mut self, choice: Choice) {
        let (Some(decision), Some(service)) = (&mut self.decision, &self.service) else {
            return;
        };
        let candidate = decision.candidates.get(choice.backend);
        let seen = candidate.map_or(&[][..], |candidate| &candidate.endpoints);
        let before: Vec<Choice> = decision.tries.iter().map(|tried| tried.choice).collect();
        let by = By::of(choice, &service.service, decision.way, &before, seen);
        decision.tries.push(Tried {
            choice,
            by,
            became: None,
        });
    }

    /// The current try ended.
    pub(super) fn note_end(&mut self, became: Became) {
        if let Some(lease) = &self.lease {
            let choice = lease.choice;
            self.note_end_of(choice, became);
        }
    }

    /// The try with this place ended. What became of it last stands.
    pub(super) fn note_end_of(&mut self, choice: Choice, became: Became) {
        let Some(decision) = &mut self.decision else {
            return;
        };
        let mut tries = decision.tries.iter_mut().rev();
        if let Some(tried) = tries.find(|tried| tried.choice == choice) {
            tried.became = Some(became);
        }
    }

    /// Whether its line says what was decided.
    pub(super) fn logs_decision(&self) -> bool {
        self.decision.as_ref().is_some_and(|d| d.is_logged)
    }

    /// What its line says of that.
    pub(super) fn logged_decision(&self) -> Option<access::Decision<'_>> {
        let decision = self.decision.as_ref().filter(|d| d.is_logged)?;
        let service = &self.service.as_ref()?.service;
        let told = service.backends.iter().zip(&decision.candidates);
        Some(access::Decision {
            listener: self.client.listener.name.as_str(),
            matched: &decision.matched,
            affinity: self.told_affinity(service),
            candidates: told
                .take(TOLD_MAX)
                .map(|(backend, candidate)| access::Candidate {
                    backend: backend.name.as_str(),
                    provider: backend.provider.as_str(),
                    share: backend.effective.percent(),
                    against: candidate.against(backend),
                    endpoints: seen(&backend.endpoints, candidate),
                    endpoints_more: backend.endpoints.len().saturating_sub(TOLD_MAX),
                })
                .collect(),
            candidates_more: decision.candidates.len().saturating_sub(TOLD_MAX),
            tries: decision.told_tries(service).collect(),
        })
    }

    fn told_affinity<'a>(&'a self, service: &'a Service) -> Option<access::Affinity<'a>> {
        let bond = self.bond.as_ref()?;
        let backend = bond.place.and_then(|p| service.backends.get(p.backend));
        Some(access::Affinity {
            why: bond.why.map(|why| why.as_str()),
            backend: backend.map(|backend| backend.name.as_str()),
            bucket: bond.place.and_then(|place| place.key).map(keys::bucket),
            ignored: bond.ignored.map(|ignored| ignored.as_str()),
        })
    }

    /// What its answer says of it, where the listener says so.
    pub(crate) fn decision_header(&self) -> Option<HeaderValue> {
        if !self.client.listener.decision_header {
            return None;
        }
        let known = self.service.as_ref().zip(self.decision.as_deref());
        let known = known.map(|(service, decision)| (&*service.service, decision));
        header::value(known, self.refused)
    }
}

impl Decision {
    fn told_tries<'a>(&'a self, service: &'a Service) -> impl Iterator<Item = access::Try<'a>> {
        let answered = |tried: &Tried| matches!(tried.became, Some(Became::Answered(_)));
        let has_answer = self.tries.iter().any(answered);
        self.tries.iter().filter_map(move |tried| {
            let backend = service.backends.get(tried.choice.backend)?;
            let endpoint = backend.endpoints.get(tried.choice.endpoint)?;
            let (from, cause) = match tried.choice.why {
                PickReason::Spill { from, cause } => (service.backends.get(from), Some(cause)),
                _ => (None, None),
            };
            Some(access::Try {
                backend: backend.name.as_str(),
                endpoint: endpoint.id.label(),
                why: tried.choice.why.as_str(),
                from: from.map(|backend| backend.name.as_str()),
                cause: cause.map(|cause| cause.as_str()),
                by: tried.by.as_str(),
                ended: tried.ended(has_answer),
            })
        })
    }
}

fn seen(endpoints: &[Endpoint], candidate: &Candidate) -> Vec<access::EndpointSeen> {
    let all = endpoints.iter().zip(&candidate.endpoints);
    all.take(TOLD_MAX)
        .map(|(endpoint, standing)| access::EndpointSeen {
            name: endpoint.id.label(),
            gate: standing.as_str(),
            in_flight: standing.look.in_flight,
        })
        .collect()
}
