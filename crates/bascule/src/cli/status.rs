//! `status [SERVICE]`: one screen. What does not work comes first, as the API orders it. What stands in
//! clouds is written in `clouds`.

mod clouds;

use bascule_admin::api::{
    Backend, Endpoint, History, HistoryEntry, Loss, Mode, ObservedState, Role, Service, Shift,
    Status,
};

use super::args::{Format, StatusArgs};
use super::exit::{CliError, CliResult, Exit};
use super::follow::phase;
use super::output::{Align, Table};
use super::session::Session;
use super::text::{self, Clock};

/// How many of the last changes of a service are told.
const LAST_MAX: usize = 2;

/// Shows it.
pub(crate) async fn run(session: &mut Session<'_>, args: &StatusArgs) -> CliResult {
    let mut status: Status = session.get("/v1/status").await?;
    if let Some(name) = &args.service {
        let known: Vec<String> = status
            .services
            .iter()
            .map(|service| service.name.clone())
            .collect();
        status.services.retain(|service| service.name == *name);
        status.shifts.retain(|shift| shift.service == *name);
        if status.services.is_empty() {
            return Err(unknown_service(name, &known));
        }
    }
    if session.out.format.is_json() {
        session.out.data("Status", &status)?;
        return Ok(Exit::Ok);
    }
    // Without history the screen still says what matters.
    let history = session.get::<History>("/v1/history?limit=50").await;
    let entries = history.map(|history| history.entries).unwrap_or_default();
    let wide = session.out.format == Format::Wide;
    let text = screen(&status, &entries, wide, &session.clock);
    session.out.text(&text)?;
    Ok(Exit::Ok)
}

/// The error for a service that does not exist, with the one meant.
pub(crate) fn unknown_service(name: &str, known: &[String]) -> CliError {
    let error = CliError::new(Exit::Usage, format!("there is no service `{name}`"));
    let error = match text::nearest(name, known.iter().map(String::as_str)) {
        Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
        None => error,
    };
    error.with_help(format!("there is: {}", known.join(", ")))
}

/// The whole screen.
fn screen(status: &Status, history: &[HistoryEntry], wide: bool, clock: &Clock) -> String {
    let mut parts: Vec<String> = Vec::new();
    for service in &status.services {
        let mut part = head(status, service);
        part.push_str(&backends(service, wide));
        if wide {
            part.push('\n');
            part.push_str(&endpoints(service, clock));
        }
        for line in tail(status, service, history, clock) {
            part.push_str(&line);
            part.push('\n');
        }
        parts.push(part);
    }
    parts.extend(whole(status, wide, clock));
    parts.join("\n")
}

/// `meet   HEALTHY   rev 1847 on 4 workers   config 3f9c1e2 (meet.yaml)`.
fn head(status: &Status, service: &Service) -> String {
    let word = match (service.mode, service.state) {
        (Mode::Refuse, _) => "REFUSING",
        (Mode::Serve, _) if service.shed > 0.0 => "SHEDDING",
        (Mode::FailOpen, _) => "FAIL OPEN",
        (Mode::Serve, ObservedState::Up) => "HEALTHY",
        (Mode::Serve, ObservedState::Degraded) => "DEGRADED",
        (Mode::Serve, ObservedState::Unknown) => "UNKNOWN",
        (Mode::Serve, ObservedState::Down) => "DOWN",
    };
    let workers = text::plural(status.edge.workers, "worker");
    let confirmed = if status.edge.in_step {
        format!("on {workers}")
    } else {
        format!("wanted, {workers} at {}", status.edge.confirmed_revision)
    };
    let config = format!("config {} ({})", status.config.hash, status.config.origin);
    let mut head = format!(
        "{}   {word}   rev {} {confirmed}   {config}\n",
        service.name, status.revision
    );
    if let Some(refusal) = &service.refusal {
        head.push_str(&format!(
            "  ! every request gets 503: {}\n",
            refusal.replace('_', " ")
        ));
    }
    for line in &service.summary {
        head.push_str(&format!("  ! {line}\n"));
    }
    head
}

