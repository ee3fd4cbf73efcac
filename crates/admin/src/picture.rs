//! One consistent look at everything, and what is said of it: which state a service is in, what sorts first, and the
//! words beside a share. Status, dashboard, metrics and `explain` read the same picture. It must never call unknown
//! well, and never show what was wanted as what is.

mod backend;
mod leaving;
pub(crate) mod losses;
pub(crate) mod observed;
mod sources;
pub(crate) mod words;

use std::sync::Arc;

use bascule_control::Confirmed;
use bascule_health::{Fused, Group, Placed, Report, fuse};
use bascule_model::{AdminTarget, BackendName, BasisPoints, ProviderName, ServiceName, Timestamp};
use bascule_plan::State;
use bascule_plan::view::{EvacuationPhase, ServiceView};
use bascule_telemetry::clock;
use bascule_traffic::Snapshot;
use bascule_traffic::breaker::Loads;
use bascule_traffic::snapshot::{Mode, Service};

use crate::api;
use crate::app::App;
use crate::convert;
use crate::ports::RunningConfig;
use crate::problem::{Code, Refused};

/// How long an ended shift stays on the status screen.
const ENDED_SHOWN: std::time::Duration = std::time::Duration::from_secs(600);

/// See the module.
pub(crate) struct Picture<'a> {
    pub(crate) app: &'a App,
    pub(crate) now: Timestamp,
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) state: Arc<State>,
    pub(crate) report: Arc<Report>,
    pub(crate) fused: Fused,
    pub(crate) confirmed: Confirmed,
    pub(crate) running: Arc<RunningConfig>,
    /// Read last: what it says is of a moment when the workers had confirmed all of the above.
    pub(crate) loads: Loads,
}

impl<'a> Picture<'a> {
    pub(crate) fn take(app: &'a App) -> Self {
        let snapshot = app.ports.edge.snapshot();
        let report = app.ports.health.load_full();
        let placed = |service: &Arc<Service>| {
            let of_backend = |backend: &bascule_traffic::snapshot::Backend| {
                let provider = backend.provider.clone();
                let endpoints = backend.endpoints.iter().map(move |endpoint| Placed {
                    id: (*endpoint.id).clone(),
                    provider: provider.clone(),
                    admin: endpoint.admin,
                });
                endpoints.collect::<Vec<_>>()
            };
            service
                .backends
                .iter()
                .flat_map(of_backend)
                .collect::<Vec<_>>()
        };
        let placed: Vec<Placed> = snapshot.services.iter().flat_map(placed).collect();
        Self {
            app,
            now: clock::wall(),
            fused: fuse(&placed, &report),
            state: app.ports.control.state(),
            confirmed: app.ports.edge.confirmed(),
            running: app.ports.config.running(),
            snapshot,
            report,
            loads: app.ports.edge.loads(),
        }
    }

    /// A service by the name in a path.
    ///
    /// # Errors
    /// 404 with the name that was probably meant.
    pub(crate) fn find(&self, name: &str) -> Result<&Arc<Service>, Refused> {
        let found = self
            .snapshot
            .services
            .iter()
            .find(|s| s.name().as_str() == name);
        found.ok_or_else(|| {
            let known = self.snapshot.services.iter().map(|s| s.name().as_str());
            Refused::unknown(Code::UnknownService, "", "service", name, known)
        })
    }

