//! What would become of a request, as data.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The request in question. `GET /v1/explain/request`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RequestQuery {
    /// Its method; default: `GET`.
    pub method: Option<String>,
    /// The absolute URL that the client asks for.
    pub url: String,
    /// The listener it comes through; default: the one that fits scheme and port.
    pub listener: Option<String>,
    /// Another `Host` than the URL's.
    pub host: Option<String>,
    /// Its other fields, one `NAME: VALUE` a line: what keys and cookies are found in.
    pub headers: Option<String>,
    /// The address it comes from; default: 127.0.0.1.
    #[param(value_type = Option<String>)]
    pub client: Option<std::net::IpAddr>,
}

/// What would become of a request that came now. `/v1/explain/request`. Shares in percent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestExplanation {
    /// Its method.
    pub method: String,
    /// The host it is routed by.
    pub host: Option<String>,
    /// The path it is routed by and forwarded with: without dot segments and query.
    pub path: String,
    /// The listener.
    pub listener: String,
    /// The service it belongs to; none: 404.
    pub service: Option<String>,
    /// The entry of `match` that took it, in words.
    pub matched: String,
    /// What keeps it together with others; none: its service does not.
    pub affinity: Option<RequestAffinity>,
    /// The key that an endpoint is chosen by inside its backend; none: the service chooses by none of its own, or the request
    /// belongs somewhere.
    pub key: Option<RequestKey>,
    /// Why it would be refused: `no_service`, `no_backend_up`, `all_off`, `overloaded`, …
    pub refused: Option<String>,
    /// When a refused client should come back.
    pub retry_after_seconds: Option<u64>,
    /// Every backend of the service.
    pub candidates: Vec<RequestCandidate>,
    /// Where a worker that begins now would send it.
    pub pick: Option<RequestPick>,
    /// When and where it would be tried again.
    pub attempts: Option<RequestAttempts>,
    /// The whole in lines for people.
    pub text: Vec<String>,
}

/// What keeps a request together with others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestAffinity {
    /// What is looked for: `cookie NAME`, `header NAME`, `query NAME`, `path segment N`, `source ip`, `sni`.
    pub by: String,
    /// What says where it belongs: `map` (the bucket's backend), `in_use` (its key is in use at that endpoint), `drained` (the
    /// same at what is drained and keeps it), `cookie`, `cookie_backend` (its endpoint takes nothing: another of the backend).
    /// None: it belongs nowhere and goes by the shares.
    pub why: Option<String>,
    /// The backend it belongs to.
    pub backend: Option<String>,
    /// The endpoint it belongs to, where it belongs to one.
    pub endpoint: Option<String>,
    /// The bucket of its key, of 10 000.
    pub bucket: Option<u16>,
    /// The backend that the map says for the bucket; another one than `backend` where the key stays at what is drained.
    pub mapped: Option<String>,
    /// Why what it brings is ignored: `forged`, `expired`, `ambiguous`, …
    pub ignored: Option<String>,
}

/// The key that an endpoint is chosen by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestKey {
    /// Where it is looked for: `header NAME`, `query NAME`, `path segment N`, `source ip`.
    pub by: String,
    /// Whether the request has one; without, it goes to the least loaded.
    pub found: bool,
    /// Why what it brings is ignored: `empty`, `too_long`, `ambiguous`.
    pub ignored: Option<String>,
}

/// One backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RequestCandidate {
    /// The backend.
    pub backend: String,
    /// Who runs it.
    pub provider: String,
    /// Its effective share: how often it is its turn.
    pub share: f64,
    /// A person set it to off, or an admin state takes it out.
    pub off: bool,
    /// What speaks against it: `off`, `no_endpoint_usable`, `suspect`, `full`; none when it takes what is its turn.
    pub against: Option<String>,
    /// The endpoint a request would go to when it is its turn.
    pub endpoint: Option<String>,
    /// Its endpoints.
    pub endpoints: Vec<RequestEndpoint>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestEndpoint {
    /// Its name.
    pub name: String,
    /// What it may get: `open`, `trial`, `suspect`, `full`, or `unusable`: it is down, drained, off or in reserve.
    pub gate: String,
    /// What is seen and wanted of it: `drain`, `maint`, `offline`; `ejected`; `reserve`: another priority of its SRV name
    /// serves; else `up`, `degraded`, `down`, `unknown`.
    pub state: String,
    /// Requests running there.
    pub in_flight: u32,
}

/// Where a request would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestPick {
    /// The backend.
    pub backend: String,
    /// The endpoint.
    pub endpoint: String,
    /// Why this backend: `weight`, `affinity`, `spill`, `fail_open`, `trial`; for a further try `retry`.
    pub why: String,
    /// Why this endpoint: `only`, `bound`, `key`, `trial`, `again`, or the algorithm.
    pub by: String,
}

/// When and where it would be tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RequestAttempts {
    /// Tries in all.
    pub most: u8,
    /// Whether doing it twice is as good as once.
    pub idempotent: bool,
    /// The failures after which it is tried again.
    pub after: Vec<String>,
    /// Where to, in order.
    pub then: Vec<RequestPick>,
}
