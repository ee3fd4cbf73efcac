//! What a configuration says of a service, lowered to what this crate needs: policies with their units, defaults already
//! filled in by `config`. Plain data; nothing here changes between two reloads.

mod retry;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{
    BackendName, ListenerName, ObservedState, ProviderName, Scheme, ServiceName, Shares,
};

pub use retry::{GrpcStatuses, RetryPolicy, RetryWhen, Statuses};

pub use crate::breaker::ServiceLimits;
pub use crate::capacity::{Capacity, Class};

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
    /// How important its traffic is, where not all of it fits.
    pub class: Class,
    /// How an endpoint is chosen inside a backend.
    pub balance: Balance,
    /// The edge's own zone: a backend's endpoints in it come first.
    pub zone: Option<Arc<str>>,
    /// Limits of time for one request.
    pub timeouts: Timeouts,
    /// When a request is tried again.
    pub retry: RetryPolicy,
    /// How much may run, and wait, at one endpoint and at one backend.
    pub limits: ServiceLimits,
    /// How fast a returning endpoint or backend gets its share back.
    pub ramp: Duration,
    /// What happens when no backend is up.
    pub fail_open: FailOpen,
    /// When a refused client should come back: the soonest a backend can be up again, which is `rise` checks at the fast
    /// interval, rounded up to a second.
    pub retry_after: Duration,
    /// What an endpoint counts as until a verdict on it is known.
    pub initial: ObservedState,
    /// What keeps requests together; `None`: nothing, each goes by the shares.
    pub affinity: Option<AffinitySpec>,
}

/// What keeps requests together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AffinitySpec {
    /// What is the same in requests that belong together.
    pub by: AffinityBy,
    /// How long a key or a cookie counts after it was used last. Default 12 h: a working day.
    pub ttl: Duration,
    /// What becomes of those of an endpoint that is drained.
    pub on_drain: OnDrain,
}

/// What is the same in requests that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AffinityBy {
    /// A cookie of ours, which names the endpoint.
    Cookie(CookieSpec),
    /// A key, which finds its backend by the bucket map.
    Key(KeySource),
}

/// Where a request has its key; [`keys::source`](crate::keys::source) says what is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// The value of a header; its name is in lower case.
    Header(String),
    /// The value of a parameter of the query.
    Query(String),
    /// A segment of the path, from 1.
    PathSegment(u8),
    /// The client's address; of an IPv6 client the /64.
    SourceIp,
    /// The name that the client asked for with SNI.
    Sni,
}

impl AffinityBy {
    /// The key, where one decides. A cookie names its backend itself.
    #[must_use]
    pub const fn key(&self) -> Option<&KeySource> {
        match self {
            Self::Cookie(_) => None,
            Self::Key(source) => Some(source),
        }
    }

    /// As people read it: `header x-room`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Cookie(cookie) => format!("cookie {}", cookie.name),
            Self::Key(source) => source.describe(),
        }
    }
}

impl KeySource {
    /// As people read it: `header x-room`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Header(name) => format!("header {name}"),
            Self::Query(name) => format!("query {name}"),
            Self::PathSegment(number) => format!("path segment {number}"),
            Self::SourceIp => "source ip".to_owned(),
            Self::Sni => "sni".to_owned(),
        }
    }
}

/// A cookie of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSpec {
    /// Its name.
    pub name: String,
    /// The file of the secrets that seal it, as written.
    pub secret_file: String,
    /// When a browser sends it from another site.
    pub same_site: SameSite,
}

/// When a browser sends a cookie from another site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// When somebody follows a link there. Default, as it is the browsers'.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always, for pages that are embedded elsewhere. Browsers want HTTPS for it.
    None,
}

/// What becomes of the keys and cookies of an endpoint that is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrain {
    /// They stay until they end; new ones go elsewhere.
    #[default]
    KeepRunning,
    /// They go elsewhere with their next request.
    Move,
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
    /// What it can take with all of its endpoints.
    pub capacity: Capacity,
    /// Its endpoints as written; at least one.
    pub endpoints: Vec<EndpointSpec>,
    /// Trust for `https` endpoints: PEM file of roots, instead of the public ones.
    pub ca_file: Option<String>,
}

