//! How long a service's requests may take, and when they are tried again, as text.

use bascule_traffic::spec::{GrpcStatuses, RetryPolicy, RetryWhen, Statuses, Timeouts};

use super::Lines;
use crate::form::unit::show_size;

pub(super) fn timeouts(out: &mut Lines, timeouts: Timeouts) {
    out.time("connect", timeouts.connect);
    if let Some(request) = timeouts.request {
        out.time("request", request);
    }
    out.time("response_headers", timeouts.response_headers);
    out.time("upstream_idle", timeouts.upstream_idle);
    out.time("stream_idle", timeouts.stream_idle);
}

pub(super) fn retry(out: &mut Lines, retry: RetryPolicy) {
    out.key("attempts", retry.attempts.to_string());
    out.list("when", retry_when(retry.when));
    if let Some(try_timeout) = retry.try_timeout {
        out.time("try_timeout", try_timeout);
    }
    out.key("replay_body", show_size(retry.replay_body));
    out.map("budget", |out| {
        out.key("ratio", format!("{}%", retry.budget_ratio));
        out.key("min", format!("{}/s", retry.budget_min_per_second));
    });
    out.key("other_provider", retry.other_provider.to_string());
}

/// What `retry.when` holds, as it is written.
#[must_use]
pub fn retry_when(when: RetryWhen) -> Vec<String> {
    let failures = [
        ("connect_failure", when.connect_failure),
        ("reset_before_response", when.reset_before_response),
        ("refused_stream", when.refused_stream),
        ("silence", when.silence),
    ];
    let failures = failures.into_iter().filter(|f| f.1);
    let statuses = Statuses::ALL.into_iter();
    let grpc = GrpcStatuses::ALL.into_iter();
    failures
        .map(|f| f.0.to_owned())
        .chain(
            statuses
                .filter(|s| when.statuses.contains(*s))
                .map(|s| s.to_string()),
        )
        .chain(
            grpc.filter(|g| when.grpc.contains(g.1))
                .map(|g| g.0.to_owned()),
        )
        .collect()
}