/// The table of backends.
fn backends(service: &Service, wide: bool) -> String {
    let by_provider = wide || service.backends.iter().any(|b| b.provider != b.name);
    let mut head = vec![("BACKEND", Align::Left)];
    if by_provider {
        head.push(("PROVIDER", Align::Left));
    }
    head.extend([
        ("STATE", Align::Left),
        ("UP", Align::Right),
        ("WEIGHT decl/target/eff", Align::Right),
    ]);
    head.extend([
        ("NEW SESS", Align::Right),
        ("REQ", Align::Right),
        ("RUNNING", Align::Right),
    ]);
    if wide {
        head.push(("P50", Align::Right));
    }
    head.push(("P95", Align::Right));
    if wide {
        head.push(("P99", Align::Right));
    }
    head.extend([("ERR", Align::Right), ("WHY", Align::Left)]);
    let mut table = Table::new(head);
    for backend in &service.backends {
        let mut cells = vec![backend.name.clone()];
        if by_provider {
            cells.push(backend.provider.clone());
        }
        let shares = &backend.shares;
        cells.extend([
            state(backend),
            format!("{}/{}", backend.endpoints_up, backend.endpoints_total),
            format!(
                "{} / {} / {}",
                text::share(shares.declared),
                text::share(shares.target),
                text::share(shares.effective)
            ),
            text::measured(shares.new_sessions),
            text::rate(backend.load.requests_per_second),
            text::count(backend.load.in_flight),
        ]);
        if wide {
            cells.push(text::latency(backend.load.latency_p50_seconds));
        }
        cells.push(text::latency(backend.load.latency_p95_seconds));
        if wide {
            cells.push(text::latency(backend.load.latency_p99_seconds));
        }
        cells.extend([text::errors(backend.load.error_ratio), why(backend)]);
        table.row(cells);
    }
    table.render()
}

/// `up`, `up standby`, `down`, `off`, `up drain`.
fn state(backend: &Backend) -> String {
    let mut words = vec![observed(backend.observed_state)];
    if backend.role == Role::Standby {
        words.push("standby");
    }
    if backend.off {
        words.push("off");
    }
    match super::state::word(backend.admin_state) {
        "ready" => {}
        word => words.push(word),
    }
    words.join(" ")
}

const fn observed(state: ObservedState) -> &'static str {
    match state {
        ObservedState::Up => "up",
        ObservedState::Degraded => "degraded",
        ObservedState::Unknown => "unknown",
        ObservedState::Down => "down",
    }
}

/// Why its share is not the declared one, in the API's words.
fn why(backend: &Backend) -> String {
    match (backend.why.is_empty(), backend.role) {
        (true, Role::Standby) => "role: standby".to_owned(),
        _ => backend.why.clone(),
    }
}

/// The table of endpoints.
fn endpoints(service: &Service, clock: &Clock) -> String {
    let mut table = Table::new([
        ("ENDPOINT", Align::Left),
        ("STATE", Align::Left),
        ("SINCE", Align::Left),
        ("WEIGHT", Align::Right),
        ("REASON", Align::Left),
    ]);
    for backend in &service.backends {
        for endpoint in &backend.endpoints {
            table.row([
                format!("{}/{}", backend.name, endpoint.name),
                endpoint_state(endpoint),
                endpoint
                    .since
                    .map_or_else(|| text::NONE.to_owned(), |since| clock.short(since)),
                format!("{:.2}", endpoint.weight_ratio),
                reasons(endpoint),
            ]);
        }
    }
    table.render()
}

fn endpoint_state(endpoint: &Endpoint) -> String {
    match super::state::word(endpoint.admin_state) {
        "ready" if endpoint.reserve => format!("{} reserve", observed(endpoint.observed_state)),
        "ready" => observed(endpoint.observed_state).to_owned(),
        word => format!("{} {word}", observed(endpoint.observed_state)),
    }
}

