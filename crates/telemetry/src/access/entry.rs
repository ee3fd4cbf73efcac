//! What one line of the access log says: the fields of a finished request, under their names in OpenTelemetry's semantic
//! conventions where those have one.

use std::time::Duration;

use serde::Serialize;

use super::Decision;

/// One finished request. Durations in seconds on the wire.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entry<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The trace it belongs to.
    pub trace_id: Option<&'a str>,
    /// The service.
    pub service: Option<&'a str>,
    /// The backend that answered.
    pub backend: Option<&'a str>,
    /// Its provider.
    pub provider: Option<&'a str>,
    /// The endpoint that answered.
    pub endpoint: Option<&'a str>,
    /// The method.
    #[serde(rename = "http.request.method")]
    pub method: &'a str,
    /// The path; the caller redacts the query.
    #[serde(rename = "url.path")]
    pub path: &'a str,
    /// The status sent to the client; 0 when none was.
    #[serde(rename = "http.response.status_code")]
    pub status: u16,
    /// `1.0`, `1.1` or `2`.
    #[serde(rename = "network.protocol.version")]
    pub version: &'a str,
    /// The client.
    #[serde(rename = "client.address")]
    pub client: &'a str,
    /// The host asked for.
    #[serde(rename = "server.address")]
    pub host: &'a str,
    /// Body bytes from the client.
    pub bytes_in: u64,
    /// Body bytes to the client.
    pub bytes_out: u64,
    /// Time to connect; absent on a reused connection.
    #[serde(
        serialize_with = "seconds_some",
        skip_serializing_if = "Option::is_none"
    )]
    pub t_connect: Option<Duration>,
    /// Time from the request to the head of the response.
    #[serde(
        serialize_with = "seconds_some",
        skip_serializing_if = "Option::is_none"
    )]
    pub t_ttfb: Option<Duration>,
    /// Time of the whole request.
    #[serde(serialize_with = "seconds")]
    pub t_total: Duration,
    /// Time the proxy added.
    #[serde(
        serialize_with = "seconds_some",
        skip_serializing_if = "Option::is_none"
    )]
    pub t_overhead: Option<Duration>,
    /// Why that backend: `weight`, `affinity`, `retry`, `fail_open`, `spill`, `trial`, `waited`.
    pub pick: Option<&'a str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Who ended it, and in which phase: `ok`, `client:forward`, `upstream:connect`, …
    pub end: &'a str,
    /// Why the answer is our own, where it is: the `details` of its `Proxy-Status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// What was decided, in the lines that say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'a Decision<'a>>,
}

fn seconds<S: serde::Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(value.as_secs_f64())
}

#[expect(
    clippy::ref_option,
    reason = "the signature that serde's attribute calls"
)]
fn seconds_some<S: serde::Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    seconds(&value.unwrap_or_default(), to)
}
