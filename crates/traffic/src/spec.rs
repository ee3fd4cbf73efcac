//! What a configuration says of a service, lowered to what this crate needs: policies with their units, defaults already
//! filled in by `config`. Plain data; nothing here changes between two reloads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    BackendName, BasisPoints, ListenerName, ProviderName, Scheme, ServiceName, Shares,
};

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSpec {
    /// Its name.
    pub name: ServiceName,
    /// The listeners it is reached through; at least one.
    pub listeners: Vec<ListenerName>,
    /// What it takes there; empty: whatever no other service of the listener takes.
    pub matches: Vec<MatchSpec>,
    /// Its backends by name; at least one.
    pub backends: BTreeMap<BackendName, BackendSpec>,
    /// The weights of the file, normalised; standby backends are in it with share 0.
    pub declared: Shares,
    /// How an endpoint is chosen inside a backend.
    pub algorithm: Algorithm,
    /// Limits of time for one request.
    pub timeouts: Timeouts,
    /// When a request is tried again.
    pub retry: RetryPolicy,
    /// How fast a returning endpoint or backend gets its share back.
    pub ramp: Duration,
    /// What happens when no backend is up.
    pub fail_open: FailOpen,
    /// When a refused client should come back: the soonest a backend can be up again, which is `rise` checks at the fast
    /// interval, rounded up to a second.
    pub retry_after: Duration,
}

/// What a request must look like; all that is given must fit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchSpec {
    /// The host; `Any` fits every one, and a request without.
    pub host: HostPattern,
    /// The path.
    pub path: PathPattern,
}

/// A host to match, in lower case, without port. Exact wins over wildcard, a longer wildcard over a shorter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// This name.
    Exact(String),
    /// `*.example.org` is kept as `example.org`: one or more labels in front.
    Wildcard(String),
    /// Whatever.
    Any,
}

/// A path to match. Exact wins over prefix, a longer prefix over a shorter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PathPattern {
    /// This path.
    Exact(String),
    /// This path and all below it, by whole segments: `/a` fits `/a` and `/a/b`, not `/ab`. `/` fits all.
    Prefix(String),
}

/// One backend.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendSpec {
    /// Who runs it; by default its own name.
    pub provider: ProviderName,
    /// Where it stands, as the provider names it; for display.
    pub region: Option<String>,
    /// What part it has in the row.
    pub role: Role,
    /// The `Host` (`:authority`) sent upstream.
    pub host: HostPolicy,
    /// Its endpoints as written; at least one.
    pub endpoints: Vec<EndpointUrl>,
    /// Trust for `https` endpoints: PEM file of roots, instead of the public ones.
    pub ca_file: Option<String>,
}

/// What part a backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Has the given weight; 0 is *off*.
    Weighted(u32),
    /// Share 0 in normal rows; may receive by an override or a plan. Not off.
    Standby,
}

/// The `Host` sent upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HostPolicy {
    /// As the client sent it.
    #[default]
    Preserve,
    /// The endpoint's own name (or address) and port.
    Endpoint,
}

/// An endpoint as written: a URL with an address or a host name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointUrl {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// An address, or a name that is resolved.
    pub host: EndpointHost,
    /// The port.
    pub port: u16,
}

/// The host of an endpoint's URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointHost {
    /// An address and port to connect to.
    Address(SocketAddr),
    /// A name, in lower case; all its addresses are endpoints.
    Name(Arc<str>),
}

/// How an endpoint is chosen inside a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// The endpoint with the fewest requests in flight: of all up to eight, of two random ones above that.
    #[default]
    LeastRequest,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
}

/// Limits of time for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to an endpoint, TLS included. Default 1 s.
    pub connect: Duration,
    /// From the end of the request's head to the response's head. Default 60 s.
    pub response_headers: Duration,
    /// An upstream connection without requests is closed after it. Default 30 s.
    pub upstream_idle: Duration,
    /// A stream on which no byte moves in either direction is cut after it. Default 5 min.
    pub stream_idle: Duration,
}

/// When a request is tried again: on another endpoint, other provider first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Tries in all, the first included; 1 to 5. Default 2.
    pub attempts: u8,
    /// Retries per request that the budget grants. Default 20 %.
    pub budget_ratio: BasisPoints,
    /// Retries a second that the budget always grants. Default 10.
    pub budget_min_per_second: u32,
    /// Which failures are tried again. Default: all of them.
    pub when: RetryWhen,
    /// Whether the next try prefers another provider. Default true.
    pub other_provider: bool,
}

/// The failures that are tried again. Whether one may be is decided by what was sent; this can only forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryWhen {
    /// The connection could not be made.
    pub connect_failure: bool,
    /// The connection died before the first byte of a response.
    pub reset_before_response: bool,
    /// The endpoint refused the stream unprocessed (`REFUSED_STREAM`, or a stream above the id of a `GOAWAY`).
    pub refused_stream: bool,
}

impl Default for RetryWhen {
    fn default() -> Self {
        Self {
            connect_failure: true,
            reset_before_response: true,
            refused_stream: true,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 2,
            budget_ratio: BasisPoints::saturating(2_000),
            budget_min_per_second: 10,
            when: RetryWhen::default(),
            other_provider: true,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            response_headers: Duration::from_secs(60),
            upstream_idle: Duration::from_secs(30),
            stream_idle: Duration::from_secs(300),
        }
    }
}

/// What happens when no backend is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOpen {
    /// 503 with a reason and `Retry-After`.
    #[default]
    Never,
    /// The target row is used as if all were up; backends that are off stay off. Visible in status and metrics.
    WhenNoBackendUp,
}
