//! What is decided, as gauges: shares row by row, factors, overrides, shifts, the revision. Set when somebody asks for
//! `/metrics`, from the same picture that status shows; nothing is counted here.

use bascule_telemetry::{Registry, names};
use metrics::gauge;

use crate::api;
use crate::picture::Picture;

/// Sets all of them.
pub(crate) fn set(picture: &Picture<'_>) {
    let recorder = picture.app.ports.registry.shared();
    let services = picture.services();
    metrics::with_local_recorder(&recorder, || {
        for service in &services {
            set_service(picture, service);
        }
        #[expect(clippy::cast_precision_loss, reason = "revisions are far below 2^52")]
        gauge!(names::EDGE_REVISION).set(picture.confirmed.revision.0 as f64);
        let version = picture.app.version.clone();
        gauge!(names::BUILD_INFO, "version" => version, "revision" => "").set(1.0);
    });
}

fn set_service(picture: &Picture<'_>, service: &api::Service) {
    let name = || service.name.clone();
    let fails_open = service.mode == api::Mode::FailOpen;
    gauge!(names::FAIL_OPEN, "service" => name()).set(f64::from(fails_open));
    let shift = service
        .shift
        .as_ref()
        .and_then(|id| picture.state.shifts.get(id));
    gauge!(names::SHIFT_ACTIVE, "service" => name()).set(f64::from(shift.is_some()));
    let progress = shift.map_or(1.0, crate::convert::progress);
    gauge!(names::SHIFT_PROGRESS, "service" => name()).set(progress);
    let snapshot = picture.snapshot.services.iter();
    let found = snapshot.clone().find(|s| s.name().as_str() == service.name);
    for backend in &service.backends {
        set_backend(&picture.app.ports.registry, service, backend);
        set_expiry(&picture.app.ports.registry, service, backend);
        let factors = found.and_then(|s| {
            let mut backends = s.backends.iter();
            backends.find(|b| b.name.as_str() == backend.name)
        });
        let Some(factors) = factors.map(|b| b.factors) else {
            continue;
        };
        for (factor, value) in [
            ("health", factors.health),
            ("slow_start", factors.slow_start),
        ] {
            let labels = [
                ("service", service.name.clone()),
                ("backend", backend.name.clone()),
                ("provider", backend.provider.clone()),
                ("factor", factor.to_owned()),
            ];
            gauge!(names::WEIGHT_FACTOR, &labels).set(value);
        }
    }
}

fn set_backend(registry: &Registry, service: &api::Service, backend: &api::Backend) {
    let labels = |key: &'static str, value: &'static str| {
        [
            ("service", service.name.clone()),
            ("backend", backend.name.clone()),
            ("provider", backend.provider.clone()),
            (key, value.to_owned()),
        ]
    };
    let shares = backend.shares;
    for (kind, percent) in [
        ("declared", Some(shares.declared)),
        ("override", shares.override_share),
        ("target", Some(shares.target)),
        ("effective", Some(shares.effective)),
    ] {
        let labels = labels("kind", kind);
        match percent {
            Some(percent) => gauge!(names::WEIGHT, &labels).set(percent / 100.0),
            None => registry.forget(&labels.each_ref().map(|(k, v)| (*k, v.as_str()))),
        }
    }
    for (of, percent) in [
        ("requests", shares.requests),
        ("new_sessions", shares.new_sessions),
    ] {
        gauge!(names::SHARE, &labels("of", of)).set(percent.unwrap_or(0.0) / 100.0);
    }
}

/// When the override of a backend's share ends. A series that was there and has no override any more is not a number:
/// no alert compares it.
fn set_expiry(registry: &Registry, service: &api::Service, backend: &api::Backend) {
    let labels = [
        ("service", service.name.clone()),
        ("backend", backend.name.clone()),
        ("provider", backend.provider.clone()),
    ];
    let filter = labels.each_ref().map(|(k, v)| (*k, v.as_str()));
    let was = registry.gauge(names::OVERRIDE_EXPIRY, &filter);
    match &service.override_row {
        #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
        Some(row) => {
            gauge!(names::OVERRIDE_EXPIRY, &labels).set(row.expires_at.as_second() as f64);
        }
        None if was > 0.0 => gauge!(names::OVERRIDE_EXPIRY, &labels).set(f64::NAN),
        None => {}
    }
}
