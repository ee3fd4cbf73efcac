//! Services, backends, endpoints and providers on the wire: what is wanted, what is seen, and what is measured, never
//! mixed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AdminEntry, AdminState, Loss, ObservedState, Override};

/// All services. `/v1/services`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// The revision of what is wanted.
    pub revision: u64,
    /// By name; those that do not work first.
    pub services: Vec<Service>,
}

/// One service. `/v1/services/{s}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The revision of what is wanted.
    pub revision: u64,
    /// The worst that matters: `down` when requests are refused, `degraded` when a backend that should take part does
    /// not fully, `unknown` when nothing has been seen yet.
    pub state: ObservedState,
    /// What happens to its requests now.
    pub mode: Mode,
    /// Why requests are refused: `no_backend_up`, `all_off`.
    pub refusal: Option<String>,
    /// How important its traffic is: `media`, `signalling`, `bulk`.
    pub class: String,
    /// What part of its requests is refused as it fits nowhere, in percent.
    pub shed: f64,
    /// What would become of it if one provider were lost, by provider.
    pub losses: Vec<Loss>,
    /// In words, for people: `oci has 2 of 4 endpoints up`. Empty when all is well.
    pub summary: Vec<String>,
    /// The listeners it is reached through.
    pub listeners: Vec<String>,
    /// Its backends; those that do not work first.
    pub backends: Vec<Backend>,
    /// A person's row, if there is one.
    #[serde(rename = "override")]
    pub override_row: Option<Override>,
    /// The running shift's id, if there is one.
    pub shift: Option<String>,
    /// What keeps its requests together; none: each goes by the shares.
    pub affinity: Option<Affinity>,
}

/// What keeps requests of a service together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Affinity {
    /// What is the same in requests that belong together: `cookie bascule`, `header x-room`, `source ip`.
    pub by: String,
    /// The hash of the map from keys to backends that is in effect; the same on all edges that send a key to the same
    /// place. None for a cookie, which names its backend.
    pub map: Option<String>,
}

/// What happens to a service's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They are divided by the effective shares.
    #[default]
    Serve,
    /// No backend is up; all are tried all the same.
    FailOpen,
    /// 503.
    Refuse,
}

/// What part a backend has in the file's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Has a weight.
    #[default]
    Weighted,
    /// Has none; may receive by an override or a plan.
    Standby,
}

/// One backend of a service. `/v1/services/{s}/backends/{b}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Backend {
    /// The service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Who runs it.
    pub provider: String,
    /// Where it stands.
    pub region: Option<String>,
    /// What part it has.
    pub role: Role,
    /// The weight written in the file; none for a standby.
    pub weight: Option<u32>,
    /// The strictest admin state that applies to it: its own or its provider's.
    pub admin_state: AdminState,
    /// Its own admin state, where a person set one.
    pub admin: Option<AdminEntry>,
    /// What is seen of it.
    pub observed_state: ObservedState,
    /// A person set it to off, or an admin state takes it out: it gets nothing, whatever else fails.
    pub off: bool,
    /// Its shares, row by row.
    pub shares: BackendShares,
    /// Why its effective share is not the declared one, in words; empty when it is.
    pub why: String,
    /// Endpoints that are up.
    pub endpoints_up: usize,
    /// Endpoints that count.
    pub endpoints_total: usize,
    /// Its endpoints; those that do not work first.
    pub endpoints: Vec<Endpoint>,
    /// What the service brings to it of what it can take, in the tightest unit; none where no capacity is declared, or
    /// nothing is known of the load yet.
    pub utilization_ratio: Option<f64>,
    /// What was measured in the last minute.
    pub load: Load,
    /// The service's limits; none where it has none.
    pub limits: Option<BackendLimits>,
    /// Requests that wait for a place here.
    pub pending: u64,
    /// The limit of the whole backend that is reached now: `backend_requests`.
    pub full: Option<String>,
    /// What still runs, where nothing new goes.
    pub leaving: Option<Leaving>,
}

/// How much may run, and wait: `services.S.limits`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct BackendLimits {
    /// Requests at one endpoint.
    pub endpoint_requests: Option<u32>,
    /// Connections to one endpoint.
    pub endpoint_connections: Option<u32>,
    /// Requests at the backend.
    pub backend_requests: Option<u32>,
    /// Requests that may wait, for each usable endpoint.
    pub endpoint_pending: u32,
    /// How long one may wait.
    pub pending_timeout_seconds: f64,
}

/// What still runs on a target that gets nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Leaving {
    /// Requests, with those that still wait for it.
    pub running: u64,
    /// How long until none does, from how they have ended so far; none while that cannot be told.
    pub eta_seconds: Option<f64>,
}

/// A backend's shares in percent: five numbers that are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct BackendShares {
    /// From the file's weights.
    pub declared: f64,
    /// A person's; none without an override.
    #[serde(rename = "override")]
    pub override_share: Option<f64>,
    /// Where the ramp stands.
    pub target: f64,
    /// What edges use: target × health factor × slow start, normalised.
    pub effective: f64,
    /// Measured: finished requests of the last minute; none without any.
    pub requests: Option<f64>,
    /// Measured: what the share decides about (picks) in the last minute; none without any.
    pub new_sessions: Option<f64>,
}

