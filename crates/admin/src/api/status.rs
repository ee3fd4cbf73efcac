//! One screen on the wire: `/v1/status`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AdminState, ConfigState, Evacuation, Leaving, ObservedState, Provider, Service, Shift,
};

/// Everything a person looks at first. `/v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// When this was read.
    pub at: Timestamp,
    /// The revision of what is wanted.
    pub revision: u64,
    /// The worst of the services.
    pub state: ObservedState,
    /// About the process.
    pub instance: Instance,
    /// About its workers.
    pub edge: Edge,
    /// About its configuration.
    pub config: ConfigState,
    /// Those that do not work first.
    pub services: Vec<Service>,
    /// Those that do not work first.
    pub providers: Vec<Provider>,
    /// Those running, and those that ended in the last ten minutes, the latest first.
    pub shifts: Vec<Shift>,
    /// Those in force, the latest first.
    pub evacuations: Vec<Evacuation>,
}

/// About the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// The program's version.
    pub version: String,
    /// Chosen at the start.
    pub id: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Whether `/readyz` says 200.
    pub ready: bool,
    /// Why not; empty when it is.
    pub not_ready: String,
    /// Where it listens for traffic.
    #[serde(default)]
    pub listeners: Vec<Listener>,
}

/// One entry of `listen`, as it is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// The address it really has: a port 0 of the configuration is a real one here.
    pub address: String,
    /// Whether it speaks TLS.
    pub tls: bool,
}

/// About this edge and its workers. `/v1/edge`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Edge {
    /// How many there are.
    pub workers: usize,
    /// The revision that all of them have confirmed.
    pub confirmed_revision: u64,
    /// Whether that is the current one.
    pub in_step: bool,
    /// `drain`: clients are asked to go, and `/readyz` says 503.
    pub admin_state: AdminState,
    /// Requests of clients that run.
    pub requests: u64,
    /// Connections of clients.
    pub connections: u64,
    /// Connections that are still there, while it is drained.
    pub leaving: Option<Leaving>,
}