fn reasons(endpoint: &Endpoint) -> String {
    let one = |reason: &bascule_admin::api::Reason| match reason.status {
        Some(status) => format!("{} {status}", reason.reason),
        None => reason.reason.clone(),
    };
    // What traffic holds against it is said with its numbers; that is the first of the reasons.
    let details = endpoint.ejection.iter().map(|ejection| {
        let passed = match ejection.trials_passed {
            0 => String::new(),
            trials => format!("; {trials} trials passed"),
        };
        format!("traffic: {}{passed}", ejection.details)
    });
    let reasons = endpoint.reasons.iter().map(one);
    let rest = reasons.skip(details.len());
    // An agent without anything to say is no reason.
    let agent = endpoint.agent.iter().filter(|agent| agent.says != "ready");
    let agent = agent.map(|agent| format!("agent: {}", agent.says));
    let words = details.chain(rest).chain(agent);
    words.collect::<Vec<_>>().join(", ")
}

/// `If aws is lost   oci 87.5 %, at 100 % of its sessions; 12.5 % shed`; only where something is known of the load.
fn losses(service: &Service) -> Vec<String> {
    let known = service
        .losses
        .iter()
        .filter(|loss| loss.utilization_ratio.is_some());
    let line = |loss: &Loss| format!("If {} is lost   {}", loss.provider, loss.text);
    known.map(line).collect()
}

/// What a loss would do, the running shift, and the last changes.
fn tail(
    status: &Status,
    service: &Service,
    history: &[HistoryEntry],
    clock: &Clock,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(affinity) = &service.affinity {
        let map = affinity.map.as_ref();
        let map = map.map_or_else(String::new, |hash| format!(", map {hash}"));
        lines.push(format!("Keys   by {}{map}", affinity.by));
    }
    lines.extend(losses(service));
    let running = status
        .shifts
        .iter()
        .filter(|shift| shift.service == service.name && !shift.ended);
    lines.extend(running.map(shift_line));
    let own = |entry: &&HistoryEntry| {
        entry.refused.is_none() && entry.action != "step" && entry.rows.contains_key(&service.name)
    };
    let last: Vec<String> = history
        .iter()
        .filter(own)
        .take(LAST_MAX)
        .map(|e| super::history::line(e, clock))
        .collect();
    if !last.is_empty() {
        lines.push(format!("Last   {}", last.join(" · ")));
    }
    lines
}

fn shift_line(shift: &Shift) -> String {
    let note = if shift.note.is_empty() {
        String::new()
    } else {
        format!("   {}", shift.note)
    };
    format!(
        "Shift  {} {}/{} {}, {:.0} % done: {} → {}{note}",
        shift.id,
        shift.step,
        shift.steps,
        phase(shift.phase),
        shift.progress_ratio * 100.0,
        text::row(&shift.now),
        text::row(&shift.to)
    )
}

