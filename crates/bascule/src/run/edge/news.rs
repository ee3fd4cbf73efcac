//! What a new snapshot does to requests that people must hear of: a service begins or ends to shed, to fail open, to refuse
//! everything. One event for each change, and so one log line; never one for each snapshot of a ramp.

use bascule_telemetry::events::Event;
use bascule_traffic::Snapshot;
use bascule_traffic::snapshot::{Mode, Service};

/// The changes from one snapshot to the next. A service that is new is taken to have served before.
pub(super) fn between(before: &Snapshot, after: &Snapshot) -> Vec<Event> {
    let of = |service: &std::sync::Arc<Service>| {
        let before = before.service(service.name());
        let mode = before.map_or(Mode::Serve, |before| before.mode);
        let shed = before.is_some_and(|before| !before.shed.is_zero());
        let news = [of_mode(mode, service), of_shed(shed, service)];
        news.into_iter().flatten()
    };
    after.services.iter().flat_map(of).collect()
}

fn of_mode(before: Mode, service: &Service) -> Option<Event> {
    let name = service.name();
    if before == service.mode {
        return None;
    }
    let event = match (before, service.mode) {
        (Mode::FailOpen, Mode::Serve) => {
            Event::new("fail_open_ended", format!("{name}: a backend is up again"))
        }
        (_, Mode::Serve) => Event::new("refusing_ended", format!("{name}: a backend is up again")),
        (_, Mode::FailOpen) => Event::new(
            "fail_open_started",
            format!("{name}: no backend is up, all are tried all the same"),
        ),
        (_, Mode::Refuse(refusal)) => {
            let words = refusal.as_str().replace('_', " ");
            Event::new(
                "refusing_started",
                format!("{name}: every request is refused, {words}"),
            )
        }
    };
    Some(event.service(name))
}

fn of_shed(before: bool, service: &Service) -> Option<Event> {
    let name = service.name();
    let event = match (before, service.shed) {
        (false, shed) if !shed.is_zero() => Event::new(
            "shed_started",
            format!("{name}: {shed} % of requests fit nowhere and are refused"),
        )
        .data(serde_json::json!({
            "shed_ratio": shed.ratio(),
            "class": service.spec.class.as_str(),
        })),
        (true, shed) if shed.is_zero() => {
            Event::new("shed_ended", format!("{name}: every request fits again"))
        }
        _ => return None,
    };
    Some(event.service(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use bascule_config::{MemorySource, load};
    use bascule_model::{Instant, ObservedState};
    use bascule_traffic::Assembler;
    use bascule_traffic::assemble::{EndpointHealth, Input};
    use bascule_traffic::capacity::Demand;

    use super::*;

    /// A service of two backends that can take 60 requests a second each, and what happens to it.
    struct World {
        assembler: Assembler,
        now: u64,
        last: Arc<Snapshot>,
    }

    impl World {
        fn new(fail_open: &str) -> Self {
            let text = format!(
                "listen: {{ web: {{ address: ':0' }} }}\nservices:\n  meet:\n    backends:\n      \
                 aws: {{ weight: 1, capacity: {{ requests: 60/s }}, endpoints: ['http://127.0.0.1:1'] }}\n      \
                 oci: {{ weight: 1, capacity: {{ requests: 60/s }}, endpoints: ['http://127.0.0.1:2'] }}\n    \
                 safety: {{ fail_open: {fail_open} }}\n"
            );
            let config = load("a", &text, &MemorySource::default()).unwrap().config;
            let mut assembler = Assembler::new();
            let services = Input::Services(config.services.clone());
            assembler.handle(Instant::ZERO, services).unwrap();
            let last = assembler.poll_snapshot().unwrap();
            Self {
                assembler,
                now: 0,
                last,
            }
        }

        /// What is told when this happens, ramps and all.
        fn after(&mut self, input: Input) -> Vec<&'static str> {
            self.now += 60_000;
            let now = Instant::from_millis(self.now);
            self.assembler.handle(now, input).unwrap();
            (0..100).flat_map(|_| self.step()).collect()
        }

        fn step(&mut self) -> Vec<&'static str> {
            self.now += 100;
            let now = Instant::from_millis(self.now);
            self.assembler.handle_timeout(now);
            let Some(next) = self.assembler.poll_snapshot() else {
                return Vec::new();
            };
            let told = between(&self.last, &next);
            self.last = next;
            told.into_iter().map(|event| event.kind).collect()
        }

        fn see(&mut self, up: [bool; 2]) -> Vec<&'static str> {
            let state = [ObservedState::Down, ObservedState::Up];
            let seen = self.assembler.check_targets().into_iter().zip(up);
            let health = seen.map(|(target, up)| {
                let seen = EndpointHealth::new(state[usize::from(up)], None);
                (target.id, seen)
            });
            self.after(Input::Health(health.collect::<BTreeMap<_, _>>()))
        }

        fn brings(&mut self, requests: f64) -> Vec<&'static str> {
            let service = "meet".parse().unwrap();
            let demand = Demand {
                requests,
                ..Demand::default()
            };
            self.after(Input::Demand { service, demand })
        }
    }

    #[test]
    fn shedding_is_told_when_it_begins_and_when_it_ends() {
        let mut world = World::new("never");
        assert_eq!(world.brings(100.0), [""; 0]);
        assert_eq!(world.see([true, false]), ["shed_started"]);
        assert_eq!(world.brings(90.0), [""; 0]);
        assert_eq!(world.see([true, true]), ["shed_ended"]);
    }

    #[test]
    fn refusing_and_failing_open_are_told_by_name() {
        let mut world = World::new("never");
        assert_eq!(world.see([false, false]), ["refusing_started"]);
        assert_eq!(world.see([true, true]), ["refusing_ended"]);
        let mut world = World::new("when_no_backend_up");
        assert_eq!(world.see([false, false]), ["fail_open_started"]);
        assert_eq!(world.see([true, true]), ["fail_open_ended"]);
    }
}