/// What was measured of a backend in the window before `at`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Load {
    /// How long the window is; shorter than 60 only after a start.
    pub window_seconds: f64,
    /// Finished requests a second.
    pub requests_per_second: f64,
    /// Errors per finished request; none without requests.
    pub error_ratio: Option<f64>,
    /// Half of the answers began within it; none without requests.
    pub latency_p50_seconds: Option<f64>,
    /// 95 % of the answers began within it.
    pub latency_p95_seconds: Option<f64>,
    /// 99 % of the answers began within it.
    pub latency_p99_seconds: Option<f64>,
    /// Requests running now.
    pub in_flight: u64,
}

/// One endpoint. `/v1/services/{s}/backends/{b}/endpoints/{e}`; `{e}` is its name or its address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// `10.0.1.10:8080`, or `media.example.org@10.0.1.10:8080`.
    pub name: String,
    /// `http`, `https`, `h2c`.
    pub scheme: String,
    /// The host name, or SRV name, it was resolved from.
    pub host: Option<String>,
    /// Where it listens.
    pub address: String,
    /// The strictest admin state that applies: its own, its backend's, its provider's or its agent's.
    pub admin_state: AdminState,
    /// Its own admin state, where a person set one.
    pub admin: Option<AdminEntry>,
    /// What is seen of it, by checks and by traffic.
    pub observed_state: ObservedState,
    /// What its checks alone say.
    pub by_checks: ObservedState,
    /// Traffic took it out; it stays out while its data path fails, whatever its checks say.
    pub ejection: Option<Ejection>,
    /// Its checks fail and are not believed, as those of all endpoints of the service do while its traffic succeeds.
    pub held: bool,
    /// Since when it is in its state.
    pub since: Option<Timestamp>,
    /// Why, the strongest reason first; empty while nothing has been seen.
    pub reasons: Vec<Reason>,
    /// What the last check said; it may speak against the state.
    pub last: Option<Reason>,
    /// Results of checks in a row that speak against what they said before.
    pub against: u32,
    /// Whether it is checked now; if not, what is said of it is what was last seen.
    pub checked: bool,
    /// When the last check ended.
    pub checked_at: Option<Timestamp>,
    /// What the agent beside it says; none where none is configured.
    pub agent: Option<Agent>,
    /// Whether new requests may go there.
    pub usable: bool,
    /// Its priority among the endpoints of its SRV name, the lowest first; none for one that is written otherwise.
    #[serde(default)]
    pub priority: Option<u16>,
    /// Another priority of its SRV name serves, or takes over from this one.
    #[serde(default)]
    pub reserve: bool,
    /// Its weight inside the backend: below 1 while it returns, and where its agent says so.
    pub weight_ratio: f64,
    /// Requests running now.
    pub in_flight: u64,
    /// Connections to it, with those being made.
    pub connections: u64,
    /// The limit that is reached now: `endpoint_requests`, `endpoint_connections`.
    pub full: Option<String>,
    /// What still runs, where nothing new goes.
    pub leaving: Option<Leaving>,
}

/// Why and since when traffic took an endpoint out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ejection {
    /// What most of it was: `connect`, `reset`, `timeout`, `unavailable` (502, 503, 504), `error` (another 5xx), `slow`.
    pub reason: String,
    /// In words and numbers: `5 of 5 tries failed (unavailable)`.
    pub details: String,
    /// Others of its provider were taken out with it, for the same.
    pub with_provider: bool,
    /// Since when.
    pub since: Timestamp,
    /// How often lately, this time included.
    pub times: u32,
    /// Trials in a row that passed.
    pub trials_passed: u32,
}

/// What the agent beside an endpoint says. Only the agent undoes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// In words: `drain, 50 %, disk full`; `ready` when nothing differs from the ordinary.
    pub says: String,
    /// When it was heard last; none when it never was.
    pub heard_at: Option<Timestamp>,
}

/// One observation that speaks for a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// `passed`, `connect`, `timeout`, `tls`, `status`, `protocol`, `text`, `too_long`, `not_serving`, `serving_unknown`,
    /// `service_unknown`, `grpc`, `traffic`, `failing`, `slow`, `trials_passed`, `put_back`, `checks_doubted`, `initial`, `agent`.
    pub reason: String,
    /// The status of HTTP or gRPC, where the reason is one.
    pub status: Option<u16>,
}

/// All providers. `/v1/providers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderList {
    /// The revision of what is wanted.
    pub revision: u64,
    /// By name; those that do not work first.
    pub providers: Vec<Provider>,
}

/// One provider: a failure domain. `/v1/providers/{p}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// Its name.
    pub name: String,
    /// The revision of what is wanted.
    pub revision: u64,
    /// Its admin state.
    pub admin_state: AdminState,
    /// Who set it, where a person did.
    pub admin: Option<AdminEntry>,
    /// The worst of its backends.
    pub observed_state: ObservedState,
    /// What stands out, where many of its endpoints are down: that points at the provider.
    pub finding: Option<String>,
    /// Its backends over all services.
    pub backends: Vec<ProviderBackend>,
    /// What still runs, where none of its backends gets anything new.
    pub leaving: Option<Leaving>,
    /// The evacuation that is in force, if one is.
    pub evacuation: Option<String>,
}

/// A backend as its provider lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProviderBackend {
    /// The service.
    pub service: String,
    /// The backend.
    pub backend: String,
    /// What is seen of it.
    pub observed_state: ObservedState,
    /// Whether it is off.
    pub off: bool,
    /// Its effective share in percent.
    pub effective: f64,
    /// Endpoints that are up.
    pub endpoints_up: usize,
    /// Endpoints that count.
    pub endpoints_total: usize,
}
