//! What the edge does, as gauges: effective and measured shares, factors, fail-open, the confirmed revision. Set when
//! somebody asks for `/metrics`, from the same picture that status shows. What the control plane decides is its own to
//! tell; nothing is counted here.

use bascule_model::BackendName;
use bascule_telemetry::names;
use bascule_traffic::breaker::Limit;
use bascule_traffic::snapshot::{Backend, Mode, Service};
use metrics::gauge;

use crate::api::Measured;
use crate::picture::{Picture, losses};

mod observed;

/// Those that not every service has, and that nobody else sets: what has no reason left is gone.
const SOMETIMES: [&str; 13] = [
    names::FAIL_OPEN,
    names::AFFINITY_MAP,
    names::BREAKERS_OPEN,
    names::SHED_RATIO,
    names::UTILIZATION,
    names::FAILOVER_UTILIZATION,
    names::FAILOVER_SHED,
    names::PRICE_AGE,
    names::OBSERVED_INSTANCES,
    names::OBSERVED_CPU,
    names::OBSERVED_SIZE_WANTED,
    names::OBSERVED_SIZE_MAX,
    names::OBSERVED_AGE,
];

/// Sets all of them.
pub(crate) fn set(picture: &Picture<'_>) {
    for name in SOMETIMES {
        picture.app.ports.registry.forget_name(name);
    }
    let recorder = picture.app.ports.registry.shared();
    metrics::with_local_recorder(&recorder, || {
        for service in &picture.snapshot.services {
            set_service(picture, service);
        }
        set_prices(picture);
        observed::set(picture);
        #[expect(clippy::cast_precision_loss, reason = "revisions are far below 2^52")]
        gauge!(names::EDGE_REVISION).set(picture.confirmed.revision.0 as f64);
    });
}

fn set_service(picture: &Picture<'_>, service: &Service) {
    let name = service.name();
    let fails_open = f64::from(service.mode == Mode::FailOpen);
    gauge!(names::FAIL_OPEN, "service" => name.to_string()).set(fails_open);
    if let Some(placement) = &service.placement {
        #[expect(clippy::cast_precision_loss, reason = "it has 48 bits")]
        let hash = placement.hash() as f64;
        gauge!(names::AFFINITY_MAP, "service" => name.to_string()).set(hash);
    }
    set_capacity(service);
    let backends = service.backends.iter().map(|backend| &backend.name);
    let measured = picture.app.window().shares(name, backends);
    for backend in &service.backends {
        set_backend(service, backend, &measured);
        set_breakers(picture, service, backend);
    }
}

/// How many limits are reached. Only of services that have some.
fn set_breakers(picture: &Picture<'_>, service: &Service, backend: &Backend) {
    let limits = &service.spec.limits;
    if !limits.is_limited() {
        return;
    }
    let endpoints = backend.endpoints.iter();
    let reached: Vec<Limit> = endpoints
        .filter_map(|e| limits.endpoint_full(picture.loads.of_endpoint(&e.id)))
        .chain(
            limits.backend_full(
                picture
                    .loads
                    .of_backend(service.name(), &backend.name)
                    .requests,
            ),
        )
        .collect();
    for limit in Limit::ALL {
        let labels = [
            ("service", service.name().to_string()),
            ("backend", backend.name.to_string()),
            ("provider", backend.provider.to_string()),
            ("limit", limit.as_str().to_owned()),
        ];
        let open = reached.iter().filter(|reached| **reached == limit).count();
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        gauge!(names::BREAKERS_OPEN, &labels).set(f64::from(open));
    }
}

/// How full it is, and would be; nothing of a service without a capacity.
fn set_capacity(service: &Service) {
    if !service.has_capacity() {
        return;
    }
    let (name, class) = (service.name().to_string(), service.spec.class.as_str());
    gauge!(names::SHED_RATIO, "service" => name.clone(), "class" => class)
        .set(service.shed.ratio());
    for backend in &service.backends {
        let share = losses::share_of_all(service, backend);
        if let Some((_, ratio)) = losses::utilization(service, backend, share) {
            let labels = [
                ("service", name.clone()),
                ("backend", backend.name.to_string()),
                ("provider", backend.provider.to_string()),
            ];
            gauge!(names::UTILIZATION, &labels).set(ratio);
        }
    }
    for loss in losses::losses(service) {
        let labels = [
            ("service", name.clone()),
            ("failed_provider", loss.provider),
        ];
        if let Some(ratio) = loss.utilization_ratio {
            gauge!(names::FAILOVER_UTILIZATION, &labels).set(ratio);
        }
        gauge!(names::FAILOVER_SHED, &labels).set(loss.shed / 100.0);
    }
}

/// How old prices are. Only of backends that have one.
fn set_prices(picture: &Picture<'_>) {
    let config = &picture.running.config;
    for ((service, backend), price) in &config.prices {
        let spec = config.service(service);
        let Some(spec) = spec.and_then(|spec| spec.backends.get(backend)) else {
            continue;
        };
        let labels = [
            ("service", service.to_string()),
            ("backend", backend.to_string()),
            ("provider", spec.provider.to_string()),
        ];
        let age = picture.now.since(price.as_of.begins());
        gauge!(names::PRICE_AGE, &labels).set(age.as_secs_f64());
    }
}

fn set_backend(service: &Service, backend: &Backend, measured: &Measured) {
    let labels = |key: &'static str, value: &'static str| {
        [
            ("service", service.name().to_string()),
            ("backend", backend.name.to_string()),
            ("provider", backend.provider.to_string()),
            (key, value.to_owned()),
        ]
    };
    let effective = backend.effective.ratio();
    gauge!(names::WEIGHT, &labels("kind", "effective")).set(effective);
    for (factor, value) in [
        ("health", backend.factors.health),
        ("slow_start", backend.factors.slow_start),
        ("capacity", backend.factors.capacity),
    ] {
        gauge!(names::WEIGHT_FACTOR, &labels("factor", factor)).set(value);
    }
    let share = |row: &std::collections::BTreeMap<String, f64>, name: &BackendName| {
        row.get(name.as_str())
            .map_or(0.0, |percent| percent / 100.0)
    };
    for (of, row) in [
        ("requests", &measured.requests),
        ("new_sessions", &measured.new_sessions),
    ] {
        gauge!(names::SHARE, &labels("of", of)).set(share(row, &backend.name));
    }
}
