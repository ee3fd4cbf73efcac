//! What a line of the access log says of how its request was decided: the words of `explain request`, of what was seen and
//! done. Bounded: of many backends and endpoints the first are told, and how many more there are.

use serde::Serialize;

/// What was decided about one request.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Decision<'a> {
    /// The listener it came through.
    pub listener: &'a str,
    /// The entry of `match` that took it, in words.
    pub matched: &'a str,
    /// What kept it together with others, where its service wants that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity<'a>>,
    /// The backends of the service as they were seen before the first pick.
    pub candidates: Vec<Candidate<'a>>,
    /// Backends that are not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub candidates_more: usize,
    /// Where it was sent, in order.
    pub tries: Vec<Try<'a>>,
}

/// What kept a request together with others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Affinity<'a> {
    /// What said where it belongs: `map`, `in_use`, `drained`, `cookie`, `cookie_backend`; nothing: it went by the shares.
    pub why: Option<&'a str>,
    /// The backend it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<&'a str>,
    /// Its bucket, where a key says where it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<u16>,
    /// Why what the client sent was ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignored: Option<&'a str>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate<'a> {
    /// The backend.
    pub backend: &'a str,
    /// Who runs it.
    pub provider: &'a str,
    /// Its effective share in percent.
    pub share: f64,
    /// What spoke against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against: Option<&'a str>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointSeen>,
    /// Endpoints that are not told.
    #[serde(skip_serializing_if = "is_zero")]
    pub endpoints_more: usize,
}

/// One endpoint as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointSeen {
    /// Its name.
    pub name: String,
    /// What it might get: `open`, `trial`, `suspect`, `full`, `unusable`.
    pub gate: &'static str,
    /// Requests running there.
    pub in_flight: u32,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Try<'a> {
    /// The backend.
    pub backend: &'a str,
    /// The endpoint.
    pub endpoint: String,
    /// Why this backend: `weight`, `affinity`, `retry`, `fail_open`, `spill`, `trial`, `waited`.
    pub why: &'a str,
    /// For a spill: whose turn it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<&'a str>,
    /// For a spill: why that one did not take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    /// Why this endpoint: `only`, `bound`, `key`, `trial`, `again`, or the algorithm.
    pub by: &'a str,
    /// What became of it: the status of its answer; `overtaken`; `given_up`; or the cause why it failed.
    pub ended: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's attribute calls"
)]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}
