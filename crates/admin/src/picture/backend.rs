//! One backend and its endpoints in the picture.

use bascule_model::AdminTarget;
use bascule_traffic::breaker::{BackendCounts, Limit};
use bascule_traffic::snapshot::{Backend, Endpoint, Service};
use bascule_traffic::spec::Role;

use super::{Picture, losses, takes_part, words};
use crate::api;
use crate::convert;

impl Picture<'_> {
    /// The backends of a service; those that should take part and do not work first.
    pub(super) fn backends(&self, service: &Service) -> Vec<api::Backend> {
        let backends = service.backends.iter();
        let mut backends: Vec<api::Backend> = backends.map(|b| self.backend(service, b)).collect();
        let trouble = |b: &api::Backend| {
            if takes_part(b) {
                b.observed_state
            } else {
                api::ObservedState::Up
            }
        };
        backends.sort_by(|a, b| {
            trouble(b)
                .cmp(&trouble(a))
                .then_with(|| a.name.cmp(&b.name))
        });
        backends
    }

    pub(crate) fn backend(&self, service: &Service, backend: &Backend) -> api::Backend {
        let (name, group) = (service.name(), self.group(service.name(), &backend.name));
        let spec = service.spec.backends.get(&backend.name);
        let own = self
            .state
            .admin
            .get(&AdminTarget::Backend(name.clone(), backend.name.clone()));
        let by_provider = AdminTarget::Provider(backend.provider.clone());
        let strictest = [own, self.state.admin.get(&by_provider)]
            .into_iter()
            .flatten()
            .map(|entry| entry.state)
            .max()
            .unwrap_or_default();
        let (role, weight) = match spec.map(|spec| spec.role) {
            Some(Role::Weighted(weight)) => (api::Role::Weighted, Some(weight)),
            Some(Role::Standby) => (api::Role::Standby, None),
            None => (api::Role::Weighted, None),
        };
        let mut endpoints: Vec<api::Endpoint> = backend
            .endpoints
            .iter()
            .map(|e| self.endpoint(service, e))
            .collect();
        endpoints.sort_by(|a, b| {
            let worst = b.observed_state.cmp(&a.observed_state);
            worst.then_with(|| a.name.cmp(&b.name))
        });
        api::Backend {
            service: name.to_string(),
            name: backend.name.to_string(),
            provider: backend.provider.to_string(),
            region: spec.and_then(|spec| spec.region.clone()),
            role,
            weight,
            admin_state: convert::admin_state(strictest),
            admin: own.map(convert::admin_entry),
            observed_state: convert::observed(group.state),
            off: backend.off,
            shares: self.shares(service, backend),
            why: words::why(self, service, backend),
            endpoints_up: group.counts.up,
            endpoints_total: backend.endpoints.len(),
            endpoints,
            utilization_ratio: losses::utilization(
                service,
                backend,
                losses::share_of_all(service, backend),
            )
            .map(|(_, ratio)| ratio),
            load: self.app.window().load(name, &backend.name),
            limits: limits(service),
            pending: u64::from(self.loads.of_backend(name, &backend.name).waiting),
            full: full_backend(service, self.loads.of_backend(name, &backend.name)),
            leaving: self.leaving_of_backend(name, backend),
        }
    }

    fn shares(&self, service: &Service, backend: &Backend) -> api::BackendShares {
        let share = |row: &bascule_model::Shares| row.get(&backend.name).map(|s| s.percent());
        let view = self.view(service.name());
        let names = service.backends.iter().map(|b| &b.name);
        let measured = self.app.window().shares(service.name(), names);
        // The file's row is in the specification; the control plane's is one reload behind for a moment.
        api::BackendShares {
            declared: share(&service.spec.declared).unwrap_or(0.0),
            override_share: view
                .and_then(|view| view.override_row.as_ref())
                .and_then(|row| share(&row.shares)),
            target: share(&service.target).unwrap_or(0.0),
            effective: backend.effective.percent(),
            requests: measured.requests.get(backend.name.as_str()).copied(),
            new_sessions: measured.new_sessions.get(backend.name.as_str()).copied(),
        }
    }

    pub(crate) fn endpoint(&self, service: &Service, endpoint: &Endpoint) -> api::Endpoint {
        let counts = self.loads.of_endpoint(&endpoint.id);
        let id = &endpoint.id;
        let own = self.state.admin.iter().find(|(target, _)| match target {
            AdminTarget::Endpoint(service, backend, name) => {
                *service == id.service && *backend == id.backend && id.is_named(name)
            }
            AdminTarget::Provider(_) | AdminTarget::Backend(..) => false,
        });
        let verdict = self.report.endpoints.get(&**id);
        let reason = |reason: &bascule_health::Reason| api::Reason {
            reason: reason.as_str().to_owned(),
            status: reason.status(),
        };
        api::Endpoint {
            name: id.label(),
            scheme: id.scheme.as_str().to_owned(),
            host: id.host.as_ref().map(ToString::to_string),
            address: id.address.to_string(),
            admin_state: convert::admin_state(endpoint.admin),
            admin: own.map(|(_, entry)| convert::admin_entry(entry)),
            // The judge's own word, not the edge's, which may be a moment older.
            observed_state: verdict
                .map_or_else(Default::default, |verdict| convert::observed(verdict.state)),
            by_checks: verdict.map_or_else(Default::default, |v| convert::observed(v.by_checks)),
            ejection: verdict.and_then(|v| v.ejection).map(convert::ejection),
            held: verdict.is_some_and(|v| v.held),
            since: verdict
                .filter(|v| !v.reasons.is_empty())
                .map(|v| convert::past(v.since)),
            reasons: verdict
                .map(|v| v.reasons.iter().map(reason).collect())
                .unwrap_or_default(),
            last: verdict.and_then(|v| v.last.as_ref()).map(reason),
            against: verdict.map_or(0, |v| v.against),
            checked: verdict.is_some_and(|v| v.checked),
            checked_at: verdict.and_then(|v| v.checked_at).map(convert::past),
            agent: verdict
                .and_then(|v| v.agent.as_ref())
                .map(|agent| api::Agent {
                    says: agent.to_string(),
                    heard_at: agent.heard_at.map(convert::past),
                }),
            usable: endpoint.usable,
            priority: endpoint.priority,
            reserve: endpoint.is_reserve,
            weight_ratio: endpoint.weight.ratio(),
            in_flight: u64::from(counts.requests),
            connections: u64::from(counts.connections),
            full: service.spec.limits.endpoint_full(counts).map(word),
            leaving: self.leaving_of_endpoint(endpoint),
        }
    }
}

fn word(limit: Limit) -> String {
    limit.as_str().to_owned()
}

fn full_backend(service: &Service, counts: BackendCounts) -> Option<String> {
    let full = service.spec.limits.backend_full(counts.requests);
    full.map(word)
}

fn limits(service: &Service) -> Option<api::BackendLimits> {
    let limits = service.spec.limits;
    limits.is_limited().then_some(api::BackendLimits {
        endpoint_requests: limits.endpoint_requests,
        endpoint_connections: limits.endpoint_connections,
        backend_requests: limits.backend_requests,
        endpoint_pending: limits.endpoint_pending,
        pending_timeout_seconds: limits.pending_timeout.as_secs_f64(),
    })
}
