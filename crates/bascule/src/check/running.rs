//! The running process: whether its workers are in step, its endpoints up, its last reload taken, and whether any one
//! provider can be lost. What it does not say (how much the others could take) is said to be unknown.

use std::collections::{BTreeMap, BTreeSet};

use bascule_admin::api::{Backend, ObservedState, Role, Service, Status};
use bascule_config::Config;

use super::Finding;

/// Its workers.
pub(crate) fn edges(status: &Status) -> Vec<Finding> {
    let mut found = Vec::new();
    let (workers, revision) = (status.edge.workers, status.edge.confirmed_revision);
    found.push(match (status.instance.ready, status.edge.in_step) {
        (false, _) => Finding::wrong(
            "W0730",
            format!("it is not ready: {}", status.instance.not_ready),
        )
        .help("right after a start, or in a stop, this is normal"),
        (true, false) => Finding::wrong(
            "W0730",
            format!(
                "a worker is behind: confirmed revision {revision}, wanted {}",
                status.revision
            ),
        )
        .help("look again; if it stays, the log says what holds the worker"),
        (true, true) => Finding::ok(format!("{workers} workers on rev {revision}")),
    });
    for service in &status.services {
        found.extend(service_state(service));
    }
    found
}

fn service_state(service: &Service) -> Vec<Finding> {
    if service.state == ObservedState::Down {
        let text = format!(
            "service `{}` is down: {}",
            service.name,
            service.summary.join(", ")
        );
        return vec![
            Finding::wrong("E0733", text).help(format!("bascule status {}", service.name)),
        ];
    }
    let broken =
        |backend: &&Backend| !backend.off && backend.endpoints_up < backend.endpoints_total;
    let told = |backend: &Backend| {
        let text = format!(
            "{}/{}: {} of {} endpoints up",
            service.name, backend.name, backend.endpoints_up, backend.endpoints_total
        );
        Finding::wrong("W0733", text).help("bascule status -o wide")
    };
    let mut found: Vec<Finding> = service.backends.iter().filter(broken).map(told).collect();
    if found.is_empty() {
        found.push(Finding::ok(""));
    }
    found
}

/// The configuration that runs, against the file.
pub(crate) fn loaded(status: &Status, text_of_file: Option<&str>, running: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(failure) = &status.config.last_error {
        let text = format!(
            "the last reload, from {}, was refused: {} problems",
            failure.origin,
            failure.diagnostics.len()
        );
        found.push(
            Finding::wrong("W0731", text)
                .help(format!("bascule config validate {}", failure.origin)),
        );
    } else if text_of_file.is_some_and(|text| text != running) {
        let text = format!("the file is not what runs ({})", status.config.origin);
        found.push(
            Finding::wrong("W0732", text).help("bascule config diff FILE shows the difference"),
        );
    } else {
        found.push(Finding::ok(format!("config {}", status.config.hash)));
    }
    found
}

/// Whether each service would go on without any one provider, by what is seen now.
pub(crate) fn safety(status: &Status) -> Vec<Finding> {
    let takes_part = |backend: &&Backend| {
        !backend.off && (backend.role == Role::Standby || backend.shares.target > 0.0)
    };
    let by_service = status.services.iter().map(|service| {
        let backends = service.backends.iter().filter(takes_part);
        let up = backends.clone().filter(|backend| backend.endpoints_up > 0);
        let all: BTreeSet<&str> = backends.map(|backend| backend.provider.as_str()).collect();
        let up: BTreeSet<&str> = up.map(|backend| backend.provider.as_str()).collect();
        survives(&service.name, all.len(), &up)
    });
    by_service.collect()
}

/// The same by the file alone, where nothing runs: all endpoints are taken to be up.
pub(crate) fn safety_of_file(config: &Config) -> Vec<Finding> {
    let by_service = config.services.iter().map(|service| {
        let is_off = |spec: &&bascule_traffic::spec::BackendSpec| {
            spec.role == bascule_traffic::spec::Role::Weighted(0)
        };
        let backends = service.backends.values().filter(|spec| !is_off(spec));
        let providers: BTreeSet<&str> = backends.map(|spec| spec.provider.as_str()).collect();
        survives(service.name.as_str(), providers.len(), &providers)
    });
    by_service.collect()
}

