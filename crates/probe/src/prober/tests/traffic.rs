//! What traffic saw reaches the judge, and what the judge says of it reaches people and the data plane.

use std::cell::RefCell;

use bascule_health::OutlierPolicy;
use bascule_model::EndpointTotals;

use super::*;

/// A data plane whose totals the test makes.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    totals: Rc<RefCell<BTreeMap<Arc<EndpointId>, EndpointTotals>>>,
    trials: Rc<RefCell<Vec<EndpointId>>>,
}

impl Traffic for Seen {
    fn totals(&self) -> Vec<(Arc<EndpointId>, EndpointTotals)> {
        let totals = self.totals.borrow();
        totals.iter().map(|(id, t)| (Arc::clone(id), *t)).collect()
    }

    fn grant_trial(&self, endpoint: &EndpointId, _: Instant) {
        self.trials.borrow_mut().push(endpoint.clone());
    }
}

impl Seen {
    fn count(&self, id: &Arc<EndpointId>, count: impl Fn(&mut EndpointTotals)) {
        count(self.totals.borrow_mut().entry(Arc::clone(id)).or_default());
    }

    /// Counts an answer of each.
    fn answer(&self, ids: &[Arc<EndpointId>]) {
        ids.iter()
            .for_each(|id| self.count(id, |totals| totals.answers += 1));
    }

    /// Lets the trials that were granted pass.
    fn pass_trials(&self) {
        for id in self.trials.borrow_mut().drain(..) {
            self.count(&Arc::new(id), |totals| {
                totals.trials.begun += 1;
                totals.trials.passed += 1;
            });
        }
    }
}

/// Goes on doing something until an endpoint is in a state.
async fn meanwhile(bench: &Bench, id: &EndpointId, state: ObservedState, mut act: impl FnMut()) {
    eventually(|| {
        act();
        let report = bench.handle.report.load();
        report.endpoints.get(id).is_some_and(|v| v.state == state)
    })
    .await;
}

#[tokio::test]
async fn traffic_takes_out_what_fails_though_its_checks_pass_and_brings_it_back_by_trials() {
    on_local_set(async {
        let seen = Seen::default();
        let bench = Bench::with_traffic(CHECKS_MAX, seen.clone());
        let (well, ill) = (Endpoint::start(200).await, Endpoint::start(200).await);
        let targets = [(&well, "aws"), (&ill, "oci")].map(|(endpoint, provider)| {
            let soon = Duration::from_millis(10);
            ProbeTarget {
                provider: provider.parse().unwrap(),
                outlier: Arc::new(OutlierPolicy {
                    hold: soon,
                    trial_every: soon,
                    ..OutlierPolicy::default()
                }),
                ..endpoint.target(HOUR)
            }
        });
        bench.handle.set_targets(targets.to_vec());
        let (well, ill) = (Arc::new(well.id()), Arc::new(ill.id()));
        bench.until_state(&well, ObservedState::Up).await;
        bench.until_state(&ill, ObservedState::Up).await;

        let class = FailureClass::Unavailable;
        let fail = || {
            seen.count(&well, |totals| totals.answers += 1);
            seen.count(&ill, |totals| totals.failures[class.index()] += 1);
            let endpoint = Arc::clone(&ill);
            drop(bench.failures.try_send(TrafficFailure { endpoint, class }));
        };
        meanwhile(&bench, &ill, ObservedState::Down, fail).await;
        let verdict = bench.handle.report.load().endpoints[&ill].clone();
        assert_eq!(verdict.by_checks, ObservedState::Up);
        assert_eq!(verdict.reasons, [Reason::Failing { class }]);
        assert_eq!(verdict.ejection.unwrap().times, 1);
        assert_eq!(bench.event("down").await.data["reason"], "failing");
        let (page, _) = bench.bus.follow(0);
        let said = page.events.iter().find(|event| event.kind == "ejected");
        let said = said.unwrap();
        assert_eq!(said.data["reason"], "unavailable");
        assert!(said.message.contains("tries failed"), "{}", said.message);
        let reason = ("reason", "unavailable");
        let ejections = bench.registry.counter(names::EJECTIONS, &[SERVICE, reason]);
        assert_eq!(ejections, 1);
        let out = || {
            bench
                .registry
                .gauge(names::ENDPOINTS_EJECTED, &[SERVICE, ("provider", "oci")])
        };
        eventually(|| out() > 0.5).await;

        let mend = || {
            seen.count(&well, |totals| totals.answers += 5);
            seen.pass_trials();
        };
        meanwhile(&bench, &ill, ObservedState::Up, mend).await;
        let verdict = bench.handle.report.load().endpoints[&ill].clone();
        assert!(verdict.returned_at.is_some());
        let passed = ("result", "passed");
        assert!(bench.registry.counter(names::TRIALS, &[SERVICE, passed]) >= 5);
        eventually(|| out() < 0.5).await;
    })
    .await;
}

#[tokio::test]
async fn that_the_checks_of_a_service_are_doubted_is_not_said_any_more_once_it_is_gone() {
    on_local_set(async {
        let seen = Seen::default();
        let bench = Bench::with_traffic(CHECKS_MAX, seen.clone());
        let endpoints = [Endpoint::start(200).await, Endpoint::start(200).await];
        let often = Duration::from_millis(10);
        let targets = endpoints.each_ref().map(|endpoint| endpoint.target(often));
        bench.handle.set_targets(targets.to_vec());
        for endpoint in &endpoints {
            bench.until_state(&endpoint.id(), ObservedState::Up).await;
        }
        endpoints
            .iter()
            .for_each(|endpoint| endpoint.status.set(503));
        let ids = endpoints.each_ref().map(|endpoint| Arc::new(endpoint.id()));
        let doubted = || bench.registry.gauge(names::CHECKS_DOUBTED, &[SERVICE]) > 0.5;
        eventually(|| {
            seen.answer(&ids);
            doubted()
        })
        .await;
        bench.handle.set_targets(Vec::new());
        eventually(|| !bench.registry.render().contains(names::CHECKS_DOUBTED)).await;
    })
    .await;
}
