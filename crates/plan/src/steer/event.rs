//! What the control loop is told and what it asks for. The shell (`control`, the simulator, a test) performs the effects
//! in the order given and reports back; it never decides. Of each kind with an answer at most one is in flight.

use std::collections::BTreeMap;

use bascule_model::{
    BackendName, BackendSignal, EndpointId, Instant, Revision, ServiceName, Targets, Timestamp,
};
use serde::Serialize;

use super::{Notice, Persisted};
use crate::command::{Refusal, Request};
use crate::policy::ServiceFacts;
use crate::view::{Accepted, HistoryEntry};

/// What the configuration says, by service.
pub type Facts = BTreeMap<ServiceName, ServiceFacts>;
/// What is seen of backends, by service and backend.
pub type Health = BTreeMap<(ServiceName, BackendName), BackendHealth>;

/// The time, by both clocks: the monotonic one for pace, the wall clock for expiry and records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For differences.
    pub instant: Instant,
    /// For people, and for what outlives the process.
    pub wall: Timestamp,
}

/// What is seen of one backend's endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BackendHealth {
    /// Endpoints to which new work may go by what is seen of them; not yet checked counts.
    pub up: usize,
    /// All of them.
    pub total: usize,
    /// Their identities, to refuse an admin state for one that does not exist.
    pub endpoints: Vec<EndpointId>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A person asks for something; answered by [`Effect::Reply`] with its id.
    Request(Request),
    /// The record with this number is on disk.
    Stored(u64),
    /// The record with this number could not be stored.
    StoreFailed {
        /// Its number.
        number: u64,
        /// Why.
        error: String,
    },
    /// Every worker of the edge uses the targets of this revision.
    Confirmed {
        /// The revision.
        revision: Revision,
        /// How many workers.
        workers: usize,
    },
    /// The totals of the edge's backends; all of them, also an empty list says something.
    Signals(Vec<BackendSignal>),
    /// What is seen of the backends; replaces what was said before. A backend that is missing counts as up.
    Health(Health),
    /// The configuration was loaded anew; replaces what was said before.
    Facts(Facts),
    /// The probes of an evacuation were answered.
    Proved(Probes),
}

/// What client-side probes saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probes {
    /// The evacuation, as given by [`Effect::Prove`].
    pub evacuation: String,
    /// Answers by service and backend.
    pub answered: BTreeMap<(ServiceName, BackendName), u32>,
    /// Probes that failed or were not answered in time.
    pub failed: u32,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Put a record on disk, then tell [`Event::Stored`] or [`Event::StoreFailed`].
    Store(Box<Record>),
    /// Give the edge these targets; [`Event::Confirmed`] follows. Given again when it does not.
    Publish(Targets),
    /// Send probes through the edge's own listeners, then tell [`Event::Proved`].
    Prove {
        /// To be given back.
        evacuation: String,
        /// The services to ask.
        services: Vec<ServiceName>,
        /// How many probes to each.
        probes: u32,
    },
    /// Answer a request.
    Reply {
        /// Its id.
        id: u64,
        /// The answer.
        result: Box<Result<Accepted, Refusal>>,
    },
    /// Tell everybody.
    Notice(Box<Notice>),
}

/// What is to be stored as one transaction: the state that replaces the one before, and lines for history.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Counts records within one process, from 1.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// The state.
    pub state: Persisted,
    /// Lines to append to history.
    pub history: Vec<HistoryEntry>,
}
