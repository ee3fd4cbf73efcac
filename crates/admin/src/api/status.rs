//! One screen on the wire: `/v1/status`.

use std::collections::BTreeMap;

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
    /// Where in clouds endpoints are found, by account and source.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Where else the split becomes true, by service.
    #[serde(default)]
    pub actuators: Vec<Actuator>,
}

/// An actuator in a cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Actuator {
    /// The service.
    pub service: String,
    /// The account, by its name in the configuration.
    pub account: String,
    /// The actuator as it is written there.
    pub actuator: String,
    /// The revision that it should have.
    pub wanted: u64,
    /// The revision that it was last read back with; null: it never was.
    pub confirmed: Option<u64>,
    /// What each backend is set to there, as last read: a number; 0 is off, null is not set.
    pub members: BTreeMap<String, Option<u32>>,
    /// When that was read.
    pub read_at: Option<Timestamp>,
    /// By how much a share is off as its numbers cannot say it better, in percent.
    pub error: f64,
    /// The part of its traffic that goes to what is not ours to set, in percent.
    pub foreign: f64,
    /// Since when another tool's change is left there.
    pub drifted_since: Option<Timestamp>,
    /// How long traffic takes to follow, as far as the cloud says so, in seconds.
    pub delay_seconds: f64,
    /// Why it cannot follow, where it cannot.
    pub failing: Option<Failing>,
    /// What DNS answers there, where it is asked and was.
    #[serde(default)]
    pub dns: Option<ActuatorDns>,
}

/// What DNS answers at an actuator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActuatorDns {
    /// When it was asked.
    pub asked_at: Option<Timestamp>,
    /// How many answers there were.
    pub answers: u32,
    /// How many were each backend's.
    pub heard: BTreeMap<String, u32>,
    /// How many were of what is set there and not ours, by its name.
    pub foreign: BTreeMap<String, u32>,
    /// How many hold a value that is nobody's, by value.
    pub unknown: BTreeMap<String, u32>,
    /// `agrees`, `differs`, `unclear`, or `not_asked` when no answer came.
    pub verdict: String,
    /// What differs, or why it is unclear; empty when it agrees.
    pub message: String,
    /// Since when a difference is told; null while it is asked about again.
    pub differs_since: Option<Timestamp>,
    /// Which name servers did not answer, and why.
    pub failures: Vec<String>,
}

/// A source of endpoints in a cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The account, by its name in the configuration.
    pub account: String,
    /// The source as it is written there.
    pub source: String,
    /// The backends whose endpoints it gives, as `service/backend`.
    pub backends: Vec<String>,
    /// Counts changes of what is believed of it; 0: it has never answered well.
    pub revision: u64,
    /// Instances of it that run.
    pub running: usize,
    /// Instances that it has in all.
    pub known: usize,
    /// When it last answered well.
    pub good_at: Option<Timestamp>,
    /// Since when answers are held back in which more than half is gone.
    pub doubted_since: Option<Timestamp>,
    /// Why it fails, where it does.
    pub failing: Option<Failing>,
    /// What the cloud itself says of it; null where it is not asked. No endpoint is taken out by it.
    #[serde(default)]
    pub observed: Option<Observed>,
}

/// What a cloud says of a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Observed {
    /// When it last answered; null: never. What it said then stays while it fails.
    pub read_at: Option<Timestamp>,
    /// Its verdict of the health of what the source has; null where it gives none.
    pub health: Option<ObservedHealth>,
    /// Numbers that it has of the source as a whole.
    pub values: Vec<ObservedValue>,
    /// Why it could not be asked the last time, where it could not.
    pub failing: Option<Failing>,
}

/// A cloud's verdict of health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObservedHealth {
    /// How many are `healthy`, `warning`, `unhealthy`, `draining` or `unknown`.
    pub instances: BTreeMap<String, usize>,
    /// Those that are not healthy, by name; the first sixteen.
    pub not_healthy: BTreeMap<String, String>,
    /// When it was so, by the cloud's own clock.
    pub at: Timestamp,
    /// How long ago that is, in seconds.
    pub age_seconds: f64,
    /// How old it already was when the cloud said it, in seconds.
    pub lag_seconds: f64,
}

/// A number that a cloud has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ObservedValue {
    /// `cpu_ratio`: the part of the processors in use; `instances_wanted` and `instances_max`: how many it shall and may have.
    pub what: String,
    /// The number.
    pub value: f64,
    /// When it was so, by the cloud's own clock.
    pub at: Timestamp,
    /// How long ago that is, in seconds.
    pub age_seconds: f64,
    /// How old it already was when the cloud said it, in seconds.
    pub lag_seconds: f64,
}

/// A source that fails; its last good answer stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failing {
    /// `transient`, `throttled`, `denied`, `conflict` or `invalid`.
    pub kind: String,
    /// The call, what it was about, what was seen, and what to do.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
    /// How often in a row.
    pub count: u32,
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
