//! The names of all metrics, one constant each, and the table that says of each its type, unit, labels and help. The
//! exposition takes its help from here and `docs/reference/metrics.md` is rendered from here. A label never holds a path,
//! a user, an address or a URL, but `endpoint`, which is on `bascule_endpoint_up` only: the number of series is bounded.

use std::fmt::Write as _;

/// What a metric does over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from zero at the start of the process.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Durations by bucket.
    Histogram,
}

impl Kind {
    /// The type as the Prometheus format writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// All its values, or none when they are names of the configuration.
    pub values: &'static [&'static str],
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its base unit; empty for counts.
    pub unit: &'static str,
    /// Its labels.
    pub labels: &'static [Label],
    /// One sentence.
    pub help: &'static str,
    /// The upper bounds of its buckets when it is a histogram.
    pub buckets: &'static [f64],
}

/// The buckets of durations that people wait for, as in OpenTelemetry's semantic conventions for HTTP.
pub const SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];
/// The buckets of what the proxy adds: microseconds where it is well.
pub const OVERHEAD: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025,
    0.1, 1.0,
];
/// The buckets of ramps: seconds to hours.
pub const RAMP: &[f64] = &[
    1.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 14_400.0,
];

const fn open(name: &'static str) -> Label {
    Label { name, values: &[] }
}

const fn closed(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values }
}

const SERVICE: Label = open("service");
const BACKEND: Label = open("backend");
const PROVIDER: Label = open("provider");
const LISTENER: Label = open("listener");
const HOLDER: &[Label] = &[SERVICE, BACKEND, PROVIDER];
const CODE_CLASS: Label = closed("code_class", &["1xx", "2xx", "3xx", "4xx", "5xx"]);
const PROTO: Label = closed("proto", &["http", "websocket"]);

/// What an HTTP/2 connection is ended for; see `docs/limits.md`.
const FRAME_ABUSES: &[&str] = &[
    "resets",
    "resets_caused",
    "control_frames",
    "empty_frames",
    "continuation",
    "window_updates",
    "protocol",
    "flood",
    "malformed",
];
/// What a client connection is ended for; see `docs/limits.md`.
const CONNECTION_ENDS: &[&str] = &[
    "resets",
    "resets_caused",
    "control_frames",
    "empty_frames",
    "continuation",
    "window_updates",
    "protocol",
    "flood",
    "requests",
    "head_timeout",
    "client_stall",
    "stream_idle",
    "trailers_too_long",
    "malformed",
];

macro_rules! metrics {
    ($($constant:ident, $kind:ident, $name:literal, $unit:literal, $labels:expr, $buckets:expr, $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $constant: &str = $name;
        )*
        /// All metrics, in the order of the reference.
        pub const ALL: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, unit: $unit, labels: $labels, help: $help, buckets: $buckets }),*
        ];
    };
}

