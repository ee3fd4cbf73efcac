//! The configuration as types: what a file says, with defaults filled in and units resolved. Plain data that the shells
//! (`bascule::run`, `net`, `proxy`, `admin`) read; the policies of services are the types of their own crates. Made only
//! by [`load`](crate::load); nothing here is checked a second time.

mod cloud;
mod discover;
mod dns;
mod secret;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bascule_health::{CheckPolicy, OutlierPolicy};
use bascule_model::{BackendName, Commitment, EgressPrice, ListenerName, ServiceName};
use bascule_plan::ServiceFacts;
use bascule_traffic::spec::ServiceSpec;
use ipnet::IpNet;

use crate::origin::Origins;

pub use cloud::{Account, ActuatorKind, ActuatorName, Apply, AskDns, Auth, Cloud, OnDrift};
pub use discover::{Addresses, Discover, Observe, SourceKind, SourceName};
pub use dns::Dns;
pub use secret::{SECRET_BYTES_MIN, SECRETS_MAX, Secrets};
pub use tls::{Certificate, Hsts, TlsListener, TlsVersion};

/// Everything a file says.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where overrides, the last good configuration and the journal are kept; `None`: the XDG state directory.
    pub state_dir: Option<String>,
    /// The zone this edge stands in; every service holds a copy.
    pub zone: Option<Arc<str>>,
    /// How names of endpoints are looked up.
    pub dns: Dns,
    /// Where clients connect; at least one.
    pub listeners: BTreeMap<ListenerName, Listener>,
    /// Accounts in clouds, by name.
    pub accounts: BTreeMap<String, Account>,
    /// What was bought beforehand, by name. Each backend is covered by one at most.
    pub commitments: BTreeMap<String, Commitment>,
    /// What clients ask for, ordered by name; at least one. Their endpoints are those that are written.
    pub services: Vec<Arc<ServiceSpec>>,
    /// What sending from a backend costs; those of a service are in one currency.
    pub prices: BTreeMap<(ServiceName, BackendName), EgressPrice>,
    /// What becomes endpoints of a backend beside those.
    pub discover: BTreeMap<(ServiceName, BackendName), Discover>,
    /// Where else the split of a service becomes true, in the order of the file.
    pub apply: BTreeMap<ServiceName, Vec<Apply>>,
    /// How the endpoints of each service are checked; one for every service.
    pub checks: BTreeMap<ServiceName, Arc<CheckPolicy>>,
    /// How the endpoints of each service are judged by traffic; one for every service.
    pub outliers: BTreeMap<ServiceName, Arc<OutlierPolicy>>,
    /// What the control plane knows of each service; one for every service.
    pub facts: BTreeMap<ServiceName, ServiceFacts>,
    /// The PEM text of every `ca_file` a backend names, by that path as written.
    pub roots: BTreeMap<String, Arc<[u8]>>,
    /// The secrets of every `secret_file` a service names, by that path as written.
    pub secrets: BTreeMap<String, Secrets>,
    /// The admin API.
    pub admin: Admin,
    /// The read-only metrics listener; `None`: off.
    pub metrics: Option<SocketAddr>,
    /// The log.
    pub log: Log,
    /// Threads.
    pub runtime: Runtime,
    /// How the process stops.
    pub shutdown: Shutdown,
    /// Limits of the data plane; every listener holds a copy, with its own where it has some.
    pub limits: Limits,
    /// Where in the file each value was written. Not part of equality: a place is not what was said.
    pub origins: Origins,
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.state_dir == other.state_dir
            && self.zone == other.zone
            && self.dns == other.dns
            && self.listeners == other.listeners
            && self.accounts == other.accounts
            && self.commitments == other.commitments
            && self.services == other.services
            && self.prices == other.prices
            && self.discover == other.discover
            && self.apply == other.apply
            && self.checks == other.checks
            && self.outliers == other.outliers
            && self.facts == other.facts
            && self.roots == other.roots
            && self.secrets == other.secrets
            && self.admin == other.admin
            && self.metrics == other.metrics
            && self.log == other.log
            && self.runtime == other.runtime
            && self.shutdown == other.shutdown
            && self.limits == other.limits
    }
}

impl Config {
    /// The service with this name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&Arc<ServiceSpec>> {
        self.services.iter().find(|service| &service.name == name)
    }

    /// The files whose content is part of this configuration: certificates, keys, roots and secrets. A change of one of them is
    /// a change of the configuration.
    #[must_use]
    pub fn files(&self) -> BTreeSet<String> {
        let tls = self.listeners.values().filter_map(|l| l.tls.as_ref());
        let certificates = tls.flat_map(|tls| &tls.certificates);
        certificates
            .flat_map(|c| [c.cert_file.clone(), c.key_file.clone()])
            .chain(self.roots.keys().cloned())
            .chain(self.secrets.keys().cloned())
            .collect()
    }
}