/// What concerns the whole process: evacuations, a refused configuration, not being ready.
fn whole(status: &Status, wide: bool, clock: &Clock) -> Vec<String> {
    let mut lines = Vec::new();
    for evacuation in &status.evacuations {
        let word = super::evacuate::phase(evacuation.phase);
        let (id, provider) = (&evacuation.id, &evacuation.provider);
        lines.push(format!(
            "Evacuation {id} of {provider}: {word}, {}   Back: bascule restore {provider}\n",
            clock.left(evacuation.expires_at)
        ));
    }
    lines.extend(clouds::sources(status, wide, clock));
    lines.extend(clouds::actuators(status, clock));
    if let Some(failure) = &status.config.last_error {
        let errors = text::plural(failure.diagnostics.len(), "problem");
        let at = clock.short(failure.at);
        lines.push(format!(
            "Config of {at} from {} refused, {errors}; {} still runs\n{}",
            failure.origin, status.config.hash, failure.rendered
        ));
    }
    if !status.instance.ready {
        lines.push(format!("Not ready: {}\n", status.instance.not_ready));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use bascule_admin::api::Agent;

    #[test]
    fn one_screen_says_shares_health_shift_and_the_last_changes() {
        let (status, history) = (samples::status(), samples::history());
        insta::assert_snapshot!(screen(&status, &history.entries, false, &samples::clock()));
    }

    #[test]
    fn the_wide_screen_has_endpoints_and_more_latencies() {
        let (status, history) = (samples::status(), samples::history());
        insta::assert_snapshot!(screen(&status, &history.entries, true, &samples::clock()));
    }

    #[test]
    fn sources_in_clouds_say_what_they_have_and_what_is_wrong() {
        let mut status = samples::status();
        let source = |name: &str, more: serde_json::Value| {
            let mut json = serde_json::json!({
                "account": "oci", "source": name, "backends": ["meet/oci"], "revision": 3, "running": 12, "known": 13,
                "good_at": "2026-11-20T19:39:48Z", "doubted_since": null, "failing": null,
            });
            let more = more.as_object().unwrap().clone();
            json.as_object_mut().unwrap().extend(more);
            serde_json::from_value(json).unwrap()
        };
        let failing = serde_json::json!({
            "kind": "denied", "message": "ListInstances of ocid1.x: denied: 404 NotAuthorizedOrNotFound; Allow group …",
            "since": "2026-11-20T19:36:00Z", "count": 14,
        });
        status.sources = vec![
            source("instance-pool/ocid1.a", serde_json::json!({})),
            source(
                "instance-pool/ocid1.b",
                serde_json::json!({ "good_at": null, "running": 0, "failing": failing }),
            ),
            source(
                "load-balancer/ocid1.c/media",
                serde_json::json!({ "doubted_since": "2026-11-20T19:39:56Z" }),
            ),
        ];
        insta::assert_snapshot!(screen(&status, &[], false, &samples::clock()));
    }

    /// One that is as it should be, but for `more`.
    fn actuator(more: serde_json::Value) -> bascule_admin::api::Actuator {
        let mut json = serde_json::json!({
            "service": "meet", "account": "amazon", "actuator": "route53/Z1/meet.example.org/A", "wanted": 1847,
            "confirmed": 1847, "members": { "aws": 70, "oci": 30, "gcp": 0 }, "read_at": "2026-11-20T19:39:48Z",
            "error": 0.0, "foreign": 0.0, "drifted_since": null, "delay_seconds": 30.0, "failing": null,
        });
        json.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn the_wide_screen_has_what_clouds_say_with_its_age_and_how_late_it_came() {
        let mut status = samples::status();
        let source = |observed: serde_json::Value| {
            serde_json::from_value(serde_json::json!({
                "account": "oci", "source": "load-balancer/ocid1.c/media", "backends": ["meet/oci"], "revision": 3, "running": 3,
                "known": 4, "good_at": "2026-11-20T19:39:48Z", "observed": observed,
            }))
            .unwrap()
        };
        let at = "2026-11-20T19:37:40Z";
        status.services.clear();
        status.sources = vec![
            source(serde_json::json!({
                "read_at": "2026-11-20T19:39:40Z", "failing": null,
                "health": { "instances": { "healthy": 3, "unhealthy": 1 }, "not_healthy": { "10.0.0.2:80": "unhealthy" },
                    "at": "2026-11-20T19:39:40Z", "age_seconds": 20.4, "lag_seconds": 0.3 },
                "values": [
                    { "what": "cpu_ratio", "value": 0.417, "at": at, "age_seconds": 140.0, "lag_seconds": 120.0 },
                    { "what": "instances_max", "value": 9.0, "at": at, "age_seconds": 7300.0, "lag_seconds": 0.0 },
                ],
            })),
            source(serde_json::json!({
                "read_at": null, "health": null, "values": [],
                "failing": { "kind": "denied", "message": "SummarizeMetricsData of ocid1.x: denied: 404; Allow group …",
                    "since": "2026-11-20T19:36:00Z", "count": 4 },
            })),
            source(serde_json::Value::Null),
        ];
        insta::assert_snapshot!(screen(&status, &[], true, &samples::clock()));
    }

    #[test]
    fn actuators_say_what_is_set_there_and_what_is_wrong() {
        let mut status = samples::status();
        let failing = serde_json::json!({
            "kind": "denied", "message": "UpdateSteeringPolicy of ocid1.x: denied", "since": "2026-11-20T19:36:00Z", "count": 14,
        });
        status.actuators = vec![
            actuator(serde_json::json!({})),
            actuator(serde_json::json!({ "confirmed": 1846, "failing": failing, "foreign": 12.5 })),
            actuator(serde_json::json!({ "drifted_since": "2026-11-20T19:30:00Z" })),
            actuator(
                serde_json::json!({ "confirmed": null, "read_at": null, "members": { "aws": null } }),
            ),
        ];
        insta::assert_snapshot!(screen(&status, &[], false, &samples::clock()));
    }

    #[test]
    fn what_dns_answers_stands_with_its_actuator() {
        let mut status = samples::status();
        let dns = |more: serde_json::Value| {
            let mut json = serde_json::json!({
                "asked_at": "2026-11-20T19:39:48Z", "answers": 100, "heard": { "aws": 12, "oci": 88 }, "foreign": {},
                "unknown": {}, "verdict": "differs", "message": "DNS answers aws 12 of 100, where 70 % is set",
                "differs_since": "2026-11-20T19:36:00Z", "failures": [],
            });
            json.as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            actuator(serde_json::json!({ "dns": json }))
        };
        let silent = ["192.0.2.53:53: no answer in 2s, twice"];
        status.actuators = vec![
            dns(serde_json::json!({ "verdict": "agrees", "differs_since": null })),
            dns(serde_json::json!({})),
            dns(serde_json::json!({ "differs_since": null })),
            dns(
                serde_json::json!({ "verdict": "agrees", "differs_since": null, "failures": silent }),
            ),
            dns(
                serde_json::json!({ "verdict": "not_asked", "differs_since": null, "failures": silent }),
            ),
            dns(serde_json::json!({ "verdict": "not_asked", "failures": silent })),
            dns(serde_json::json!({
                "verdict": "unclear", "differs_since": null, "message": "aws is an alias there, whose answers are not known",
            })),
        ];
        let shown = clouds::actuators(&status, &samples::clock()).unwrap();
        insta::assert_snapshot!(shown);
    }

    #[test]
    fn trouble_is_said_at_the_top() {
        let mut status = samples::status();
        let service = &mut status.services[0];
        service.mode = Mode::Refuse;
        service.refusal = Some("no_backend_up".to_owned());
        service.summary = vec!["aws has 0 of 3 endpoints up".to_owned()];
        status.edge.in_step = false;
        status.instance.ready = false;
        status.instance.not_ready = "stopping".to_owned();
        insta::assert_snapshot!(screen(&status, &[], false, &samples::clock()));
    }

    #[test]
    fn what_an_agent_says_stands_with_the_reasons_unless_it_is_nothing() {
        let mut service = samples::service();
        let endpoint = &mut service.backends[0].endpoints[0];
        let before = reasons(endpoint);
        for (says, shown) in [
            ("ready", before.clone()),
            ("50 %, busy", format!("{before}, agent: 50 %, busy")),
        ] {
            let says = says.to_owned();
            endpoint.agent = Some(Agent {
                says,
                heard_at: None,
            });
            assert_eq!(reasons(endpoint), shown);
        }
    }

    #[test]
    fn a_wrong_service_is_told_with_the_one_meant() {
        let error = unknown_service("meat", &["meet".to_owned(), "api".to_owned()]);
        assert_eq!(
            error.to_string(),
            "there is no service `meat`\n  → did you mean `meet`?\n  → there is: meet, api"
        );
    }
}