metrics! {
    REQUESTS, Counter, "bascule_requests_total", "", &[SERVICE, BACKEND, PROVIDER, CODE_CLASS], &[],
        "Finished requests. The backend is empty when none was reached.";
    REQUEST_DURATION, Histogram, "bascule_request_duration_seconds", "seconds", &[SERVICE, BACKEND, PROVIDER, CODE_CLASS], SECONDS,
        "Time from the request's head to the end of its response.";
    UPSTREAM_DURATION, Histogram, "bascule_upstream_duration_seconds", "seconds",
        &[SERVICE, BACKEND, PROVIDER, closed("phase", &["connect", "tls", "ttfb", "total"])], SECONDS,
        "Time spent with an endpoint, by phase of the attempt.";
    PROXY_OVERHEAD, Histogram, "bascule_proxy_overhead_seconds", "seconds", &[], OVERHEAD,
        "Time the proxy itself added to requests.";
    PICKS, Counter, "bascule_picks_total", "", &[SERVICE, BACKEND, PROVIDER, closed("why", &["weight", "affinity", "retry", "fail_open", "spill", "trial", "waited"])], &[],
        "Picks of a backend, by reason; those by weight are what the share decides.";
    BREAKERS_OPEN, Gauge, "bascule_breakers_open", "", &[SERVICE, BACKEND, PROVIDER, closed("limit", &["endpoint_requests", "endpoint_connections", "backend_requests"])], &[],
        "Limits that are reached at this moment: endpoints of the backend, or the backend itself. Only of services that have limits.";
    PENDING, Gauge, "bascule_pending_requests", "", HOLDER, &[],
        "Requests that wait for a place, by the backend they wait for.";
    PENDING_ENDED, Counter, "bascule_pending_ended_total", "", &[SERVICE, BACKEND, PROVIDER, closed("end", &["served", "timeout", "client_gone"])], &[],
        "Requests that have waited for a place, by how that ended.";
    BACKEND_ERRORS, Counter, "bascule_backend_errors_total", "", HOLDER, &[],
        "Requests that failed for the backend's fault: 5xx, cut, refused, timed out.";
    REQUESTS_REFUSED, Counter, "bascule_requests_refused_total", "", &[SERVICE, open("reason")], &[],
        "Requests the proxy answered itself with a refusal, by reason.";
    RESPONSES_REFUSED, Counter, "bascule_responses_refused_total", "", &[SERVICE, BACKEND, open("reason")], &[],
        "Responses of backends that are not what HTTP/1 allows, by what is wrong: refused, or cut where they had begun.";
    ACTIVE_SESSIONS, Gauge, "bascule_active_sessions", "", &[SERVICE, BACKEND, PROVIDER, PROTO], &[],
        "Requests and sessions running now.";
    SESSIONS, Counter, "bascule_sessions_total", "", &[SERVICE, BACKEND, PROVIDER, PROTO, closed("end", &["client", "server", "drain", "error", "max_age"])], &[],
        "Ended sessions, by who or what ended them.";
    TRAFFIC_BYTES, Counter, "bascule_traffic_bytes_total", "bytes", &[SERVICE, BACKEND, PROVIDER, closed("direction", &["in", "out"])], &[],
        "Body bytes: in from clients, out to clients.";
    AFFINITY_IGNORED, Counter, "bascule_affinity_ignored_total", "", &[SERVICE, closed("reason", &["empty", "too_long", "ambiguous", "malformed", "forged", "expired", "unknown_backend"])], &[],
        "Keys and cookies, of `affinity` and `balance.hash`, that were taken for none: the request went as one without.";
    AFFINITY_MAP, Gauge, "bascule_affinity_map_hash", "", &[SERVICE], &[],
        "The hash of the service's bucket map, 48 bits: the same on all edges that send a key to the same place.";
    RETRIES, Counter, "bascule_retries_total", "", &[SERVICE, open("from"), open("to"), open("reason")], &[],
        "Requests tried once more, from which backend to which, by reason.";
    SUSPICIONS, Counter, "bascule_suspicions_total", "", &[SERVICE, BACKEND, PROVIDER, open("reason")], &[],
        "Endpoints that an edge began to suspect by its own traffic, before the judge's verdict, by what it saw.";
    SPILLS, Counter, "bascule_spills_total", "", &[SERVICE, open("from"), open("to"), closed("reason", &["full", "suspect"])], &[],
        "First tries that went to another backend than the one whose turn it was: a limit was reached there, or all of it is suspected.";
    WEIGHT, Gauge, "bascule_weight_ratio", "ratio", &[SERVICE, BACKEND, PROVIDER, closed("kind", &["declared", "override", "target", "effective"])], &[],
        "Decided shares: of the file, of a person, of the controller, and what the edge uses.";
    SHARE, Gauge, "bascule_share_ratio", "ratio", &[SERVICE, BACKEND, PROVIDER, closed("of", &["requests", "new_sessions", "sessions", "egress"])], &[],
        "Measured shares.";
    WEIGHT_FACTOR, Gauge, "bascule_weight_factor_ratio", "ratio", &[SERVICE, BACKEND, PROVIDER, closed("factor", &["health", "slow_start", "capacity"])], &[],
        "The factors between the target share and the effective one.";
    OVERRIDE_EXPIRY, Gauge, "bascule_override_expiry_timestamp_seconds", "seconds", HOLDER, &[],
        "When the override of this backend's share ends; NaN without one.";
    ENDPOINT_UP, Gauge, "bascule_endpoint_up", "", &[SERVICE, BACKEND, PROVIDER, open("endpoint")], &[],
        "1 when the endpoint is up, 0 when it is not.";
    PROVIDER_ENDPOINTS, Gauge, "bascule_provider_endpoints", "", &[SERVICE, BACKEND, PROVIDER, closed("state", &["up", "degraded", "down", "unknown", "drain", "maint", "offline"])], &[],
        "Endpoints by state; a state set by people hides the observed one.";
    HEALTH_CHECKS, Counter, "bascule_health_checks_total", "", &[SERVICE, BACKEND, PROVIDER, closed("result", &["pass", "fail"]), closed("reason", &["", "connect", "timeout", "tls", "status", "protocol", "text", "too_long", "not_serving", "serving_unknown", "service_unknown", "grpc"])], &[],
        "Results of health checks, for each endpoint that a check was made for; failed ones with their reason.";
    HEALTH_AGENTS, Counter, "bascule_health_agents_total", "", &[SERVICE, BACKEND, PROVIDER, closed("result", &["heard", "garbage", "unreached"])], &[],
        "Questions to agents beside endpoints; only those that are heard change anything.";
    HEALTH_PROBES, Counter, "bascule_health_probes_total", "", &[closed("result", &["pass", "fail"])], &[],
        "Health checks on the wire: one for all endpoints that are the same target.";
    HEALTH_PROBES_WAITING, Gauge, "bascule_health_probes_waiting", "", &[], &[],
        "Health checks that are due and wait for a place on the wire.";
    HEALTH_TRANSITIONS, Counter, "bascule_health_transitions_total", "", &[SERVICE, BACKEND, PROVIDER, closed("to", &["up", "degraded", "down", "unknown"])], &[],
        "Changes of an endpoint's observed state.";
    EJECTIONS, Counter, "bascule_ejections_total", "", &[SERVICE, BACKEND, PROVIDER, closed("reason", &["connect", "reset", "timeout", "unavailable", "error", "slow"])], &[],
        "Endpoints taken out for what traffic saw of them, by what most of it was.";
    ENDPOINTS_EJECTED, Gauge, "bascule_endpoints_ejected", "", HOLDER, &[],
        "Endpoints that are out for what traffic saw of them.";
    TRIALS, Counter, "bascule_trials_total", "", &[SERVICE, BACKEND, PROVIDER, closed("result", &["passed", "failed"])], &[],
        "Requests sent to endpoints that are out, to see whether they work again.";
    CHECKS_DOUBTED, Gauge, "bascule_checks_doubted", "", &[SERVICE], &[],
        "1 while the checks of all endpoints fail and are not believed, because traffic succeeds.";
    FAIL_OPEN, Gauge, "bascule_fail_open", "", &[SERVICE], &[],
        "1 while traffic is sent to endpoints that are down, as configured, because none is up.";
    SHED_RATIO, Gauge, "bascule_shed_ratio", "ratio", &[SERVICE, closed("class", &["media", "signalling", "bulk"])], &[],
        "The part of requests that is refused as it fits nowhere; only of services with a capacity.";
    UTILIZATION, Gauge, "bascule_utilization_ratio", "ratio", HOLDER, &[],
        "What the service brings to a backend of the capacity declared for it, in the tightest unit.";
    FAILOVER_UTILIZATION, Gauge, "bascule_failover_utilization_ratio", "ratio", &[SERVICE, open("failed_provider")], &[],
        "The utilization of the fullest backend if that provider were lost now.";
    FAILOVER_SHED, Gauge, "bascule_failover_shed_ratio", "ratio", &[SERVICE, open("failed_provider")], &[],
        "The part of requests that would be refused if that provider were lost now.";
    SHIFT_PROGRESS, Gauge, "bascule_shift_progress_ratio", "ratio", &[SERVICE], &[],
        "How far the running shift has come.";
    SHIFT_ACTIVE, Gauge, "bascule_shift_active", "", &[SERVICE], &[],
        "1 while a shift runs.";
    SHIFTS, Counter, "bascule_shifts_total", "", &[SERVICE, closed("initiator", &["human", "controller", "schedule", "practice"]), closed("outcome", &["completed", "aborted", "undone", "expired"])], &[],
        "Ended shifts.";
    SHIFT_DURATION, Histogram, "bascule_shift_duration_seconds", "seconds", &[SERVICE, closed("kind", &["shift", "evacuate"])], RAMP,
        "Time from the acceptance of a shift to its end.";
    SAFETY_REFUSALS, Counter, "bascule_safety_refusals_total", "", &[SERVICE, open("rule")], &[],
        "Changes refused by a rail.";
    CONTROLLER_LEADER, Gauge, "bascule_controller_leader", "", &[], &[],
        "1 when this process decides shares, 0 when it only follows.";
    CONFIG_RELOAD_OK, Gauge, "bascule_config_last_reload_successful", "", &[], &[],
        "1 when the last reload was accepted, 0 when it was refused.";
    CONFIG_RELOAD_TIME, Gauge, "bascule_config_last_reload_success_timestamp_seconds", "seconds", &[], &[],
        "When a configuration was last accepted.";
    CONFIG_REJECTED, Counter, "bascule_config_rejected_total", "", &[closed("source", &["file", "api"])], &[],
        "Configurations that were refused.";
    EDGE_REVISION, Gauge, "bascule_edge_revision", "", &[], &[],
        "The revision of the wanted state that all workers use.";
    API_REQUESTS, Counter, "bascule_api_requests_total", "", &[open("method"), open("route"), open("code")], &[],
        "Requests to the admin API.";
    API_AUTH_FAILURES, Counter, "bascule_api_auth_failures_total", "", &[], &[],
        "Requests to the admin API without the right to make them.";
    CONNECTIONS, Gauge, "bascule_connections", "", &[LISTENER], &[],
        "Client connections open now.";
    CONNECTIONS_ACCEPTED, Counter, "bascule_connections_accepted_total", "", &[LISTENER], &[],
        "Client connections accepted.";
    CONNECTIONS_REFUSED, Counter, "bascule_connections_refused_total", "", &[LISTENER, closed("reason", &["limit", "listener_limit", "client_limit"])], &[],
        "Client connections closed at once, by the limit that was reached: of the process, the listener, the client's address.";
    CONNECTIONS_ENDED, Counter, "bascule_connections_ended_total", "", &[LISTENER, closed("reason", CONNECTION_ENDS)], &[],
        "Client connections ended by the edge for what the client did or failed to do, by reason.";
    STREAMS_RESET, Counter, "bascule_streams_reset_total", "", &[LISTENER, closed("reason", &["client_stall", "stream_idle"])], &[],
        "HTTP/2 streams of clients reset by the edge because nothing moved, by reason.";
    UPSTREAM_CONNECTIONS_ENDED, Counter, "bascule_upstream_connections_ended_total", "", &[SERVICE, BACKEND, closed("reason", FRAME_ABUSES)], &[],
        "HTTP/2 connections to endpoints ended by the edge for what the endpoint sent, by reason.";
    ACCEPT_ERRORS, Counter, "bascule_accept_errors_total", "", &[LISTENER, closed("reason", &["files", "memory", "aborted", "other"])], &[],
        "Errors of accepting connections: no file descriptor left, no memory, gone before accepted.";
    TLS_HANDSHAKES, Counter, "bascule_tls_handshakes_total", "", &[LISTENER, closed("result", &["full", "resumed", "refused_sni", "timeout", "failed"])], &[],
        "TLS handshakes with clients, by how they ended; `refused_sni`: `strict_sni` and no certificate for the name.";
    TLS_CERTIFICATE_EXPIRY, Gauge, "bascule_tls_certificate_expiry_timestamp_seconds", "seconds", &[open("name")], &[],
        "When the certificate ends, by its first name.";
    RESOLVE_FAILURES, Counter, "bascule_resolve_failures_total", "", &[open("host")], &[],
        "Failed look-ups of a host name or SRV name, those of its targets included; the last addresses stay in use.";
    RESOLVE_SUCCESS_TIME, Gauge, "bascule_resolve_last_success_timestamp_seconds", "seconds", &[open("host")], &[],
        "When the host name or SRV name was last looked up with success.";
    PRICE_AGE, Gauge, "bascule_price_age_seconds", "seconds", HOLDER, &[],
        "How long ago the price of a backend was true, by the `as_of` of the configuration; 0 where that is still to come.";
    DISCOVERY_INSTANCES, Gauge, "bascule_discovery_instances", "", &[open("account"), open("source")], &[],
        "Instances that run in a source of a cloud, by its last good answer.";
    DISCOVERY_FAILURES, Counter, "bascule_discovery_failures_total", "",
        &[open("account"), open("source"), closed("kind", &["transient", "throttled", "denied", "conflict", "invalid"])], &[],
        "Failed answers of a source; its last good answer stays in use.";
    DISCOVERY_DOUBTED, Gauge, "bascule_discovery_doubted", "", &[open("account"), open("source")], &[],
        "1 while an answer in which more than half is gone is held back until it is confirmed.";
    DISCOVERY_SUCCESS_TIME, Gauge, "bascule_discovery_last_success_timestamp_seconds", "seconds",
        &[open("account"), open("source")], &[],
        "When the source last gave a good answer.";
    OBSERVE_FAILURES, Counter, "bascule_provider_observe_failures_total", "",
        &[open("account"), open("source"), closed("kind", &["transient", "throttled", "denied", "conflict", "invalid"])], &[],
        "Failed questions to a cloud about a source; what it said last stays, and grows old.";
    OBSERVED_INSTANCES, Gauge, "bascule_provider_observed_instances", "",
        &[open("account"), open("source"), closed("health", &["healthy", "warning", "unhealthy", "draining", "unknown"])], &[],
        "Instances of a source by the cloud's own verdict of their health.";
    OBSERVED_CPU, Gauge, "bascule_provider_observed_cpu_ratio", "ratio", &[open("account"), open("source")], &[],
        "The part of a source's processors that is in use, as the cloud measures it.";
    OBSERVED_SIZE_WANTED, Gauge, "bascule_provider_observed_instances_wanted", "", &[open("account"), open("source")], &[],
        "Instances that a source is asked to have in its cloud.";
    OBSERVED_SIZE_MAX, Gauge, "bascule_provider_observed_instances_max", "", &[open("account"), open("source")], &[],
        "Instances that a source may have at most in its cloud.";
    OBSERVED_AGE, Gauge, "bascule_provider_observed_age_seconds", "seconds",
        &[open("account"), open("source"), closed("what", &["health", "cpu_ratio", "instances_wanted", "instances_max"])], &[],
        "How long ago what a cloud says was so, by the cloud's own clock.";
    APPLY_BEHIND, Gauge, "bascule_apply_behind", "", &[open("service"), open("account"), open("actuator")], &[],
        "1 while an actuator in a cloud has not been read back with the row that the edges use.";
    APPLY_ERROR, Gauge, "bascule_apply_error_ratio", "", &[open("service"), open("account"), open("actuator")], &[],
        "By how much a share is off at an actuator, as its numbers cannot say it better.";
    APPLY_FOREIGN, Gauge, "bascule_apply_foreign_ratio", "", &[open("service"), open("account"), open("actuator")], &[],
        "The part of an actuator's traffic that goes to what is not ours to set.";
    APPLY_DNS_DIFFERS, Gauge, "bascule_apply_dns_differs", "", &[open("service"), open("account"), open("actuator")], &[],
        "1 while DNS does not answer as is set at an actuator. Only where it is asked.";
    APPLY_FAILURES, Counter, "bascule_apply_failures_total", "",
        &[open("service"), open("account"), open("actuator"), closed("kind", &["transient", "throttled", "denied", "conflict", "invalid"])], &[],
        "Failed tries to bring an actuator to a row.";
    PANICS, Counter, "bascule_panics_total", "", &[open("task")], &[],
        "Panics caught; each ended one task. Any is a bug.";
    ACCESS_LOG_DROPPED, Counter, "bascule_access_log_dropped_total", "", &[], &[],
        "Access log lines dropped because the writer could not keep up.";
    LOG_DROPPED, Counter, "bascule_log_dropped_total", "", &[], &[],
        "Log lines of workers dropped because standard output did not take them.";
    BUILD_INFO, Gauge, "bascule_build_info", "", &[open("version"), open("revision")], &[],
        "1, with the version that runs.";
}

