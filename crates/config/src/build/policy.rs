//! Policies that a service or a listener can take from `defaults`, key by key: time-outs, retries, the ramp, limits.
//! `build/check` has those of checks. And the rails of a service, which have no defaults in the file.

use std::collections::BTreeMap;
use std::time::Duration;

use bascule_health::OutlierPolicy;
use bascule_health::policy::CheckPolicy;
use bascule_model::BackendName;
use bascule_plan::{Bounds, Guardrails, ServicePolicy};
use bascule_traffic::spec::{
    Algorithm, Balance, Class, FailOpen, GrpcStatuses, LoadBound, RetryPolicy, RetryWhen,
    ServiceLimits, Statuses, Timeouts,
};

use super::affinity::key_source;
use crate::config::{Limits, ListenerTimeouts};
use crate::form::Value;
use crate::lower::Item;
use crate::read::Layers;

pub(super) const RAMP: Duration = Duration::from_secs(5);

pub(super) fn outlier(outlier: Layers<'_>) -> OutlierPolicy {
    let built_in = OutlierPolicy::default();
    OutlierPolicy {
        enabled: outlier.boolean("enabled").unwrap_or(built_in.enabled),
        consecutive: outlier
            .integer("consecutive")
            .unwrap_or(built_in.consecutive),
        error_ratio: outlier
            .percent("error_ratio")
            .unwrap_or(built_in.error_ratio),
        slow_min: outlier.duration("slow_min").unwrap_or(built_in.slow_min),
        hold: outlier.duration("hold").unwrap_or(built_in.hold),
        hold_max: outlier.duration("hold_max").unwrap_or(built_in.hold_max),
        trial_every: outlier
            .duration("trial_every")
            .unwrap_or(built_in.trial_every),
        forget: outlier.duration("forget").unwrap_or(built_in.forget),
        share_max: outlier.percent("share_max").unwrap_or(built_in.share_max),
    }
}

/// The soonest a backend can be up again: `rise` checks at the fast interval, rounded up to a second.
pub(super) fn retry_after(check: &CheckPolicy) -> Duration {
    let soonest = check.interval_fast.saturating_mul(check.rise);
    Duration::from_millis(
        u64::try_from(soonest.as_millis())
            .unwrap_or(u64::MAX)
            .div_ceil(1_000)
            .saturating_mul(1_000),
    )
}

pub(super) fn timeouts(times: Layers<'_>) -> Timeouts {
    let built_in = Timeouts::default();
    Timeouts {
        connect: times.duration("connect").unwrap_or(built_in.connect),
        request: times.duration("request").or(built_in.request),
        response_headers: times
            .duration("response_headers")
            .unwrap_or(built_in.response_headers),
        upstream_idle: times
            .duration("upstream_idle")
            .unwrap_or(built_in.upstream_idle),
        stream_idle: times
            .duration("stream_idle")
            .unwrap_or(built_in.stream_idle),
    }
}

pub(super) fn listener_timeouts(times: Layers<'_>) -> ListenerTimeouts {
    let built_in = ListenerTimeouts::default();
    ListenerTimeouts {
        request_headers: times
            .duration("request_headers")
            .unwrap_or(built_in.request_headers),
        client_idle: times
            .duration("client_idle")
            .unwrap_or(built_in.client_idle),
        client_stall: times
            .duration("client_stall")
            .unwrap_or(built_in.client_stall),
    }
}

/// `connections` is the process's: a listener's own is no override of it.
pub(super) fn limits(limits: Layers<'_>) -> Limits {
    let built_in = Limits::default();
    Limits {
        connections: limits
            .base()
            .integer("connections")
            .unwrap_or(built_in.connections),
        connections_per_client: limits
            .integer("connections_per_client")
            .unwrap_or(built_in.connections_per_client),
        header_bytes: limits
            .integer("header_bytes")
            .unwrap_or(built_in.header_bytes),
        header_count: limits
            .integer("header_count")
            .unwrap_or(built_in.header_count),
        request_body: limits.integer("request_body"),
        streams_per_connection: limits
            .integer("streams_per_connection")
            .unwrap_or(built_in.streams_per_connection),
        requests_per_connection: limits
            .integer("requests_per_connection")
            .unwrap_or(built_in.requests_per_connection),
        resets: limits.rate("resets").unwrap_or(built_in.resets),
        control_frames: limits
            .rate("control_frames")
            .unwrap_or(built_in.control_frames),
    }
}

/// A service's own; `defaults.limits` are those of listeners, and of the process.
pub(super) fn service_limits(limits: Layers<'_>) -> ServiceLimits {
    let built_in = ServiceLimits::default();
    ServiceLimits {
        endpoint_requests: limits.integer("endpoint_requests"),
        endpoint_connections: limits.integer("endpoint_connections"),
        backend_requests: limits.integer("backend_requests"),
        endpoint_pending: limits
            .integer("endpoint_pending")
            .unwrap_or(built_in.endpoint_pending),
        pending_timeout: limits
            .duration("pending_timeout")
            .unwrap_or(built_in.pending_timeout),
    }
}

