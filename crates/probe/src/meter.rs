//! What people and programs are told of checks: metrics for each, one event (and so one log line) for each transition.
//! Never one line per check. What traffic says is told by [`traffic`].

mod traffic;

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_health::{
    AgentDown, AgentState, CheckResult, Counts, Placed, Reason, Report, Transition, fuse,
};
use bascule_model::{AdminState, BackendName, ObservedState, ProviderName, ServiceName};
use bascule_telemetry::events::{Bus, Event};
use bascule_telemetry::recorder::CellRecorder;
use bascule_telemetry::{Registry, names};
use metrics::{Label, counter, gauge};

use crate::ProbeTarget;
use crate::agent::Answer;

#[derive(Debug)]
pub(crate) struct Meter {
    registry: Registry,
    recorder: CellRecorder,
    bus: Bus,
}

impl Meter {
    pub(crate) fn new(registry: Registry, bus: Bus) -> Self {
        let recorder = registry.shared();
        Self {
            registry,
            recorder,
            bus,
        }
    }

    /// Counts a check, once for the wire and once for each endpoint whose result it is.
    pub(crate) fn checked<'a>(
        &self,
        targets: impl Iterator<Item = &'a ProbeTarget>,
        result: CheckResult,
    ) {
        let (word, reason) = match result {
            CheckResult::Passed => ("pass", ""),
            CheckResult::Failed(failure) => ("fail", Reason::from(failure).as_str()),
        };
        metrics::with_local_recorder(&self.recorder, || {
            counter!(names::HEALTH_PROBES, "result" => word).increment(1);
            for target in targets {
                let mut labels = labels(target);
                labels.push(Label::new("result", word));
                labels.push(Label::new("reason", reason));
                counter!(names::HEALTH_CHECKS, labels).increment(1);
            }
        });
    }

    /// How many checks are due and wait for a place on the wire.
    pub(crate) fn waiting(&self, count: usize) {
        metrics::with_local_recorder(&self.recorder, || {
            gauge!(names::HEALTH_PROBES_WAITING)
                .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        });
    }

    /// Counts a question to an agent, for each endpoint that it is beside.
    pub(crate) fn asked<'a>(
        &self,
        targets: impl Iterator<Item = &'a ProbeTarget>,
        answer: &Answer,
    ) {
        metrics::with_local_recorder(&self.recorder, || {
            for target in targets {
                let mut labels = labels(target);
                labels.push(Label::new("result", answer.as_str()));
                counter!(names::HEALTH_AGENTS, labels).increment(1);
            }
        });
    }

    /// Tells what an agent says now.
    pub(crate) fn agent_changed(&self, target: &ProbeTarget, state: &AgentState) {
        let endpoint = target.id.label();
        let backend = &target.id.backend;
        let message = format!("the agent of endpoint {endpoint} of {backend} says {state}");
        let event = Event::new("agent_changed", message)
            .service(&target.id.service)
            .backend(backend)
            .provider(&target.provider)
            .data(serde_json::json!({
                "endpoint": endpoint,
                "admin": state.admin.as_str(),
                "down": state.down.map(AgentDown::as_str),
                "weight_ratio": state.weight.ratio(),
                "text": state.text,
            }));
        self.bus.publish(event);
    }

    /// Counts a transition and tells it.
    pub(crate) fn moved(&self, target: &ProbeTarget, transition: &Transition) {
        let mut labels = labels(target);
        labels.push(Label::new("to", transition.to.as_str()));
        metrics::with_local_recorder(&self.recorder, || {
            counter!(names::HEALTH_TRANSITIONS, labels).increment(1);
        });
        self.bus.publish(event(target, transition));
    }

    /// Sets the gauges of all endpoints, and of the groups they form.
    pub(crate) fn states<'a>(
        &self,
        targets: impl Iterator<Item = &'a ProbeTarget> + Clone,
        report: &Report,
    ) {
        let placed: Vec<Placed> = targets
            .clone()
            .map(|target| Placed {
                id: target.id.clone(),
                provider: target.provider.clone(),
                admin: target.admin.max(wanted_by_agent(target, report)),
            })
            .collect();
        metrics::with_local_recorder(&self.recorder, || {
            for place in &placed {
                set_up(place, report);
            }
            set_groups(&placed, report);
            traffic::set_ejected(targets, report);
        });
    }

    /// Forgets the series of an endpoint that is gone, and the counts of its backend, which are set anew if that is not.
    pub(crate) fn forget(&self, target: &ProbeTarget) {
        let label = target.id.label();
        for (state, _) in Counts::default().by_state() {
            self.registry.forget(&[
                ("service", target.id.service.as_str()),
                ("backend", target.id.backend.as_str()),
                ("state", state),
            ]);
        }
        self.registry.forget(&[
            ("service", target.id.service.as_str()),
            ("backend", target.id.backend.as_str()),
            ("endpoint", label.as_str()),
        ]);
    }

    /// Forgets what was said of a service that is gone as a whole.
    pub(crate) fn forget_service(&self, service: &ServiceName) {
        self.registry
            .forget_of(names::CHECKS_DOUBTED, &[("service", service.as_str())]);
    }
}