/// What part a backend has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Has the given weight; 0 is *off*.
    Weighted(u32),
    /// Share 0 in normal rows; may receive by an override or a plan, and what fits nowhere else. Not off.
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

/// An endpoint as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Where it is.
    pub url: EndpointUrl,
    /// Where it stands, as the provider names its zones.
    pub zone: Option<Arc<str>>,
    /// Its weight among the endpoints of its backend, from 1 on; the addresses of a name share it, those of an SRV name by the
    /// weights of their records. Where it is not written every address has 1, or would have if all records weighed the same.
    pub weight: Option<u32>,
}

impl From<EndpointUrl> for EndpointSpec {
    fn from(url: EndpointUrl) -> Self {
        Self {
            url,
            zone: None,
            weight: None,
        }
    }
}

/// The URL of an endpoint, with an address, a host name or an SRV name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointUrl {
    /// How it is spoken to.
    pub scheme: Scheme,
    /// An address, or a name that is resolved.
    pub host: EndpointHost,
    /// The port; 0 with an SRV name, whose records have one each.
    pub port: u16,
}

/// The host of an endpoint's URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EndpointHost {
    /// An address and port to connect to.
    Address(SocketAddr),
    /// A name, in lower case; all its addresses are endpoints.
    Name(Arc<str>),
    /// An SRV name, in lower case: its records say where, of what priority and weight. The addresses of all their targets are
    /// endpoints.
    Srv(Arc<str>),
}

/// How an endpoint is chosen inside a backend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// By what.
    pub algorithm: Algorithm,
    /// What of a request is its key, for the algorithms that follow one.
    pub hash: Option<KeySource>,
    /// How much more than its part an endpoint may have in flight before it passes keys on. None by default.
    pub bound: Option<LoadBound>,
}

/// By what an endpoint is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// The fewest requests in flight: of all up to eight, of two random ones above that.
    #[default]
    LeastRequest,
    /// The same by how long it answers and how much it has in flight ([`latency`](crate::latency)).
    PeakEwma,
    /// One after the other.
    RoundRobin,
    /// Any.
    Random,
    /// The one a key belongs to, by a table ([`maglev`](crate::maglev)).
    Maglev,
    /// The one a key belongs to, by comparing all.
    Rendezvous,
}

impl Algorithm {
    /// The word used in configurations.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LeastRequest => "least_request",
            Self::PeakEwma => "peak_ewma",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Maglev => "maglev",
            Self::Rendezvous => "rendezvous",
        }
    }
}

/// How much of its part an endpoint may have in flight: above 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadBound(u16);

impl LoadBound {
    /// The least and the most, in percent. At 100 % no endpoint could have one request more than another, and almost every
    /// key would be passed on.
    pub const RANGE: (u16, u16) = (105, 1000);

    /// So many percent, where they are in the range.
    #[must_use]
    pub fn new(percent: u16) -> Option<Self> {
        let (least, most) = Self::RANGE;
        (least..=most).contains(&percent).then_some(Self(percent))
    }

    /// In percent.
    #[must_use]
    pub const fn percent(self) -> u16 {
        self.0
    }
}

/// Limits of time for one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect to an endpoint, TLS included. Default 1 s.
    pub connect: Duration,
    /// From the request's head to the response's head, all tries and the waits between them together. Default: no limit
    /// but those of the tries.
    pub request: Option<Duration>,
    /// From the end of the request's head to the response's head, for one try. Default 60 s.
    pub response_headers: Duration,
    /// An upstream connection without requests is closed after it. Default 30 s.
    pub upstream_idle: Duration,
    /// A stream on which no byte moves in either direction is cut after it. Default 5 min.
    pub stream_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            request: None,
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
