//! What people and programs are told of what traffic says: who was taken out and why, trials, checks that are doubted.

use std::collections::BTreeMap;

use bascule_health::Report;
use bascule_health::passive::{Action, Ejection, ProviderFails};
use bascule_model::{BackendName, EndpointId, ProviderName, ServiceName};
use bascule_telemetry::events::Event;
use bascule_telemetry::names;
use metrics::{Label, counter, gauge};
use serde_json::json;

use super::{Meter, labels};
use crate::ProbeTarget;

impl Meter {
    /// Counts and tells what traffic made of endpoints. Their transitions are told already.
    pub(crate) fn told<'a>(
        &self,
        action: &Action,
        target: impl Fn(&EndpointId) -> Option<&'a ProbeTarget>,
    ) {
        match action {
            Action::Ejected { id, ejection } => {
                if let Some(target) = target(id) {
                    self.ejected(target, ejection);
                }
            }
            Action::Tried { id, passed } => {
                if let Some(target) = target(id) {
                    self.tried(target, *passed);
                }
            }
            Action::ProviderFails(fails) => {
                self.bus.publish(provider_fails(fails));
            }
            Action::ChecksDoubted { service, doubted } => self.doubted(service, *doubted),
            Action::Returned { .. } | Action::Held { .. } | Action::Trial { .. } => {}
        }
    }

    fn ejected(&self, target: &ProbeTarget, ejection: &Ejection) {
        self.count(
            names::EJECTIONS,
            target,
            ("reason", ejection.offence.as_str()),
        );
        // Of several of one provider the provider is told of, once.
        if !ejection.with_provider {
            self.bus.publish(ejected(target, ejection));
        }
    }

    fn tried(&self, target: &ProbeTarget, passed: bool) {
        let result = if passed { "passed" } else { "failed" };
        self.count(names::TRIALS, target, ("result", result));
    }

    fn count(&self, name: &'static str, target: &ProbeTarget, label: (&'static str, &'static str)) {
        let mut labels = labels(target);
        labels.push(Label::new(label.0, label.1));
        metrics::with_local_recorder(&self.recorder, || counter!(name, labels).increment(1));
    }

    fn doubted(&self, service: &ServiceName, doubted: bool) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!(names::CHECKS_DOUBTED, "service" => service.to_string())
                .set(f64::from(u8::from(doubted)));
        });
        let message = if doubted {
            format!(
                "the checks of {service} are not believed: those of all endpoints fail while its \
                 traffic succeeds; the last good state holds"
            )
        } else {
            format!("the checks of {service} are believed again")
        };
        let event = Event::new("checks_doubted", message).service(service);
        self.bus.publish(event.data(json!({ "doubted": doubted })));
    }
}

/// The number of endpoints of each backend that traffic took out. Within the recorder of the meter.
pub(super) fn set_ejected<'a>(targets: impl Iterator<Item = &'a ProbeTarget>, report: &Report) {
    type Key<'a> = (&'a ServiceName, &'a BackendName, &'a ProviderName);
    let mut counts: BTreeMap<Key<'a>, u32> = BTreeMap::new();
    for target in targets {
        let verdict = report.endpoints.get(&target.id);
        let is_out = verdict.is_some_and(|verdict| verdict.ejection.is_some());
        let key = (&target.id.service, &target.id.backend, &target.provider);
        *counts.entry(key).or_default() += u32::from(is_out);
    }
    for ((service, backend, provider), count) in counts {
        gauge!(names::ENDPOINTS_EJECTED,
            "service" => service.to_string(),
            "backend" => backend.to_string(),
            "provider" => provider.to_string())
        .set(f64::from(count));
    }
}

fn ejected(target: &ProbeTarget, ejection: &Ejection) -> Event {
    let Ejection { offence, times, .. } = ejection;
    let endpoint = target.id.label();
    let again = if *times > 1 {
        format!(", {times} times lately")
    } else {
        String::new()
    };
    let message = format!(
        "traffic takes endpoint {endpoint} of {} out: {offence}{again}",
        target.id.backend
    );
    Event::new("ejected", message)
        .service(&target.id.service)
        .backend(&target.id.backend)
        .provider(&target.provider)
        .data(json!({
            "endpoint": endpoint,
            "reason": offence.as_str(),
            "details": offence.to_string(),
            "times": times,
        }))
}

fn provider_fails(fails: &ProviderFails) -> Event {
    let ProviderFails {
        service,
        provider,
        offence,
        endpoints,
        of,
    } = fails;
    let out = endpoints.len();
    let message = format!(
        "provider {provider} fails at {service}: traffic takes {out} of {of} endpoints out, \
         {offence}"
    );
    let labels: Vec<String> = endpoints.iter().map(|id| id.label()).collect();
    Event::new("provider_fails", message)
        .service(service)
        .provider(provider)
        .data(json!({
            "endpoints": labels,
            "of": of,
            "reason": offence.as_str(),
            "details": offence.to_string(),
        }))
}