/// What an endpoint's agent wants; ready where there is none.
fn wanted_by_agent(target: &ProbeTarget, report: &Report) -> AdminState {
    let verdict = report.endpoints.get(&target.id);
    let agent = verdict.and_then(|verdict| verdict.agent.as_ref());
    agent.map(AgentState::wanted).unwrap_or_default()
}

/// 1 when an endpoint may be used for what is seen of it, 0 when it is down.
fn set_up(place: &Placed, report: &Report) {
    let state = report.endpoints.get(&place.id).map(|verdict| verdict.state);
    let usable = state.is_none_or(ObservedState::is_usable);
    gauge!(names::ENDPOINT_UP,
        "service" => place.id.service.to_string(),
        "backend" => place.id.backend.to_string(),
        "provider" => place.provider.to_string(),
        "endpoint" => place.id.label())
    .set(f64::from(u8::from(usable)));
}

/// The number of endpoints of each backend in each state.
fn set_groups(placed: &[Placed], report: &Report) {
    let fused = fuse(placed, report);
    let providers: BTreeMap<(&ServiceName, &BackendName), &ProviderName> = placed
        .iter()
        .map(|place| ((&place.id.service, &place.id.backend), &place.provider))
        .collect();
    for ((service, backend), group) in &fused.backends {
        let Some(provider) = providers.get(&(service, backend)) else {
            continue;
        };
        for (state, count) in group.counts.by_state() {
            gauge!(names::PROVIDER_ENDPOINTS,
                "service" => service.to_string(),
                "backend" => backend.to_string(),
                "provider" => provider.to_string(),
                "state" => state)
            .set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
        }
    }
}

fn labels(target: &ProbeTarget) -> Vec<Label> {
    vec![
        Label::new("service", target.id.service.to_string()),
        Label::new("backend", target.id.backend.to_string()),
        Label::new("provider", target.provider.to_string()),
    ]
}

fn event(target: &ProbeTarget, transition: &Transition) -> Event {
    let Transition {
        from, to, reason, ..
    } = transition;
    let endpoint = target.id.label();
    let message = format!(
        "endpoint {endpoint} of {} is {} ({reason}); it was {} for {}",
        target.id.backend,
        to.as_str(),
        from.as_str(),
        rounded(transition.after),
    );
    let status = reason.status();
    Event::new("health_changed", message)
        .service(&target.id.service)
        .backend(&target.id.backend)
        .provider(&target.provider)
        .data(serde_json::json!({
            "endpoint": endpoint,
            "from": from.as_str(),
            "to": to.as_str(),
            "reason": reason.as_str(),
            "status": status,
            "after_seconds": transition.after.as_secs_f64(),
        }))
}

/// A length of time as a person says it: milliseconds below ten seconds, else seconds.
fn rounded(length: Duration) -> String {
    if length < Duration::from_secs(10) {
        format!(
            "{:?}",
            Duration::from_millis(u64::try_from(length.as_millis()).unwrap_or(0))
        )
    } else {
        format!("{} s", length.as_secs())
    }
}
