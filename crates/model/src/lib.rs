//! The words of the product as types (`docs/architecture.md` §1): names, shares, states, signals, revisions, time,
//! money and randomness. Pure: no clock, no socket, no file, no global randomness. Every other crate builds on this one, so it
//! holds only what two of them need. Read [`share`] first: that a row sums to exactly 10 000 is decided there.

pub mod buckets;
pub mod date;
pub mod dns;
pub mod egress;
pub mod endpoint;
pub mod hash;
pub mod histogram;
pub mod name;
pub mod price;
pub mod rng;
pub mod share;
pub mod signal;
pub mod srv;
pub mod state;
pub mod targets;
pub mod time;

pub use buckets::{BUCKETS, BucketMap};
pub use date::Date;
pub use dns::RecordType;
pub use egress::{Commitment, Covered, EgressPrice, Remaining, Tiers};
pub use endpoint::{EndpointId, Scheme};
pub use histogram::Histogram;
pub use name::{BackendName, ListenerName, NameError, ProviderName, ServiceName};
pub use price::{Cost, Currency, Price, Volume};
pub use rng::Rng;
pub use share::{BasisPoints, ShareError, Shares};
pub use signal::{BackendSignal, EndpointTotals, FailureClass, TrafficFailure, TrialTotals};
pub use srv::SrvRecord;
pub use state::{AdminState, ObservedState, Revision};
pub use targets::{AdminTarget, TargetRow, Targets};
pub use time::{Instant, Timestamp};
