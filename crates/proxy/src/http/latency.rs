//! Tells an endpoint's average how a try went, where its service chooses by latency: the time to the head of the answer,
//! and what counts as slow for a while. In services that do not, nothing is done.

use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::latency::PeakEwma;
use bascule_traffic::retry::Answered;

use crate::http::record::Exchange;
use crate::upstream::Endpoint;

/// The endpoint answered. A status that says that it cannot, or not now, is a failure as far as choosing goes, however
/// fast it came: else an endpoint that refuses at once would draw everything.
pub(crate) fn answered(timed: Option<(&Endpoint, Duration)>, answered: &Answered) {
    tell(timed, |ewma, took| {
        let now = clock::now();
        let ewma = ewma.answered(now, took);
        if refuses(answered) {
            ewma.penalised(now, answered.retry_after)
        } else {
            ewma
        }
    });
}

/// Whether it says that the endpoint cannot, or not now: a status, or that of a gRPC call (unknown, deadline exceeded,
/// resource exhausted, internal, unavailable, data loss).
fn refuses(answered: &Answered) -> bool {
    let by_status = answered.status >= 500 || answered.status == 429;
    by_status
        || answered
            .grpc
            .is_some_and(|code| matches!(code, 2 | 4 | 8 | 13 | 14 | 15))
}

/// The try failed for the endpoint's fault.
pub(crate) fn failed(timed: Option<(&Endpoint, Duration)>) {
    tell(timed, |ewma, took| {
        let now = clock::now();
        ewma.waited(now, took).penalised(now, None)
    });
}

/// Nobody waits for the answer any more.
pub(crate) fn given_up(exchange: &Exchange) {
    let timed = exchange.timed_try();
    tell(timed, |ewma, took| ewma.waited(clock::now(), took));
}

fn tell(timed: Option<(&Endpoint, Duration)>, how: impl Fn(PeakEwma, Duration) -> PeakEwma) {
    if let Some((endpoint, took)) = timed {
        endpoint.latency.set(how(endpoint.latency.get(), took));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_that_it_cannot_refuses_and_what_says_no_does_not() {
        for (status, grpc, expected) in [
            (200, None, false),
            (404, None, false),
            (429, None, true),
            (500, None, true),
            (503, None, true),
            (200, Some(0), false),
            (200, Some(5), false),
            (200, Some(8), true),
            (200, Some(14), true),
        ] {
            let answered = Answered {
                status,
                grpc,
                retry_after: None,
            };
            assert_eq!(refuses(&answered), expected, "{status} {grpc:?}");
        }
    }
}