pub(super) fn retry(retry: Layers<'_>) -> RetryPolicy {
    let built_in = RetryPolicy::default();
    let budget = retry.inside("budget");
    RetryPolicy {
        attempts: retry.integer("attempts").unwrap_or(built_in.attempts),
        try_timeout: retry.duration("try_timeout").or(built_in.try_timeout),
        budget_ratio: budget.percent("ratio").unwrap_or(built_in.budget_ratio),
        budget_min_per_second: budget.rate("min").unwrap_or(built_in.budget_min_per_second),
        when: retry.get("when").map_or(built_in.when, retry_when),
        replay_body: retry.integer("replay_body").unwrap_or(built_in.replay_body),
        other_provider: retry
            .boolean("other_provider")
            .unwrap_or(built_in.other_provider),
    }
}

fn retry_when(item: &Item) -> RetryWhen {
    let named = |word: &str| {
        item.items()
            .iter()
            .any(|i| matches!(i.value(), Some(Value::Word(w)) if *w == word))
    };
    let statuses = Statuses::ALL.into_iter();
    let statuses: Vec<u16> = statuses.filter(|s| named(&s.to_string())).collect();
    let grpc = GrpcStatuses::ALL.into_iter();
    let grpc: Vec<u8> = grpc.filter(|g| named(g.0)).map(|g| g.1).collect();
    RetryWhen {
        connect_failure: named("connect_failure"),
        reset_before_response: named("reset_before_response"),
        refused_stream: named("refused_stream"),
        silence: named("silence"),
        statuses: Statuses::of(&statuses),
        grpc: GrpcStatuses::of(&grpc),
    }
}

pub(super) fn balance(balance: Layers<'_>) -> Balance {
    Balance {
        algorithm: match balance.word("algorithm") {
            Some("peak_ewma") => Algorithm::PeakEwma,
            Some("round_robin") => Algorithm::RoundRobin,
            Some("random") => Algorithm::Random,
            Some("maglev") => Algorithm::Maglev,
            Some("rendezvous") => Algorithm::Rendezvous,
            _ => Algorithm::LeastRequest,
        },
        hash: key_source(balance, "hash"),
        bound: balance.integer("bounded_load").and_then(LoadBound::new),
    }
}

pub(super) fn class(service: Layers<'_>) -> Class {
    let classes = [Class::Media, Class::Signalling, Class::Bulk];
    let word = service.word("class");
    let named = classes.into_iter().find(|c| word == Some(c.as_str()));
    named.unwrap_or_default()
}

pub(super) fn fail_open(service: Layers<'_>) -> FailOpen {
    match service.inside("safety").word("fail_open") {
        Some("when_no_backend_up") => FailOpen::WhenNoBackendUp,
        _ => FailOpen::Never,
    }
}

pub(super) fn rails(service: Layers<'_>) -> ServicePolicy {
    let built_in = ServicePolicy::default();
    let step = service.inside("controller").inside("step");
    let guardrails = service.inside("guardrails");
    let safety = service.inside("safety");
    let ttl = safety.inside("override_ttl");
    let (ttl_default, ttl_max) = (ttl.duration("default"), ttl.duration("max"));
    let shorter = |max: Duration| built_in.override_ttl.min(max);
    let longer = |default: Duration| built_in.override_ttl_max.max(default);
    ServicePolicy {
        step: step.percent("max").unwrap_or(built_in.step),
        bake: step.duration("every").unwrap_or(built_in.bake),
        guardrails: Guardrails {
            receiver_p95_rise: guardrails
                .ratio("receiver_p95")
                .unwrap_or(built_in.guardrails.receiver_p95_rise),
            receiver_errors: guardrails
                .percent("receiver_errors")
                .unwrap_or(built_in.guardrails.receiver_errors),
            hold: guardrails
                .duration("hold")
                .unwrap_or(built_in.guardrails.hold),
        },
        bounds: bounds(service.inside("controller").get("bounds")),
        min_providers: safety
            .integer("min_providers")
            .unwrap_or(built_in.min_providers),
        max_step: safety.percent("max_step"),
        override_ttl: ttl_default.unwrap_or(ttl_max.map_or(built_in.override_ttl, shorter)),
        override_ttl_max: ttl_max.unwrap_or(ttl_default.map_or(built_in.override_ttl_max, longer)),
        drain_deadline: service
            .inside("session")
            .duration("drain_deadline")
            .unwrap_or(built_in.drain_deadline),
        keyed: built_in.keyed,
    }
}

fn bounds(item: Option<&Item>) -> BTreeMap<BackendName, Bounds> {
    let fields = item.map(Item::fields).unwrap_or_default();
    let bound = |field: &crate::lower::Field| match field.item.value() {
        Some(Value::Bounds(bounds)) => Some((BackendName::parse(&field.name).ok()?, *bounds)),
        _ => None,
    };
    fields.iter().filter_map(bound).collect()
}
