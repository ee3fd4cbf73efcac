//! Tells an endpoint's average how a try went, where its service chooses by latency: the time to the head of the answer,
//! and what counts as slow for a while. In services that do not, nothing is done.

use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::latency::PeakEwma;
use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};

use crate::http::record::Exchange;

/// The endpoint answered. A status that says that it cannot, or not now, is a failure as far as choosing goes, however
/// fast it came: else an endpoint that refuses at once would draw everything.
pub(crate) fn answered(exchange: &Exchange, status: StatusCode, headers: &HeaderMap) {
    tell(exchange, |ewma, took| {
        let now = clock::now();
        let ewma = ewma.answered(now, took);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            ewma.penalised(now, retry_after(headers))
        } else {
            ewma
        }
    });
}

/// The try failed for the endpoint's fault.
pub(crate) fn failed(exchange: &Exchange) {
    tell(exchange, |ewma, took| {
        let now = clock::now();
        ewma.waited(now, took).penalised(now, None)
    });
}

/// Nobody waits for the answer any more.
pub(crate) fn given_up(exchange: &Exchange) {
    tell(exchange, |ewma, took| ewma.waited(clock::now(), took));
}

fn tell(exchange: &Exchange, how: impl Fn(PeakEwma, Duration) -> PeakEwma) {
    if let Some((endpoint, took)) = exchange.timed_try() {
        endpoint.latency.set(how(endpoint.latency.get(), took));
    }
}

/// For how long it wants to be left alone, where it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn seconds_are_heard_and_anything_else_is_a_failure_like_others() {
        for (text, seconds) in [
            ("7", Some(7)),
            (" 120 ", Some(120)),
            ("-1", None),
            ("Fri, 31 Dec 1999 23:59:59 GMT", None),
            ("", None),
        ] {
            let headers = [(RETRY_AFTER, HeaderValue::from_str(text).unwrap())];
            let got = retry_after(&HeaderMap::from_iter(headers));
            assert_eq!(got, seconds.map(Duration::from_secs), "{text}");
        }
    }
}
