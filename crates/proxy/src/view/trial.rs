//! **pick**: a trial, before anything else is picked. The judge grants one; here it is found, and here it is taken back where
//! its endpoint is no longer there: as long as one lies somewhere, every request looks for it.

use std::collections::BTreeSet;

use bascule_model::EndpointId;
use bascule_telemetry::clock;
use bascule_traffic::suspect::Repeatable;
use bascule_traffic::{Choice, PickReason};

use super::{Lease, ServiceView, WorkerView};

impl ServiceView {
    /// **pick**: a trial, where one is granted that this request may be: of an endpoint that was taken out for what traffic
    /// saw, to see whether it works again. Never one that a person took out.
    pub(crate) fn trial(&self, repeatable: Repeatable) -> Option<Lease> {
        if !self.trials.any() {
            return None;
        }
        let now = clock::now();
        let backends = self.service.backends.iter().zip(&self.backends);
        for (index, (backend, view)) in backends.enumerate() {
            let mut endpoints = backend.endpoints.iter().zip(&view.endpoints);
            let endpoint = endpoints.position(|(endpoint, known)| {
                known.cells.has_trial_for(now, repeatable)
                    && self.has_place(view, known)
                    && known.cells.take_trial()
                    && !backend.off
                    && endpoint.admin.takes_new()
            });
            let trial = endpoint.map(|endpoint| Choice {
                backend: index,
                endpoint,
                why: PickReason::Trial,
            });
            if let Some(trial) = trial {
                return self.lease(trial);
            }
        }
        None
    }
}

impl WorkerView {
    /// Takes back the trials of endpoints that were in the view before and are in this one no more. They may live on for
    /// long, as long as a request runs there.
    pub(super) fn withdraw_trials(&self, previous: &Self) {
        let granted = previous
            .services
            .iter()
            .filter(|service| service.trials.any());
        for before in granted {
            let same =
                |view: &&std::rc::Rc<ServiceView>| view.service.name() == before.service.name();
            let now = self.services.iter().find(same);
            let endpoints = now.into_iter().flat_map(|now| now.endpoints());
            let known: BTreeSet<&EndpointId> = endpoints.map(|e| e.id_ref()).collect();
            let gone = before.endpoints().filter(|e| !known.contains(e.id_ref()));
            for endpoint in gone {
                endpoint.cells.take_trial();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bascule_config::MemorySource;
    use bascule_model::Instant;
    use bascule_telemetry::Registry;
    use bascule_traffic::{Assembler, Input, Snapshot};

    use super::*;
    use crate::affinity::CookieSecrets;
    use crate::shared::Shared;
    use crate::upstream::UpstreamTls;
    use crate::view::Ground;

    fn snapshot(endpoints: &str) -> Arc<Snapshot> {
        let text = format!(
            "listen: {{ web: {{ address: \":8080\" }} }}\nservices:\n  s: {{ backends: {{ b: {{ weight: 1, endpoints: \
             [{endpoints}] }} }} }}\n"
        );
        let loaded = bascule_config::load("t", &text, &MemorySource::default()).unwrap();
        let mut assembler = Assembler::new();
        let services = Input::Services(loaded.config.services.clone());
        assembler.handle(Instant::from_millis(1), services).unwrap();
        assembler.poll_snapshot().unwrap()
    }

    #[test]
    fn the_trial_of_an_endpoint_that_is_gone_is_looked_for_no_more() {
        let ground = Ground {
            worker: 0,
            shared: Arc::new(Shared::new(1)),
            recorder: Registry::new().worker(),
        };
        let (tls, secrets) = (UpstreamTls::new(), CookieSecrets::new());
        let view = |endpoints, previous| {
            WorkerView::build(&ground, snapshot(endpoints), &tls, &secrets, previous)
        };
        let one = "\"http://127.0.0.1:1\"";
        let two = "\"http://127.0.0.1:1\", \"http://127.0.0.1:2\"";
        let first = view(two, None);
        let service = &first.services[0];
        // Both live on, as with a request that runs there.
        let ids: Vec<_> = service.endpoints().map(|endpoint| endpoint.id()).collect();
        ground.shared.grant_trial(&ids[1], Instant::from_millis(1));
        let second = view(two, Some(&first));
        assert!(service.trials.any(), "it is still there");
        let third = view(one, Some(&second));
        assert!(!service.trials.any());
        ground.shared.grant_trial(&ids[0], Instant::from_millis(1));
        let fourth = view(one, Some(&third));
        assert!(fourth.services[0].trial(Repeatable::Yes).is_some());
        assert!(!service.trials.any());
    }
}