/// One entry of `listen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: ListenerName,
    /// Where it listens.
    pub address: ListenAddress,
    /// Its certificates; `None`: clear text.
    pub tls: Option<TlsListener>,
    /// What it speaks.
    pub protocols: Protocols,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed, and to whom `connections_per_client` does not apply.
    /// Default: nobody.
    pub trusted: Vec<IpNet>,
    /// Client connections of this listener; `None`, the default: only the process's limit.
    pub connections: Option<usize>,
    /// Whether every response says in `x-bascule-decision` how its request was decided. It names backends, providers' shares
    /// and addresses of endpoints, to whoever asks. Default false.
    pub decision_header: bool,
    /// Limits of time before a service is known.
    pub timeouts: ListenerTimeouts,
    /// Limits of size and number: the defaults, overridden key by key.
    pub limits: Limits,
}

/// An address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenAddress {
    /// The address; `None` (`:8080`): all addresses, IPv6 and IPv4 in one socket.
    pub ip: Option<IpAddr>,
    /// The port; 0: any free one.
    pub port: u16,
}

impl fmt::Display for ListenAddress {
    /// As written in a file: `:8080`, `127.0.0.1:0`, `[::1]:80`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => SocketAddr::new(ip, self.port).fmt(f),
            None => write!(f, ":{}", self.port),
        }
    }
}

/// The protocols a listener speaks; at least one. In clear text HTTP/2 is told by its preface, with TLS by ALPN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protocols {
    /// HTTP/1.1 (and 1.0).
    pub h1: bool,
    /// HTTP/2.
    pub h2: bool,
}

impl Default for Protocols {
    fn default() -> Self {
        Self { h1: true, h2: true }
    }
}

/// Limits of time before a service is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// From the first byte of a request (or the end of the TLS handshake) to the end of its head. Default 10 s.
    pub request_headers: Duration,
    /// A client connection without requests is closed after it. Default 75 s: above the 60 s of cloud balancers in
    /// front, so that they close first.
    pub client_idle: Duration,
    /// How long a client may stand still in the middle of a request: sending its body, or taking the response. Default
    /// 60 s: a phone that changes networks comes back within it, and a client that pretends to be slow is gone.
    pub client_stall: Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            request_headers: Duration::from_secs(10),
            client_idle: Duration::from_secs(75),
            client_stall: Duration::from_secs(60),
        }
    }
}

/// Limits of size and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Client connections of the whole process. Default 100 000.
    pub connections: usize,
    /// Client connections of one address (IPv6: of one /64), over all listeners. Default 2 000: above what an office
    /// behind one address opens, and one client alone cannot take more than a fiftieth of the process.
    pub connections_per_client: usize,
    /// A request's head, in bytes. Default 16 KiB.
    pub header_bytes: usize,
    /// Header lines of a request. Default 100.
    pub header_count: usize,
    /// A request's body, in bytes; `None`, the default: no limit, as bodies are streamed.
    pub request_body: Option<u64>,
    /// HTTP/2 streams that a client may have open on one connection. Default 100.
    pub streams_per_connection: u32,
    /// Requests of one connection; then the client is asked to open another. Default 10 000: it spreads long-lived
    /// clients anew after a change of workers or machines, and bounds what one connection can gather.
    pub requests_per_connection: u32,
    /// HTTP/2 streams a second that a client may reset, and as many that its errors may make us reset; bursts of ten
    /// times that. Default 20: a browser that leaves a page resets some dozens at once, not again the next second.
    pub resets: u32,
    /// HTTP/2 frames a second that move no request on; bursts of ten times that. Default 50: a PING a second and a
    /// SETTINGS now and then are usual.
    pub control_frames: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 100_000,
            connections_per_client: 2_000,
            header_bytes: 16 * 1024,
            header_count: 100,
            request_body: None,
            streams_per_connection: 100,
            requests_per_connection: 10_000,
            resets: 20,
            control_frames: 50,
        }
    }
}

/// The admin API.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Admin {
    /// The unix socket, always on; `None`: in `$XDG_RUNTIME_DIR`.
    pub socket: Option<String>,
    /// The TCP listener; `None`, the default: off. Read-only without a token.
    pub listen: Option<SocketAddr>,
    /// The file of tokens that may change things over TCP.
    pub tokens_file: Option<String>,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Log {
    /// What is logged at all.
    pub level: LogLevel,
    /// How.
    pub format: LogFormat,
    /// The access log.
    pub access: AccessLog,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// What needs a person.
    Error,
    /// What may need one.
    Warn,
    /// What changed. The default.
    #[default]
    Info,
    /// Why.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// One JSON object a line. The default.
    #[default]
    Json,
    /// Lines for people.
    Text,
}

impl LogFormat {
    /// The word in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

/// The access log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccessLog {
    /// The part of requests that get a line, 0 to 1. Default 1.
    pub sample: f64,
    /// The part of requests whose line says how they were decided, 0 to 1; whatever `sample` says, they get a line. Default
    /// 0: it costs nothing then.
    pub decisions: f64,
    /// Whether the query is replaced by `?…`, as it may hold secrets. Default true.
    pub redact_query: bool,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            sample: 1.0,
            decisions: 0.0,
            redact_query: true,
        }
    }
}

/// Threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Runtime {
    /// Data-plane workers, 1 to 1024; `None` (`auto`, the default): one a core that the process may use.
    pub workers: Option<usize>,
}

/// How the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown {
    /// Between `/readyz` saying 503 and the listeners closing. Default 0 s.
    pub delay: Duration,
    /// How long running requests are waited for after that. Default 30 s.
    pub deadline: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            deadline: Duration::from_secs(30),
        }
    }
}