/// The metric of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    ALL.iter().find(|metric| metric.name == name)
}

/// The reference of all metrics, in Markdown: `docs/reference/metrics.md`.
#[must_use]
pub fn reference() -> String {
    let mut out = String::from(
        "# Metrics\n\n<!-- generated from crates/telemetry/src/names.rs: change it there -->\n\n\
         Prometheus text at `/metrics`. Base units; the edge is Prometheus' `instance`.\n\
         The metrics of the process itself (`process_*`) have their customary names.\n\n\
         | name | type | labels | meaning |\n|---|---|---|---|\n",
    );
    for metric in ALL {
        let label = |label: &Label| {
            let values = label.values.join("\\|");
            let equals = if values.is_empty() { "" } else { "=" };
            format!("{}{equals}{values}", label.name)
        };
        let labels: Vec<String> = metric.labels.iter().map(label).collect();
        // Writing to a String cannot fail.
        let (Ok(()) | Err(_)) = writeln!(
            out,
            "| `{}` | {} | {} | {} |",
            metric.name,
            metric.kind.as_str(),
            labels.join(", "),
            metric.help,
        );
    }
    out.push_str("\nBuckets of durations, in seconds: ");
    let list = |buckets: &[f64]| {
        let texts: Vec<String> = buckets.iter().map(f64::to_string).collect();
        texts.join(", ")
    };
    out.push_str(&list(SECONDS));
    out.push_str(".\nOf `bascule_proxy_overhead_seconds`: ");
    out.push_str(&list(OVERHEAD));
    out.push_str(".\nOf `bascule_shift_duration_seconds`: ");
    out.push_str(&list(RAMP));
    out.push_str(".\n");
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_carry_their_unit() {
        let names: BTreeSet<&str> = ALL.iter().map(|m| m.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            let total = metric.name.ends_with("_total");
            assert_eq!(total, metric.kind == Kind::Counter, "{}", metric.name);
            let stem = metric.name.trim_end_matches("_total");
            assert!(stem.ends_with(metric.unit), "{}", metric.name);
            let histogram = metric.kind == Kind::Histogram;
            assert_eq!(histogram, !metric.buckets.is_empty(), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn only_one_metric_is_by_endpoint() {
        let by_endpoint = |m: &&Metric| m.labels.iter().any(|l| l.name == "endpoint");
        let names: Vec<&str> = ALL.iter().filter(by_endpoint).map(|m| m.name).collect();
        assert_eq!(names, [ENDPOINT_UP]);
    }

    #[test]
    fn the_reference_names_every_metric_in_a_table_of_four_columns() {
        let text = reference();
        for metric in ALL {
            let start = format!("| `{}` |", metric.name);
            let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
            assert_eq!(line.replace("\\|", "").matches('|').count(), 5, "{line}");
        }
    }
}
