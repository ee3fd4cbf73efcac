//! All an edge decides per request, as plain calls on immutable data: which service ([`route`]), whether at all
//! ([`admit`]), which backend and endpoint ([`pick`], for a request with a key [`keys`]), whether it has a place there
//! ([`breaker`]) or waits for one ([`line`]), whether once more ([`retry`]); and the state these decisions read, a
//! [`Snapshot`], which [`assemble`] builds from what is wanted and what is seen. Pure: no socket, no clock, no
//! global randomness. Read [`schedule`] first: that shares are exact is decided there.

pub mod admit;
pub mod assemble;
pub mod breaker;
pub mod capacity;
pub mod demand;
pub mod effective;
pub mod explain;
pub mod hash;
pub mod keys;
pub mod latency;
pub mod line;
pub mod loss;
pub mod maglev;
pub mod pick;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod snapshot;
pub mod spec;
pub mod suspect;
pub mod zones;

pub use assemble::{Assembler, Input};
pub use pick::{Choice, Gate, Look, PickReason, PickRefused, Picker, SpillCause, Way};
pub use snapshot::Snapshot;

#[cfg(test)]
mod fixtures;