fn survives(service: &str, providers: usize, up: &BTreeSet<&str>) -> Finding {
    let names: Vec<&str> = up.iter().copied().collect();
    match names.as_slice() {
        _ if providers < 2 => Finding::wrong(
            "W0740",
            format!("service `{service}` has one provider: losing it loses the service"),
        )
        .help("add a backend at another provider, if only with `role: standby`"),
        [] => Finding::wrong("W0740", format!("no provider of service `{service}` is up")),
        [one] => Finding::wrong(
            "W0740",
            format!("service `{service}` lives on `{one}` alone: no other provider is up"),
        )
        .help("bascule status -o wide"),
        _ => Finding::ok(format!(
            "{service} can lose any one of {}",
            names.join(", ")
        )),
    }
}

/// Whether the others could take the load of any one provider.
pub(crate) fn load_after_a_loss(status: &Status) -> Vec<Finding> {
    let losses = status.services.iter().map(|service| {
        let known = service.losses.iter().filter(|l| l.utilization_ratio.is_some());
        match known.max_by(|a, b| a.shed.total_cmp(&b.shed)) {
            None => Finding::unknown(format!(
                "whether the others could take the load of `{}`: no capacity is declared, or no load seen",
                service.name
            )),
            Some(worst) if worst.shed > 0.0 => Finding::wrong(
                "W0741",
                format!("service `{}` without {}: {}", service.name, worst.provider, worst.text),
            )
            .help("more capacity at the others, a standby, or less load"),
            Some(_) => Finding::ok(format!("{}: the others can take the load of any one", service.name)),
        }
    });
    losses.collect()
}

/// The controller, which is in the same process.
pub(crate) fn controller(status: &Status) -> Vec<Finding> {
    let mut found = vec![Finding::ok("in this process")];
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for _shift in &status.shifts {
        *kinds.entry("shifts").or_default() += 1;
    }
    for _evacuation in &status.evacuations {
        *kinds.entry("evacuations").or_default() += 1;
    }
    for (kind, count) in kinds {
        found.push(Finding::ok(format!("{count} {kind}")));
    }
    found
}

/// Nothing answers where it should.
pub(crate) fn absent(error: &crate::cli::exit::CliError) -> Finding {
    Finding::wrong("E0730", format!("no process answers: {}", error.message))
        .help("start it, name it with --context, or add --pre to look before a start")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::samples;

    fn codes(found: &[Finding]) -> Vec<&'static str> {
        found.iter().filter_map(|finding| finding.code).collect()
    }

    #[test]
    fn a_worker_that_is_behind_and_a_service_that_is_down_are_told() {
        let mut status = samples::status();
        let fine = codes(&edges(&status));
        assert!(
            !fine.contains(&"W0730") && !fine.contains(&"E0733"),
            "{fine:?}"
        );
        status.edge.in_step = false;
        status.services[0].state = ObservedState::Down;
        assert_eq!(codes(&edges(&status)), ["W0730", "E0733"]);
        status.instance.ready = false;
        status.instance.not_ready = "stopping".to_owned();
        assert!(edges(&status)[0].text.contains("stopping"));
    }

    #[test]
    fn a_refused_reload_and_a_file_that_is_not_what_runs_are_told() {
        let mut status = samples::status();
        assert_eq!(codes(&loaded(&status, Some("a"), "a")), [""; 0]);
        assert_eq!(codes(&loaded(&status, None, "a")), [""; 0]);
        assert_eq!(codes(&loaded(&status, Some("b"), "a")), ["W0732"]);
        status.config.last_error = Some(bascule_admin::api::ConfigFailure {
            at: status.at,
            origin: "meet.yaml".to_owned(),
            diagnostics: Vec::new(),
            rendered: String::new(),
        });
        assert_eq!(codes(&loaded(&status, Some("b"), "a")), ["W0731"]);
    }

    #[test]
    fn losing_a_provider_is_counted_by_providers_that_are_up_not_by_backends() {
        let up = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<&str>>();
        assert_eq!(survives("meet", 2, &up(&["aws", "oci"])).code, None);
        let one = survives("meet", 2, &up(&["aws"]));
        assert!(
            one.code == Some("W0740") && one.text.contains("`aws` alone"),
            "{one:?}"
        );
        assert_eq!(survives("meet", 1, &up(&["aws"])).code, Some("W0740"));
        assert_eq!(survives("meet", 2, &up(&[])).code, Some("W0740"));
    }
}
