//! What the admin side reads and asks, as small traits, so that its tests need no edge and no controller. The
//! composition root fills them in.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bascule_config::{Config, Diagnostics};
use bascule_control::discover::Board;
use bascule_control::{Confirmed, Recorded, StoreError, apply, observe};
use bascule_model::{BackendSignal, ListenerName, Timestamp};
use bascule_plan::view::Accepted;
use bascule_plan::{Refusal, Request, State};
use bascule_telemetry::events::Bus;
use bascule_telemetry::recorder::Registry;
use bascule_traffic::Snapshot;
use bascule_traffic::breaker::Loads;
use bascule_traffic::explain::Sight;
use bascule_traffic::snapshot::Service;
use bascule_traffic::suspect::Repeatable;
use http::HeaderMap;
use http::uri::PathAndQuery;

use crate::access::Tokens;

/// A boxed future, so that ports are object-safe.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Everything the admin side is connected to.
#[derive(Clone)]
pub struct Ports {
    /// The control plane.
    pub control: Arc<dyn ControlPort>,
    /// The edge.
    pub edge: Arc<dyn EdgeView>,
    /// The judge's verdicts.
    pub health: Arc<ArcSwap<bascule_health::Report>>,
    /// Events.
    pub bus: Bus,
    /// Metrics.
    pub registry: Registry,
    /// The configuration.
    pub config: Arc<dyn ConfigPort>,
    /// How the sources of endpoints in clouds stand.
    pub sources: Board,
    /// What clouds say of those sources.
    pub observed: observe::Board,
    /// How the actuators in clouds stand.
    pub actuators: apply::Board,
    /// Whether the process takes traffic; `Err` says why not.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// The control plane as the admin side sees it.
pub trait ControlPort: Send + Sync {
    /// Asks for a change. Every mutation of what is wanted goes through here.
    fn request(&self, request: Request) -> Later<'_, Result<Accepted, Refusal>>;
    /// The public state.
    fn state(&self) -> Arc<State>;
    /// Up to `limit` lines of history with a sequence below `before`, the latest first.
    ///
    /// # Errors
    /// [`StoreError`] when the state directory cannot be read.
    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError>;
}

impl ControlPort for bascule_control::Handle {
    fn request(&self, request: Request) -> Later<'_, Result<Accepted, Refusal>> {
        Box::pin(Self::request(self, request))
    }

    fn state(&self) -> Arc<State> {
        Self::state(self)
    }

    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        Self::history(self, limit, before)
    }
}

/// The edge as the admin side sees it.
pub trait EdgeView: Send + Sync {
    /// What it serves now.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// What its workers have confirmed.
    fn confirmed(&self) -> Confirmed;
    /// Totals of each backend.
    fn signals(&self) -> Vec<BackendSignal>;
    /// What runs, waits and is connected at each endpoint and backend.
    fn loads(&self) -> Loads;
    /// What its workers would see of a request for this service, that nobody made.
    fn sight(&self, service: &Arc<Service>, supposed: &Supposed) -> Sight;
    /// Where it listens, with the addresses it really has.
    fn listeners(&self) -> Vec<BoundListener>;
    /// What its clients have open.
    fn clients(&self) -> Clients;
    /// Asks clients to go and says that it is not ready, or takes both back.
    fn rest(&self, rest: bool);
}

/// A request that nobody made.
#[derive(Debug, Clone)]
pub struct Supposed {
    /// The listener it would come through.
    pub listener: ListenerName,
    /// Path and query as they would be forwarded.
    pub path: PathAndQuery,
    /// Its fields.
    pub headers: HeaderMap,
    /// Where its connection would come from.
    pub client: IpAddr,
    /// The name its client would ask for with SNI.
    pub server_name: Option<String>,
    /// Whether it could be made again elsewhere.
    pub repeatable: Repeatable,
}

/// What the clients of an edge have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clients {
    /// Requests that run.
    pub requests: u64,
    /// Connections.
    pub connections: u64,
    /// Whether they are asked to go.
    pub asked_to_go: bool,
}

/// One entry of `listen`, as it is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundListener {
    /// Its name.
    pub name: ListenerName,
    /// The address it really has.
    pub address: SocketAddr,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// The configuration as the admin side sees it.
pub trait ConfigPort: Send + Sync {
    /// What runs.
    fn running(&self) -> Arc<RunningConfig>;
    /// Checks a text as a reload would, and changes nothing.
    fn validate<'a>(&'a self, file_name: &'a str, text: &'a str) -> Later<'a, ConfigOutcome>;
    /// Checks a text and, when it is valid, makes it the running configuration before it answers.
    fn apply<'a>(&'a self, by: &'a By, text: &'a str) -> Later<'a, ConfigOutcome>;
}

/// Who replaces the configuration, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct By {
    /// Who: `uid:1000`.
    pub actor: String,
    /// Why; may be empty.
    pub reason: String,
    /// The name to show in diagnostics.
    pub file_name: String,
}

/// The running configuration and where it came from.
#[derive(Debug, Clone)]
pub struct RunningConfig {
    /// The text as it was given.
    pub text: Arc<str>,
    /// What it says.
    pub config: Arc<Config>,
    /// Where it came from: a file's path, `api`, `arguments`, `last good`.
    pub origin: String,
    /// Since when it runs.
    pub loaded_at: Timestamp,
    /// The last attempt to replace it, where that was refused.
    pub last_error: Option<RefusedConfig>,
}

/// An attempt to replace the configuration that was refused.
#[derive(Debug, Clone)]
pub struct RefusedConfig {
    /// When.
    pub at: Timestamp,
    /// Where it came from.
    pub origin: String,
    /// What is wrong with it.
    pub diagnostics: Diagnostics,
}

/// What came of a text.
#[derive(Debug, Clone)]
pub enum ConfigOutcome {
    /// It can be loaded, or was; with warnings.
    Valid(Diagnostics),
    /// It cannot.
    Invalid(Diagnostics),
}

/// What the composition root decides about the listeners.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The unix socket; `None`: none.
    pub socket: Option<PathBuf>,
    /// The TCP listener, bound by the caller so that a port in use is found before anything starts.
    pub listen: Option<Arc<std::net::TcpListener>>,
    /// The metrics listener, bound likewise.
    pub metrics: Option<Arc<std::net::TcpListener>>,
    /// Further names the TCP listener is reached by, accepted in `Host`.
    pub host_names: Vec<String>,
    /// Who may change things over TCP.
    pub tokens: Tokens,
    /// Chosen at the start of the process.
    pub instance: String,
    /// The program's version.
    pub version: String,
    /// When the process started.
    pub started_at: Timestamp,
}