    /// A backend by the name in a path.
    ///
    /// # Errors
    /// 404 with the name that was probably meant.
    pub(crate) fn find_backend<'s>(
        &self,
        service: &'s Service,
        name: &str,
    ) -> Result<&'s bascule_traffic::snapshot::Backend, Refused> {
        let found = service.backends.iter().find(|b| b.name.as_str() == name);
        found.ok_or_else(|| {
            let known = service.backends.iter().map(|b| b.name.as_str());
            let what = format!("backend of `{}`", service.name());
            Refused::unknown(Code::UnknownBackend, "", &what, name, known)
        })
    }

    pub(crate) fn view(&self, service: &ServiceName) -> Option<&ServiceView> {
        self.state.services.get(service)
    }

    pub(crate) fn group(&self, service: &ServiceName, backend: &BackendName) -> Group {
        let key = (service.clone(), backend.clone());
        self.fused.backends.get(&key).cloned().unwrap_or_default()
    }

    pub(crate) fn status(&self) -> api::Status {
        let services = self.services();
        let ready = (self.app.ports.ready)();
        let listeners = self.app.ports.edge.listeners();
        let bound = listeners.into_iter().map(|listener| api::Listener {
            name: listener.name.to_string(),
            address: listener.address.to_string(),
            tls: listener.tls,
        });
        api::Status {
            at: convert::time(self.now),
            revision: self.state.revision.0,
            state: services.iter().map(|s| s.state).max().unwrap_or_default(),
            instance: api::Instance {
                version: self.app.version.clone(),
                id: self.app.instance.clone(),
                started_at: convert::time(self.app.started_at),
                ready: ready.is_ok(),
                not_ready: ready.err().unwrap_or_default(),
                listeners: bound.collect(),
            },
            edge: self.edge(),
            config: convert::config_state(&self.running),
            services,
            providers: self.providers(),
            shifts: self.shifts(|shift| {
                let ended = shift.ended_at;
                ended.is_none_or(|ended| self.now.since(ended) < ENDED_SHOWN)
            }),
            evacuations: self.evacuations(|e| e.phase != EvacuationPhase::Restored),
            sources: self.sources(),
            actuators: self.actuators(),
        }
    }

    /// This edge.
    pub(crate) fn edge(&self) -> api::Edge {
        let clients = self.app.ports.edge.clients();
        api::Edge {
            workers: self.confirmed.workers,
            confirmed_revision: self.confirmed.revision.0,
            in_step: self.confirmed.revision >= self.state.revision,
            admin_state: match clients.asked_to_go {
                true => api::AdminState::Drain,
                false => api::AdminState::Ready,
            },
            requests: clients.requests,
            connections: clients.connections,
            leaving: self.leaving_of_edge(clients),
        }
    }

    /// All services, those that do not work first.
    pub(crate) fn services(&self) -> Vec<api::Service> {
        let services = self.snapshot.services.iter();
        let mut services: Vec<api::Service> = services.map(|s| self.service(s)).collect();
        services.sort_by(|a, b| b.state.cmp(&a.state).then_with(|| a.name.cmp(&b.name)));
        services
    }

    pub(crate) fn service(&self, service: &Service) -> api::Service {
        let name = service.name();
        let view = self.view(name);
        let backends = self.backends(service);
        let (mode, refusal) = match service.mode {
            Mode::Serve => (api::Mode::Serve, None),
            Mode::FailOpen => (api::Mode::FailOpen, None),
            Mode::Refuse(refusal) => (api::Mode::Refuse, Some(refusal.as_str().to_owned())),
        };
        api::Service {
            name: name.to_string(),
            revision: self.state.revision.0,
            state: state_of(mode, service.shed, &backends),
            class: service.spec.class.as_str().to_owned(),
            shed: service.shed.percent(),
            losses: losses::losses(service),
            summary: words::summary(mode, refusal.as_deref(), service.shed, &backends),
            mode,
            refusal,
            listeners: service
                .spec
                .listeners
                .iter()
                .map(ToString::to_string)
                .collect(),
            backends,
            override_row: view
                .and_then(|view| view.override_row.as_ref())
                .map(convert::override_row),
            shift: view.and_then(|view| view.shift.clone()),
            affinity: service.spec.affinity.as_ref().map(|spec| api::Affinity {
                by: spec.by.describe(),
                map: service
                    .placement
                    .as_ref()
                    .map(|placement| format!("{:012x}", placement.hash())),
            }),
        }
    }

    /// All providers, those that do not work first.
    pub(crate) fn providers(&self) -> Vec<api::Provider> {
        let mut providers: Vec<api::Provider> = self
            .fused
            .providers
            .keys()
            .map(|p| self.provider(p))
            .collect();
        providers.sort_by(|a, b| {
            let state = b.observed_state.cmp(&a.observed_state);
            state.then_with(|| a.name.cmp(&b.name))
        });
        providers
    }

    /// Every provider that a backend names.
    pub(crate) fn provider_names(&self) -> impl Iterator<Item = &str> {
        self.fused.providers.keys().map(ProviderName::as_str)
    }

    pub(crate) fn provider(&self, name: &ProviderName) -> api::Provider {
        let admin = self.state.admin.get(&AdminTarget::Provider(name.clone()));
        let group = self.fused.providers.get(name).cloned().unwrap_or_default();
        let in_force = |e: &&bascule_plan::view::EvacuationView| {
            &e.provider == name && e.phase != EvacuationPhase::Restored
        };
        let backends = self.snapshot.services.iter().flat_map(|service| {
            let of_provider = service.backends.iter().filter(|b| &b.provider == name);
            of_provider.map(|backend| {
                let group = self.group(service.name(), &backend.name);
                api::ProviderBackend {
                    service: service.name().to_string(),
                    backend: backend.name.to_string(),
                    observed_state: convert::observed(group.state),
                    off: backend.off,
                    effective: backend.effective.percent(),
                    endpoints_up: group.counts.up,
                    endpoints_total: backend.endpoints.len(),
                }
            })
        });
        api::Provider {
            name: name.to_string(),
            revision: self.state.revision.0,
            admin_state: admin.map_or_else(Default::default, |a| convert::admin_state(a.state)),
            admin: admin.map(convert::admin_entry),
            observed_state: convert::observed(group.state),
            finding: group.finding.map(|finding| finding.to_string()),
            backends: backends.collect(),
            leaving: self.leaving_of_provider(name),
            evacuation: self
                .state
                .evacuations
                .values()
                .find(in_force)
                .map(|e| e.id.clone()),
        }
    }

    /// Shifts, the latest first.
    pub(crate) fn shifts(
        &self,
        keep: impl Fn(&bascule_plan::view::ShiftView) -> bool,
    ) -> Vec<api::Shift> {
        let shifts = self.state.shifts.values().filter(|shift| keep(shift));
        let wire = |shift| convert::shift(shift, self.state.revision, self.now);
        let mut shifts: Vec<api::Shift> = shifts.map(wire).collect();
        shifts.sort_by(|a, b| {
            let latest = b.started_at.cmp(&a.started_at);
            latest.then_with(|| b.id.cmp(&a.id))
        });
        shifts
    }

    /// Evacuations, the latest first.
    pub(crate) fn evacuations(
        &self,
        keep: impl Fn(&bascule_plan::view::EvacuationView) -> bool,
    ) -> Vec<api::Evacuation> {
        let all = self.state.evacuations.values().filter(|e| keep(e));
        let wire = |evacuation| convert::evacuation(evacuation, self.state.revision);
        let mut all: Vec<api::Evacuation> = all.map(wire).collect();
        all.sort_by(|a, b| {
            let latest = b.started_at.cmp(&a.started_at);
            latest.then_with(|| b.id.cmp(&a.id))
        });
        all
    }
}

/// The worst that matters: a backend that is off, or that nothing is wanted of, does not make its service worse.
fn state_of(mode: api::Mode, shed: BasisPoints, backends: &[api::Backend]) -> api::ObservedState {
    use api::ObservedState::{Degraded, Down, Unknown, Up};
    if mode != api::Mode::Serve {
        return Down;
    }
    let taking_part = backends.iter().filter(|b| takes_part(b));
    let states: Vec<api::ObservedState> = taking_part.map(|b| b.observed_state).collect();
    if !shed.is_zero() || states.iter().any(|s| matches!(s, Degraded | Down)) {
        Degraded
    } else if states.is_empty() || states.contains(&Unknown) {
        Unknown
    } else {
        Up
    }
}

/// Whether something is wanted of the backend.
pub(crate) fn takes_part(backend: &api::Backend) -> bool {
    !backend.off && backend.shares.target > 0.0
}
